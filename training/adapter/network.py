"""InstantID's attention in diffusers' U-Net: words, and beside them who somebody is, each its own softmax.

out = A(Q, K_text, V_text) + A(Q, K_person, V_person). The person's tokens come behind the text's, so that the
U-Net's own ways, gradient checkpointing among them, carry them to every layer.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..attention import CrossAttention, attend, file_parameters, replace_cross

PARTS = {"to_k_ip": "to_k", "to_v_ip": "to_v"}


class BesideText(CrossAttention):
    """tokens: how many at the end are the person's. Values begin as zeros: the base model as it is."""

    def __init__(self, layer: Any, tokens: int) -> None:
        super().__init__(layer, PARTS)
        self.get_parameter("to_v_ip.weight").data.zero_()
        self.tokens = tokens

    def look(self, attn: Any, hidden: Tensor, tokens: Tensor) -> Tensor:
        text, person = tokens[:, : -self.tokens], tokens[:, -self.tokens :]
        q, (to_k, to_v) = attn.to_q(hidden), (self.get_submodule(name) for name in PARTS)
        out = attend(q, attn.to_k(text), attn.to_v(text), attn.heads)
        return out + attend(q, to_k(person), to_v(person), attn.heads)


def add_person(unet: Any, tokens: int) -> None:
    """Gives every cross-attention layer keys and values of a person; all else is as it was."""
    replace_cross(unet, lambda _, layer: BesideText(layer, tokens))


def person_parameters(unet: Any) -> dict[str, nn.Parameter]:
    """By the names of InstantID's file: `1.to_k_ip.weight`, `1.to_v_ip.weight`, `3....`, down, up, middle."""
    return file_parameters(unet, PARTS)
