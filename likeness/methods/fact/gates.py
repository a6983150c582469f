"""The gates of a FACT file, one for each block of SD1.5. Spec: fact_wplus.md A.2, A.3."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F

from ... import host
from ...adapters import Tokens
from ...attention.adds import KeysValues
from ...attention.inserts import GatedSelfAttention
from ...attention.sites import Site, attention_sites, numbered
from ...attention.use import Use
from ...attention.views import Role

#: What a gate is made of, by the host's names, which are the file's.
PARTS = (
    *("alpha_attn", "alpha_dense", "linear.weight", "linear.bias"),
    *(f"attn.to_{part}.weight" for part in ("q", "k", "v", "out.0")),
    *("attn.to_out.0.bias", "ff.net.0.proj.weight", "ff.net.0.proj.bias"),
    *("ff.net.2.weight", "ff.net.2.bias"),
    *(f"norm{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
)
Layer = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Gates:
    """In host memory, in checkpoint order. norms: weight and bias of each block's norm2, or nothing.

    dtype: what the host is given them in.
    """

    name: str
    layers: tuple[Layer, ...]
    norms: tuple[tuple[torch.Tensor, ...], ...]
    token_width: int
    hidden: bool = False
    dtype: torch.dtype = torch.float32
    #: By precision and heads: what the host moves to the device.
    _networks: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(
        cls,
        layers: Sequence[Layer],
        norms: tuple[tuple[torch.Tensor, ...], ...],
        token_width: int,
        name: str,
    ) -> Gates:
        """Raises ValueError for a tensor of another shape, or numbers that are none."""
        for number, layer in enumerate(layers):
            wide = layer["linear.bias"].numel()
            for part, shape in _shapes(wide, token_width).items():
                if tuple(layer[part].shape) != shape:
                    raise ValueError(
                        f"{name} is damaged: {part} of layer {number} is {list(layer[part].shape)} "
                        f"instead of {list(shape)}."
                    )
            if norms and any(tuple(part.shape) != (wide,) for part in norms[number]):
                raise ValueError(f"{name} is damaged: ln of layer {number} is not {wide} wide.")
            broken = [part for part, value in layer.items() if not torch.isfinite(value).all()]
            if broken:
                raise ValueError(
                    f"{name} is damaged: {broken[0]} of layer {number} holds NaN or infinity. Download it "
                    "again."
                )
        return cls(name, tuple(layers), norms, token_width)

    def number(self, index: int) -> int:
        """Diffusers' number of the attention layer: 1, 3, 5, ..."""
        return 2 * index + 1

    def match(
        self, network: torch.nn.Module, kind: str, needs: str
    ) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """One to one. Raises ValueError for a network the adapter was not made for."""
        sites = attention_sites(network)
        if not sites:
            raise ValueError(f"model is {kind}, which has no U-Net cross-attention. {needs}.")
        widths = sorted({site.context for site in sites})
        if widths != [self.token_width]:
            raise ValueError(
                f"model is {kind} with prompt tokens of width {', '.join(map(str, widths))}, but {self.name} "
                f"was made for {self.token_width}. {needs}."
            )
        wide = [layer["linear.bias"].numel() for layer in self.layers]
        if wide != [site.hidden for site in sites]:
            raise ValueError(
                f"model is {kind}, whose {len(sites)} attention layers are not the {len(wide)} of "
                f"{self.name} in number or width. {needs}."
            )
        return sites, tuple(range(len(sites)))

    def kept_in(self, dtype: torch.dtype) -> Gates:
        """The same gates, kept in a MODEL's precision: they weigh a quarter of an SD1.5 U-Net."""
        return replace(self, dtype=dtype)

    def source(
        self, tokens: Tokens, sites: Sequence[Site], numbers: Sequence[int], use: Use, roles: frozenset[Role]
    ) -> GatedSelfAttention:
        """What goes into the blocks. Both roles look: there is no row without tokens in this method."""
        key = (self.dtype, tuple(site.heads for site in sites))
        if key not in self._networks:
            self._networks[key] = host.gated.gated_network(self.layers, key[1], self.dtype)
        return GatedSelfAttention(
            self._networks[key],
            tuple(_gates(layer) for layer in self.layers),
            keys_values(tokens.both, self.layers),
            numbered(sites),
            use.weight,
            use.window,
            use.picture_mask,
            host.attention.base_attention,
        )


def keys_values(tokens: torch.Tensor, layers: Sequence[Layer]) -> KeysValues:
    """K and V of tokens [roles, T, width] in every layer, in float32 on the CPU: what never changes."""
    made = []
    for layer in layers:
        w = {name: value.to("cpu", torch.float32) for name, value in layer.items() if name in _OF_TOKENS}
        faces = F.linear(tokens.to("cpu", torch.float32), w["linear.weight"], w["linear.bias"])
        faces = F.layer_norm(faces, faces.shape[-1:], w["norm1.weight"], w["norm1.bias"])
        made.append((F.linear(faces, w["attn.to_k.weight"]), F.linear(faces, w["attn.to_v.weight"])))
    shapes = [(keys.shape[0], keys.shape[1], keys.shape[2]) for keys, _ in made]
    return KeysValues(torch.cat([part.flatten() for pair in made for part in pair]), shapes)


_OF_TOKENS = (
    "linear.weight",
    "linear.bias",
    "norm1.weight",
    "norm1.bias",
    "attn.to_k.weight",
    "attn.to_v.weight",
)


def _gates(layer: Layer) -> tuple[float, float]:
    """tanh of the two numbers; the weight comes after it."""
    return math.tanh(float(layer["alpha_attn"])), math.tanh(float(layer["alpha_dense"]))


def _shapes(wide: int, tokens: int) -> dict[str, tuple[int, ...]]:
    square, one = (wide, wide), (wide,)
    shapes: dict[str, tuple[int, ...]] = {
        "alpha_attn": (),
        "alpha_dense": (),
        "linear.weight": (wide, tokens),
    }
    shapes |= {f"attn.to_{part}.weight": square for part in ("q", "k", "v", "out.0")}
    shapes |= {"ff.net.0.proj.weight": (8 * wide, wide), "ff.net.0.proj.bias": (8 * wide,)}
    shapes |= {"ff.net.2.weight": (wide, 4 * wide)}
    return {**dict.fromkeys(PARTS, one), **shapes}
