"""The host's Flux networks: text and picture are one sequence, with places turned into rotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from comfy.ldm.flux.math import apply_rope1
from comfy.ldm.flux.model import Flux
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention


def is_flux(network: Any) -> bool:
    """Whether a MODEL's network is Flux, whatever its size and version."""
    return isinstance(network, Flux)


def rotate(x: torch.Tensor, pe: torch.Tensor | None) -> torch.Tensor:
    """Queries or keys [rows, heads, tokens, size], turned by their places; as they are without places."""
    return x if pe is None else apply_rope1(x, pe)


def joint_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    mask: torch.Tensor | None,
    extra_options: Mapping[str, Any],
) -> torch.Tensor:
    """Attention of rotated q, k and v [rows, heads, tokens, size]: [rows, queries, hidden].

    mask is added to the logits and is broadcast to [rows, heads, queries, keys].
    """
    heads = q.shape[1]
    if mask is not None:
        # The host's fast kernels take no mask, and some packs' overrides let it fall under the table.
        return attention_pytorch(q, k, v, heads, mask=mask, skip_reshape=True)
    return optimized_attention(q, k, v, heads, skip_reshape=True, transformer_options=extra_options)
