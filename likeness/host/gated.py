"""The host's own gated self-attention (GLIGEN's), for adapters that have the same layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from comfy.gligen import GatedSelfAttentionDense

from .loading import managed_network


def gated_network(
    layers: Sequence[Mapping[str, torch.Tensor]], heads: Sequence[int], dtype: torch.dtype
) -> Any:
    """A patcher of a list of layers with these tensors, in the host's care: it moves and casts them.

    layers: per layer its 17 tensors, by the host's names. heads: of each. dtype: to keep them in. Raises
    RuntimeError when a tensor is missing, too many or of another shape.
    """
    # Weights made while the host infers could not be moved outside of a node.
    with torch.inference_mode(False), torch.no_grad():
        made = torch.nn.ModuleList()
        for tensors, count in zip(layers, heads, strict=True):
            hidden, width = tensors["linear.weight"].shape
            with torch.device("meta"):  # no room for numbers that are replaced at once
                layer = GatedSelfAttentionDense(hidden, width, count, hidden // count)
            kept = {name: value.to("cpu", dtype, copy=True) for name, value in tensors.items()}
            layer.load_state_dict(kept, strict=True, assign=True)
            made.append(layer)
        return managed_network(made.eval().requires_grad_(False))
