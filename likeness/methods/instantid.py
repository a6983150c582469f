"""InstantID (SDXL): identity tokens in cross-attention, IdentityNet ControlNet.

Spec: instantid_arc2face.md part 1.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..attention.keys_values import KeysValues, Pair, project
from ..attention.sites import Site, attention_sites, checkpoint_numbers
from ..projectors import Resampler
from ..values import RECOGNISERS, Identity
from ..weights.read import tensors_under
from .adapter_files import describe

log = logging.getLogger(__name__)

DEFAULT_RECOGNISER = "glintr100"
_LAYER = re.compile(r"(\d+)\.to_k_ip\.weight")
_KEPT_PROJECTIONS = 4


@dataclass(frozen=True, eq=False)
class InstantID:
    """A loaded adapter, in host memory: the projector and one (to_k, to_v) pair per layer."""

    name: str
    projector: Resampler
    pairs: tuple[Pair, ...]
    recogniser: str
    _projected: OrderedDict[tuple[Any, ...], KeysValues] = field(default_factory=OrderedDict, repr=False)

    def __repr__(self) -> str:
        return f"InstantID({self.name}, {len(self.pairs)} layers, {self.recogniser})"

    def keys_values(self, tokens: torch.Tensor, numbers: tuple[int, ...]) -> KeysValues:
        """K and V of tokens [2, T, D]; those of the last few identities are kept in host memory."""
        key = (tokens.numpy().tobytes(), numbers)
        if key not in self._projected:
            self._projected[key] = project(tokens, [self.pairs[number] for number in numbers])
        self._projected.move_to_end(key)
        while len(self._projected) > _KEPT_PROJECTIONS:
            self._projected.popitem(last=False)
        return self._projected[key]


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> InstantID:
    """An adapter from a file's content: nested as published, or flat. Spec 1.1.

    Raises ValueError that says what the file is instead, or which part of it is missing or misshapen.
    """
    image_proj, layers = tensors_under(content, "image_proj"), tensors_under(content, "ip_adapter")
    if not image_proj and not layers:
        raise ValueError(
            f"{name} is not an InstantID adapter but {describe(content)}. It needs ip-adapter.bin."
        )
    if not layers:
        raise ValueError(
            f"{name} has no attention layers (ip_adapter.*): it is not a complete InstantID adapter."
        )
    if "proj.weight" in image_proj or "proj.0.weight" in image_proj:
        raise ValueError(f"{name} is an IP-Adapter, not InstantID: load it with an IP-Adapter node.")
    try:
        projector = Resampler.build(image_proj)
    except ValueError as error:
        raise ValueError(f"{name} is not an InstantID adapter: {error}.") from error
    recogniser = metadata.get("recogniser", DEFAULT_RECOGNISER)
    return InstantID(name, projector, _pairs(layers, projector.token_width, name), recogniser)


def _pairs(layers: Mapping[str, torch.Tensor], width: int, name: str) -> tuple[Pair, ...]:
    numbers = sorted(int(match[1]) for match in map(_LAYER.fullmatch, layers) if match)
    if not numbers:
        raise ValueError(f"{name} has no to_k_ip layers: it is not an InstantID adapter.")
    if numbers != list(range(1, 2 * len(numbers), 2)):
        raise ValueError(
            f"{name} is incomplete: its layers are numbered {numbers[:5]}... instead of 1, 3, 5, ..."
        )
    pairs = []
    for number in numbers:
        to_k, to_v = layers[f"{number}.to_k_ip.weight"], layers.get(f"{number}.to_v_ip.weight")
        if to_v is None or to_v.shape != to_k.shape or to_k.ndim != 2 or to_k.shape[1] != width:
            raise ValueError(f"{name} is damaged: layer {number} does not take tokens of width {width}.")
        pairs.append((to_k, to_v))
    return tuple(pairs)


def identity_tokens(
    adapter: InstantID, identity: Identity, negative_noise: float = 0.0, seed: int = 0
) -> torch.Tensor:
    """Tokens [2, T, D]: for negative prompts, for positive prompts. Spec 1.3.1, 1.3.2, 1.2.4.

    The embedding goes in raw. The negative is the projected zero vector, or uniform noise of the
    given size (0 to 1) from its own seed. Several embeddings are not averaged here: their tokens
    stand side by side. Raises ValueError for an identity of another recogniser or width.
    """
    if identity.recogniser != adapter.recogniser:
        raise ValueError(
            f"identity was made with {_recogniser(identity.recogniser)}, but {adapter.name} understands only "
            f"{_recogniser(adapter.recogniser)}. Set recogniser to {adapter.recogniser} in Embed Faces."
        )
    embeddings = identity.embeddings if identity.weights is None else identity.mean[None]
    count, width = embeddings.shape
    if width != adapter.projector.embedding_width:
        raise ValueError(
            f"identity has vectors of {width} numbers; {adapter.name} takes "
            f"{adapter.projector.embedding_width}."
        )
    nobody = torch.zeros(1, 1, width)
    if negative_noise:
        generator = torch.Generator().manual_seed(seed)
        nobody = negative_noise * torch.rand(nobody.shape, generator=generator)
    projected = adapter.projector(torch.cat([nobody, embeddings[:, None]]))
    negative, positive = projected[:1], projected[1:]
    return torch.cat([negative.repeat(1, count, 1), positive.flatten(0, 1)[None]])


def _recogniser(name: str) -> str:
    return f"{name} ({RECOGNISERS[name]})" if name in RECOGNISERS else name


def match_sites(
    adapter: InstantID, network: torch.nn.Module, kind: str
) -> tuple[tuple[Site, ...], tuple[int, ...]]:
    """The network's cross-attention layers and the adapter layer that belongs to each.

    kind names the MODEL in messages. Raises ValueError for a network the adapter was not made for.
    """
    sites = attention_sites(network)
    wanted = adapter.projector.token_width
    if not sites:
        raise ValueError(
            f"model is {kind}, which has no U-Net cross-attention; InstantID needs an SDXL model."
        )
    widths = sorted({site.context for site in sites})
    if widths != [wanted]:
        names = {768: "SD1.5", 1024: "SD2", 2048: "SDXL"}
        found = ", ".join(f"{width}{f' ({names[width]})' if width in names else ''}" for width in widths)
        raise ValueError(
            f"model is {kind} with prompt tokens of width {found}, but {adapter.name} was made for "
            f"{wanted}{f' ({names[wanted]})' if wanted in names else ''}. InstantID needs an SDXL checkpoint."
        )
    try:
        numbers = checkpoint_numbers(sites, len(adapter.pairs))
    except ValueError as error:
        raise ValueError(
            f"model is {kind}, which does not fit {adapter.name}. {error} InstantID needs an SDXL checkpoint."
        ) from error
    for site, number in zip(sites, numbers, strict=True):
        hidden = adapter.pairs[number][0].shape[0]
        if hidden != site.hidden:
            raise ValueError(
                f"model is {kind}; its layer {site.key} is {site.hidden} wide, but layer {2 * number + 1} of "
                f"{adapter.name} is {hidden} wide: the adapter was made for another model."
            )
    if len(sites) < len(adapter.pairs):
        log.info("%s: %d of %d layers are used, by position.", kind, len(sites), len(adapter.pairs))
    return sites, numbers
