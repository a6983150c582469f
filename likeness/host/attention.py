"""The host's attention, for layers that are given more than their own tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from comfy.ldm.modules.attention import get_attn_precision, optimized_attention


def base_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    extra_options: Mapping[str, Any],
    bias: torch.Tensor | None = None,
) -> torch.Tensor:
    """What the layer would have computed without us, host options and overrides included.

    bias [1 or rows, 1, 1, keys] is added to its logits.
    """
    if bias is not None:
        # The host's fast kernels take no bias, or none that is the same for all queries.
        return _scaled_dot_product(q, k, v, extra_options, bias)
    return optimized_attention(
        q,
        k,
        v,
        extra_options["n_heads"],
        attn_precision=extra_options["attn_precision"],
        transformer_options=extra_options,
    )


def narrow_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: Mapping[str, Any]
) -> torch.Tensor:
    """Attention to a handful of tokens, at the precision the host wants for this layer.

    PyTorch's own kernel is the fastest for so few keys, also where the host prefers another for long
    contexts (measured on the CPU with 16 keys: 1.1 to 3.7 times), and no override of another pack was
    made for it.
    """
    return _scaled_dot_product(q, k, v, extra_options, None)


def logits_dtype(extra_options: Mapping[str, Any], dtype: torch.dtype) -> torch.dtype:
    """What the host wants this layer's logits computed in, for queries of this dtype."""
    precision: torch.dtype | None = get_attn_precision(extra_options["attn_precision"], dtype)
    return dtype if precision is None else precision


def _scaled_dot_product(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    extra_options: Mapping[str, Any],
    bias: torch.Tensor | None,
) -> torch.Tensor:
    heads, dtype = extra_options["n_heads"], q.dtype
    precision = logits_dtype(extra_options, dtype)
    q, k, v = (t.to(precision) for t in (q, k, v))
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    mask = None if bias is None else bias.to(q.dtype)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    return out if out.dtype == dtype else out.to(dtype)
