"""Which attention layers a U-Net has, and how the host and the checkpoints number them.

The network is walked, never assumed: SDXL, SD1.5, SD2, their inpainting variants and the distilled
SDXLs (SSD-1B, Vega) differ in depth only. Adapters number their layers in the order down, up,
middle (diffusers' attention processors), while the network runs down, middle, up.
Spec: instantid_arc2face.md 1.1.2, host_guide.md 4.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

#: The host's name of a layer: block kind, block number, depth inside the block's transformer.
SiteKey = tuple[str, int, int]
#: Self-attention and cross-attention, by the host's names.
Layer = Literal["attn1", "attn2"]


@dataclass(frozen=True)
class Site:
    """One attention layer: where it is and how wide; precision is what the host computes its logits in."""

    key: SiteKey
    hidden: int
    heads: int
    context: int
    precision: Any = None


def numbered(sites: Sequence[Site]) -> dict[SiteKey, int]:
    """The place of each site in this order."""
    return {site.key: number for number, site in enumerate(sites)}


def attention_sites(network: nn.Module, layer: Layer = "attn2") -> tuple[Site, ...]:
    """Every self- (attn1) or cross-attention (attn2) layer, in checkpoint order: down, up, middle.

    Empty for a network that is not a U-Net with transformers (Flux, SD3, ...).
    """
    found: list[Site] = []
    for name, number, block in _blocks(network):
        for module in block.modules():
            for depth, transformer in enumerate(getattr(module, "transformer_blocks", ())):
                attention = getattr(transformer, layer, None)
                if attention is not None:
                    key = (name, number, depth)
                    hidden, context = attention.to_k.out_features, attention.to_k.in_features
                    precision = getattr(transformer, "attn_precision", None)
                    found.append(Site(key, hidden, attention.heads, context, precision))
    return tuple(found)


def attention_module(network: nn.Module, key: SiteKey, layer: Layer) -> nn.Module:
    """The attention layer at a site, with its to_q, to_k, to_v and to_out."""
    name, number, depth = key
    block = next(b for kind, n, b in _blocks(network) if (kind, n) == (name, number))
    transformers: Any = next(m for m in block.modules() if hasattr(m, "transformer_blocks"))
    module: nn.Module = getattr(transformers.transformer_blocks[depth], layer)
    return module


def _blocks(network: nn.Module) -> Iterator[tuple[str, int, nn.Module]]:
    for name in ("input", "output"):
        for number, block in enumerate(getattr(network, f"{name}_blocks", ())):
            yield name, number, block
    middle = getattr(network, "middle_block", None)
    if isinstance(middle, nn.Module):
        # The host sets block = ("middle", 0) while it runs the middle block.
        yield "middle", 0, middle


def _sdxl_keys() -> tuple[SiteKey, ...]:
    depths = {("input", 4): 2, ("input", 5): 2, ("input", 7): 10, ("input", 8): 10}
    depths |= {("output", n): 10 for n in (0, 1, 2)} | {("output", n): 2 for n in (3, 4, 5)}
    depths[("middle", 0)] = 10
    return tuple((name, number, i) for (name, number), depth in depths.items() for i in range(depth))


#: The 70 cross-attention layers of SDXL, in checkpoint order.
SDXL_KEYS = _sdxl_keys()


def checkpoint_numbers(sites: tuple[Site, ...], layers: int) -> tuple[int, ...]:
    """For each site, which of an adapter's `layers` layers belongs to it.

    As many layers as sites: one to one, in order. The 70 of SDXL on a network that kept only some
    of SDXL's layers (SSD-1B, Vega): by position. Raises ValueError when neither holds.
    """
    if layers == len(sites):
        return tuple(range(layers))
    position = {key: number for number, key in enumerate(SDXL_KEYS)}
    if layers == len(SDXL_KEYS) and all(site.key in position for site in sites):
        return tuple(position[site.key] for site in sites)
    raise ValueError(
        f"The adapter has {layers} layers and the model {len(sites)} cross-attention layers: "
        "it was made for another kind of model."
    )
