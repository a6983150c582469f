"""PVA's attention in diffusers' U-Net: text and identity tokens in one softmax. Spec A.1 (c), A.2.

The identity tokens come behind the text's, so that the U-Net's own ways, gradient checkpointing among them,
carry them to every layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from likeness.attention.gate import merge_heads, mixed, scaled_logits, split_heads

PARTS = ("to_visual_q", "to_visual_k", "to_visual_v")
_CROSS = ".attn2.processor"


class VisualAttention(nn.Module):
    """The processor of one cross-attention layer, with copies of its to_q, to_k, to_v for the identity."""

    def __init__(self, attention: Any, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens
        for name in PARTS:
            own = getattr(attention, name.replace("visual_", ""))
            made = nn.Linear(own.in_features, own.out_features, bias=False)
            made.weight.data.copy_(own.weight.data)
            self.add_module(name, made)

    def forward(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """hidden_states [n, queries, hidden]; encoder_hidden_states [n, text + tokens, width]."""
        if encoder_hidden_states is None or attention_mask is not None:
            raise ValueError("PVA's attention needs text and identity tokens, and knows no attention mask.")
        text, identity = encoder_hidden_states[:, : -self.tokens], encoder_hidden_states[:, -self.tokens :]
        heads = attn.heads
        logits = scaled_logits(attn.to_q(hidden_states), attn.to_k(text), heads)
        visual = scaled_logits(
            self.get_submodule(PARTS[0])(hidden_states), self.get_submodule(PARTS[1])(identity), heads
        )
        values = torch.cat([attn.to_v(text), self.get_submodule(PARTS[2])(identity)], dim=1)
        out = merge_heads(mixed(torch.cat([logits, visual], dim=-1), split_heads(values, heads)))
        for layer in attn.to_out:
            out = layer(out)
        return out / attn.rescale_output_factor


def add_visual_attention(unet: Any, tokens: int) -> None:
    """Gives every cross-attention layer its visual matrices, copies of its own; all else is as it was."""
    processors = dict(unet.attn_processors)
    for name in processors:
        if name.endswith(_CROSS):
            layer = unet.get_submodule(name.removesuffix(".processor"))
            if layer.to_q.bias is not None or layer.group_norm is not None or layer.residual_connection:
                raise ValueError(f"{name}: this is not a cross-attention layer of Stable Diffusion 1 or 2.")
            processors[name] = VisualAttention(layer, tokens)
    if not any(isinstance(processor, VisualAttention) for processor in processors.values()):
        raise ValueError("The base model's U-Net has no cross-attention.")
    unet.set_attn_processor(processors)


def visual_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """By the official names: `down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_visual_q.weight`."""
    return {
        name.replace(".processor.", "."): parameter
        for name, parameter in unet.named_parameters()
        if f"{_CROSS}.to_visual_" in name
    }


def load_attention(unet: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts tensors of a PVA file in, by the official names: visual ones, and the layers' own if tuned.

    Raises ValueError for one that has no place or another shape.
    """
    places = {name.replace(".processor.", "."): parameter for name, parameter in unet.named_parameters()}
    for name, tensor in tensors.items():
        place = places.get(name)
        if place is None or place.shape != tensor.shape:
            raise ValueError(
                f"The PVA file does not fit the base model: {name} is {list(tensor.shape)}, "
                f"{'the model has no such tensor' if place is None else f'not {list(place.shape)}'}."
            )
        place.data.copy_(tensor)


class PersonalWord(nn.Module):
    """The text encoder's embedding table, with one more word that learns. Spec A.1 (d).

    The word counts at its first place in a text; at further ones there is a zero vector, as in the authors'
    code.
    """

    def __init__(self, table: nn.Embedding, number: int, vector: Tensor) -> None:
        super().__init__()
        self.table, self.number = table, number
        self.vector = nn.Parameter(vector.detach().clone().float())

    def forward(self, ids: Tensor) -> Tensor:
        """Token numbers [n, length] -> vectors [n, length, width]."""
        own = ids == self.number
        first = own & (own.cumsum(dim=-1) == 1)
        vectors = self.table(ids.masked_fill(own, 0)).masked_fill(own[..., None], 0.0)
        return vectors + first[..., None] * self.vector
