"""PVA (parallel visual attention): what its files hold. Spec: pva_freecure_emojidiff.md A.1.

A base file serves everybody; a person's layer, tuned on that person's photos, goes over it. Nothing here
needs the host.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ...adapters import MadeWith, Tokens
from ...adapters.describe import describe
from ...adapters.projectors import IdentityTransformer
from ...faces.iresnet import IResNet, build_iresnet
from ...values import Identity, recogniser_text
from ...weights.read import tensors_under

#: Who describes faces for a file that brings no face encoder of its own.
RECOGNISER = "ms1mv3_r50"
#: In the metadata of the safetensors files that we write.
_FORMAT, _BASES = "likeness-pva/1", {768: "sd15-inpainting", 1024: "sd2-inpainting"}

Tensors = Mapping[str, torch.Tensor]
WORD, TRANSFORMER, UNET, FACE_NET = "modifier_vec", "transform_network", "unet", "face_net"
_PARTS = (WORD, TRANSFORMER, UNET, FACE_NET)
#: What some trainers put before every name, and what the authors put before those of the face encoder.
_WRAPPED, _FACE_PREFIX = "module.", "facenet."

_LAYER = re.compile(
    r"((?:(down|up)_blocks\.(\d+)|(mid)_block)\.attentions\.(\d+)\.transformer_blocks\.(\d+)\.attn2)\.(.+)"
)
_ORDER = ("down", "up", "mid")
#: The three matrices of a layer that PVA adds.
VISUAL = ("to_visual_q.weight", "to_visual_k.weight", "to_visual_v.weight")
#: The layer's own tensors: only in files that tuned them, too.
OWN = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight", "to_out.0.bias")


@dataclass(frozen=True)
class VisualLayer:
    """One cross-attention layer: to_q [hidden, hidden], to_k and to_v [hidden, token width]."""

    name: str
    to_q: torch.Tensor
    to_k: torch.Tensor
    to_v: torch.Tensor


@dataclass(frozen=True, eq=False)
class Base:
    """A base file in host memory. word [token width] is what `<new1>` stands for; file as in Adapter.

    recogniser: whose vectors its tokens are made of, see recogniser_of.
    """

    name: str
    word: torch.Tensor
    transformer: IdentityTransformer
    unet: Tensors
    face_net: IResNet | None
    file: str = ""
    recogniser: str = RECOGNISER


@dataclass(frozen=True, eq=False)
class Person:
    """What was tuned on one person: the word, and tensors of cross-attention by diffusers' names."""

    name: str
    word: torch.Tensor
    unet: Tensors


@dataclass(frozen=True, eq=False)
class PVA:
    """A base file, and over it a person's layer or none."""

    base: Base
    person: Person | None = None

    @property
    def name(self) -> str:
        return self.base.name if self.person is None else f"{self.person.name} over {self.base.name}"

    @property
    def word(self) -> torch.Tensor:
        return (self.person or self.base).word

    @property
    def token_width(self) -> int:
        return self.base.transformer.token_width

    @property
    def unet(self) -> Tensors:
        """All tensors of cross-attention, the person's before the base's."""
        return {**self.base.unet, **(self.person.unet if self.person else {})}

    @cached_property
    def layers(self) -> tuple[VisualLayer, ...]:
        """The visual layers in checkpoint order: down, up, middle."""
        unet = self.unet
        return tuple(VisualLayer(name, *(unet[f"{name}.{p}"] for p in VISUAL)) for name in _layers(unet))

    @property
    def tuned(self) -> Tensors:
        """The tensors of the layers' own attention that take the place of the model's, if there are any."""
        return {key: value for key, value in self.unet.items() if key.endswith(OWN)}

    def __repr__(self) -> str:
        return f"PVA({self.name}, {len(self.layers)} layers, tokens of {self.token_width})"


def identity_tokens(pva: PVA, identity: Identity) -> Tokens:
    """The tokens of any number of references, whose order does not matter. Spec A.4.

    The embeddings go in raw and one by one; an identity with weights counts by its mean. Raises ValueError
    for an identity of another recogniser or width.
    """
    base = pva.base
    if identity.recogniser != base.recogniser:
        whence = f" ({identity.source})" if identity.source else ""
        own = "" if base.face_net is None else ", the face encoder in its file"
        raise ValueError(
            f"identity was made with {recogniser_text(identity.recogniser)}{whence}, but {base.name} "
            f"understands only {recogniser_text(base.recogniser)}{own}. Connect the photos to images of "
            "Encode PVA instead."
        )
    embeddings = identity.embeddings if identity.weights is None else identity.mean[None]
    transformer = base.transformer
    if embeddings.shape[1] != transformer.embedding_width:
        raise ValueError(
            f"identity has vectors of {embeddings.shape[1]} numbers; {base.name} takes "
            f"{transformer.embedding_width}."
        )
    with torch.no_grad():
        return Tokens(transformer(embeddings[None]), None, MadeWith(base.name, base.file))


def recogniser_of(face_net: Tensors) -> str:
    """What vectors of a file's own face encoder are marked with: another encoder's mean other things.

    The mark is of its weights, so that a copy of the file, or one with a person in it, has the same.
    """
    if not face_net:
        return RECOGNISER
    made = hashlib.sha256()
    for name, value in sorted(face_net.items()):
        if value.is_floating_point():  # the others count batches
            made.update(name.encode())
            made.update(value.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return f"{RECOGNISER} tuned {made.hexdigest()[:12]}"


def file_facts(token_width: int) -> dict[str, str]:
    """The metadata of a file for a base model with prompt tokens of this width."""
    return {
        "format": _FORMAT,
        "recogniser": RECOGNISER,
        "base": _BASES.get(token_width, "unknown"),
    }


def parse_base(content: Mapping[str, Any], name: str) -> Base:
    """A base file's content, nested as published or flat, with every tensor used.

    Raises ValueError that says what the file is instead, or which part is missing, misshapen or unknown.
    """
    word, parts = _read(content, name)
    if not parts[TRANSFORMER]:
        raise ValueError(
            f"{name} holds one person's layer, not a whole PVA file: choose it as person_file, over the base "
            "file it was tuned from."
        )
    try:
        transformer = IdentityTransformer.build(parts[TRANSFORMER])
    except ValueError as error:
        raise ValueError(f"{name} is no PVA file: {error}.") from error
    if transformer.token_width != len(word):
        raise ValueError(
            f"{name} is damaged: its word has {len(word)} numbers and its tokens {transformer.token_width}."
        )
    unet = parts[UNET]
    lacking = [f"{n}.{part}" for n in _layers(unet) for part in VISUAL if f"{n}.{part}" not in unet]
    if lacking or not unet:
        raise ValueError(f"{name} is incomplete: it lacks {lacking[0] if lacking else 'the part unet'}.")
    _check_shapes(unet, unet, len(word), name)
    face_net = parts[FACE_NET]
    network = build_iresnet(face_net, name) if face_net else None
    return Base(name, word, transformer, unet, network, recogniser=recogniser_of(face_net))


def parse_person(content: Mapping[str, Any], name: str, base: Base) -> Person:
    """A person's layer over `base`: `modifier_vec` and `unet` alone. Raises ValueError."""
    word, parts = _read(content, name)
    if parts[TRANSFORMER] or parts[FACE_NET]:
        raise ValueError(
            f"person_file {name} is a whole PVA file, not one person's layer: choose it as file, and none as "
            "person_file."
        )
    if len(word) != len(base.word):
        raise ValueError(
            f"person_file {name} has tokens of width {len(word)}, {base.name} of {len(base.word)}: it was "
            "tuned from another base file."
        )
    _check_shapes(parts[UNET], base.unet, len(word), f"person_file {name}")
    return Person(name, word, parts[UNET])


def _read(content: Mapping[str, Any], name: str) -> tuple[torch.Tensor, dict[str, Tensors]]:
    """The word, and the other parts with plain names."""
    there = dict.fromkeys(str(key).split(".")[0] for key in content)
    if not isinstance(content.get(WORD), torch.Tensor):
        raise ValueError(f"{name} is no PVA file but {describe(content)}. It lacks {WORD}.")
    strange = [part for part in there if part not in _PARTS]
    if strange:
        raise ValueError(f"{name} holds parts that PVA's files do not have: {', '.join(strange[:3])}.")
    parts: dict[str, Tensors] = {}
    for part in _PARTS[1:]:
        tensors = tensors_under(content, part)
        plain = {key.removeprefix(_WRAPPED): value for key, value in tensors.items()}
        if part == FACE_NET:
            plain = {key.removeprefix(_FACE_PREFIX): value for key, value in plain.items()}
        parts[part] = plain
    word = content[WORD].detach().to("cpu", torch.float32).reshape(-1)
    broken = [key for key, value in [(WORD, word), *parts[UNET].items()] if not value.isfinite().all()]
    if broken:
        raise ValueError(f"{name} is damaged: {broken[0]} holds NaN or infinity.")
    return word, parts


def _layers(names: Iterable[str]) -> list[str]:
    """The layers that tensors belong to, in checkpoint order. Other names are left out."""
    found = {match[1]: _place(match) for match in map(_LAYER.fullmatch, names) if match}
    return sorted(found, key=lambda name: found[name])


def _place(match: re.Match[str]) -> tuple[int, ...]:
    return _ORDER.index(match[2] or match[4]), *(int(match[n] or 0) for n in (3, 5, 6))


def _check_shapes(tensors: Tensors, base: Tensors, width: int, name: str) -> None:
    """Every tensor is one of a layer that `base` has, and of its size."""
    for key, value in tensors.items():
        match = _LAYER.fullmatch(key)
        query = base.get(f"{match[1]}.{VISUAL[0]}") if match else None
        if match is None or query is None or match[7] not in (*VISUAL, *OWN):
            raise ValueError(f"{name} does not fit: it holds {key}, which PVA has no place for.")
        hidden = query.shape[0] if query.ndim else 1
        inside = width if match[7].endswith(("_k.weight", "_v.weight")) else hidden
        wanted = (hidden,) if match[7].endswith("bias") else (hidden, inside)
        if tuple(value.shape) != wanted:
            raise ValueError(f"{name} does not fit: {key} is {list(value.shape)} instead of {list(wanted)}.")
