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

from ..attention import CROSS, CrossAttention, replace_cross

PARTS = {"to_visual_q": "to_q", "to_visual_k": "to_k", "to_visual_v": "to_v"}


class VisualAttention(CrossAttention):
    """tokens: how many at the end are the identity's."""

    def __init__(self, layer: Any, tokens: int) -> None:
        super().__init__(layer, PARTS)
        self.tokens = tokens

    def look(self, attn: Any, hidden: Tensor, tokens: Tensor) -> Tensor:
        text, identity, heads = tokens[:, : -self.tokens], tokens[:, -self.tokens :], attn.heads
        to_q, to_k, to_v = (self.get_submodule(name) for name in PARTS)
        logits = scaled_logits(attn.to_q(hidden), attn.to_k(text), heads)
        visual = scaled_logits(to_q(hidden), to_k(identity), heads)
        values = torch.cat([attn.to_v(text), to_v(identity)], dim=1)
        return merge_heads(mixed(torch.cat([logits, visual], dim=-1), split_heads(values, heads)))


def add_visual_attention(unet: Any, tokens: int) -> None:
    """Gives every cross-attention layer its visual matrices, copies of its own; all else is as it was."""
    replace_cross(unet, lambda number, layer: VisualAttention(layer, tokens))


def visual_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """By the official names: `down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_visual_q.weight`."""
    return {
        name.replace(".processor.", "."): parameter
        for name, parameter in unet.named_parameters()
        if f"{CROSS}.to_visual_" in name
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
