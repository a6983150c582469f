"""Cross-attention of diffusers' U-Nets with matrices of ours, which begin as copies of the layer's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from likeness.attention.gate import merge_heads, split_heads

CROSS = ".attn2.processor"


class CrossAttention(nn.Module):
    """The processor of one layer. parts: our matrices' names, and those of the ones they are copies of."""

    def __init__(self, layer: Any, parts: Mapping[str, str]) -> None:
        super().__init__()
        for name, original in parts.items():
            own = getattr(layer, original)
            made = nn.Linear(own.in_features, own.out_features, bias=False)
            made.weight.data.copy_(own.weight.data)
            self.add_module(name, made)

    def look(self, attn: Any, hidden: Tensor, tokens: Tensor) -> Tensor:
        """What [n, queries, hidden] see in tokens [n, length, width]."""
        raise NotImplementedError

    def forward(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """As diffusers calls it."""
        if encoder_hidden_states is None or attention_mask is not None:
            raise ValueError("This attention needs tokens to look at, and knows no attention mask.")
        out = self.look(attn, hidden_states, encoder_hidden_states)
        for layer in attn.to_out:
            out = layer(out)
        return out / attn.rescale_output_factor


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q k) v of [n, length, heads * width], in the queries' precision."""
    q, k, v = (split_heads(t.to(q.dtype), heads) for t in (q, k, v))
    return merge_heads(F.scaled_dot_product_attention(q, k, v))


def replace_cross(unet: Any, make: Callable[[int, Any], CrossAttention]) -> None:
    """Gives every cross-attention layer what make(its number in IP-Adapter files, the layer) makes of it.

    All else stays as it was. Raises ValueError for a network that is not Stable Diffusion's.
    """
    processors = dict(unet.attn_processors)
    for number, name in enumerate(processors):
        if name.endswith(CROSS):
            layer = unet.get_submodule(name.removesuffix(".processor"))
            if layer.to_q.bias is not None or layer.group_norm is not None or layer.residual_connection:
                raise ValueError(f"{name}: this is not a cross-attention layer of Stable Diffusion.")
            processors[name] = make(number, layer)
    if not any(isinstance(processor, CrossAttention) for processor in processors.values()):
        raise ValueError("The base model's U-Net has no cross-attention.")
    unet.set_attn_processor(processors)


def file_parameters(unet: Any, parts: Iterable[str]) -> dict[str, nn.Parameter]:
    """Ours, by the names of IP-Adapter files: `1.to_k_ip.weight`, ..., down, up, middle."""
    return {
        f"{number}.{part}.weight": processor.get_parameter(f"{part}.weight")
        for number, processor in enumerate(unet.attn_processors.values())
        if isinstance(processor, CrossAttention)
        for part in parts
    }
