"""Decoupled attention in diffusers' U-Net: words, who somebody is, and an expression, each its own softmax.

out = A(Q, K_t, V_t) + s_id A(Q, K_id, V_id) + s_e A(Q, K_e, V_e). The tokens come one behind the other, so
that the U-Net's own ways, gradient checkpointing among them, carry them to every layer.
Spec: pva_freecure_emojidiff.md C.1 (4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import CrossAttention, attend, file_parameters, replace_cross

PARTS = {"to_k_ip": "to_k", "to_v_ip": "to_v"}


@dataclass(eq=False)
class Shares:
    """How many tokens at the end are whose, and how much each part weighs; one object for all layers."""

    identity: int
    expression: int
    identity_weight: float = 1.0
    expression_weight: float = 1.0


class DecoupledAttention(CrossAttention):
    """identity: keys and values of a frozen adapter for this layer, which stay as they are, or none."""

    def __init__(self, layer: Any, shares: Shares, identity: Sequence[Tensor | None]) -> None:
        super().__init__(layer, PARTS)
        self.shares = shares
        self.id_key: Tensor | None
        self.id_value: Tensor | None
        for name, given in zip(("id_key", "id_value"), identity, strict=True):
            kept = None if given is None else given.detach().clone().float()
            self.register_buffer(name, kept, persistent=False)

    def look(self, attn: Any, hidden: Tensor, tokens: Tensor) -> Tensor:
        shares = self.shares
        ends = [tokens.shape[1] - shares.identity - shares.expression, shares.identity]
        text, person, expression = tokens.split([*ends, shares.expression], dim=1)
        q = attn.to_q(hidden)
        out = attend(q, attn.to_k(text), attn.to_v(text), attn.heads)
        key, value = self.id_key, self.id_value
        if key is not None and value is not None and shares.identity and shares.identity_weight:
            k, v = (F.linear(person, w.to(person.dtype)) for w in (key, value))
            out = out + shares.identity_weight * attend(q, k, v, attn.heads)
        if shares.expression_weight:
            k, v = (self.get_submodule(name)(expression) for name in PARTS)
            out = out + shares.expression_weight * attend(q, k, v, attn.heads)
        return out


def add_expression(unet: Any, shares: Shares, identity: Mapping[str, Tensor] | None = None) -> None:
    """Gives every cross-attention layer decoupled attention; all else is as it was.

    identity: a frozen adapter's `ip_adapter` tensors, `{n}.to_k_ip.weight`, n odd; its LoRAs
    (`{n}.to_q_lora.down.weight`, ...), which IP-Adapter FaceID has, are added to the U-Net's weights. Layers
    the adapter does not have look at no identity. Raises ValueError for one that does not fit.
    """
    given = dict(identity or {})

    def decoupled(number: int, layer: Any) -> DecoupledAttention:
        pair = [given.pop(f"{number}.{part}.weight", None) for part in PARTS]
        _check(layer, pair, number)
        return DecoupledAttention(layer, shares, pair)

    replace_cross(unet, decoupled)
    for number, name in enumerate(unet.attn_processors):
        _merge(unet.get_submodule(name.removesuffix(".processor")), given, number)
    if given:
        raise ValueError(f"The identity adapter was made for another base: {min(given)} has no layer here.")


def _check(layer: Any, pair: Sequence[Tensor | None], number: int) -> None:
    for tensor, own in zip(pair, (layer.to_k.weight, layer.to_v.weight), strict=True):
        if tensor is not None and tensor.shape != own.shape:
            raise ValueError(
                f"The identity adapter was made for another base: its layer {number} is "
                f"{list(tensor.shape)}, the base's {list(own.shape)}."
            )


def _merge(layer: Any, given: dict[str, Tensor], number: int) -> None:
    """Adds a layer's LoRAs, which are taken out of `given`, to its weights."""
    targets = {"to_q": layer.to_q, "to_k": layer.to_k, "to_v": layer.to_v, "to_out": layer.to_out[0]}
    for name, target in targets.items():
        down, up = (given.pop(f"{number}.{name}_lora.{part}.weight", None) for part in ("down", "up"))
        if down is None or up is None:
            continue
        change = up.float() @ down.float()
        if change.shape != target.weight.shape:
            raise ValueError(
                f"The identity adapter was made for another base: its LoRA {number}.{name} does not fit."
            )
        target.weight.data += change


def expression_parameters(unet: Any) -> dict[str, nn.Parameter]:
    """By the names of IP-Adapter files: `1.to_k_ip.weight`, `1.to_v_ip.weight`, `3....`, down, up, middle."""
    return file_parameters(unet, PARTS)


@contextmanager
def without_expression(shares: Shares) -> Iterator[None]:
    """In this context the network looks at words and identity alone."""
    kept = shares.expression_weight
    shares.expression_weight = 0.0
    try:
        yield
    finally:
        shares.expression_weight = kept
