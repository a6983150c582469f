"""The host's layers as the drawn world's deep networks want them: what is all zeros costs nothing."""

from __future__ import annotations

from typing import Any

import torch


def sparing(operations: Any) -> Any:
    """The host's layers, but one of zeros gives zeros at once: three of four deepened blocks are such.

    Looked at in each call, since a LoRA may have made something of it; while something learns, all is as
    usual.
    """

    class Sparing(operations):  # type: ignore[misc, unused-ignore]
        class Linear(operations.Linear):  # type: ignore[misc, unused-ignore]
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                waiting = torch.is_grad_enabled() or self.weight_function or self.bias_function
                if waiting or self.weight.any() or (self.bias is not None and self.bias.any()):
                    found: torch.Tensor = super().forward(x)
                    return found
                return x.new_zeros(*x.shape[:-1], self.out_features)

    return Sparing
