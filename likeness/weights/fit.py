"""Whether a file's tensors are those of a network: all of them, no others, each of its shape and sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

N = TypeVar("N", bound=nn.Module)
#: Batch norms count what they were trained with; nothing is computed from it, and some files leave it out.
_COUNTER = "num_batches_tracked"


def check_fit(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], name: str, what: str, advice: str
) -> None:
    """name: the file's; what: the network is; advice: a sentence that says what to use. Raises ValueError."""
    wanted = {k: v for k, v in network.state_dict().items() if not k.endswith(_COUNTER)}
    for problem, keys in (
        ("lacks", [k for k in wanted if k not in tensors]),
        ("holds unknown tensors:", [k for k in tensors if k not in wanted and not k.endswith(_COUNTER)]),
        ("has other shapes for", [k for k in wanted if k in tensors and tensors[k].shape != wanted[k].shape]),
    ):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise ValueError(
                f"{name} does not fit {what}: it {problem} {', '.join(keys[:3])}{more}. {advice}"
            )
    broken = next((k for k in wanted if not tensors[k].isfinite().all()), None)
    if broken:
        raise ValueError(f"{name} is damaged: {broken} holds NaN or infinity. Fetch it again.")


def filled(network: N, tensors: Mapping[str, torch.Tensor]) -> N:
    """The network with tensors that fit it, ready to use."""
    numbers = {k: v for k, v in tensors.items() if not k.endswith(_COUNTER)}
    network.load_state_dict(numbers, strict=False)  # but for counters all names are the same
    return network.eval().requires_grad_(False)
