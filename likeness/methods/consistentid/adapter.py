"""What a file of ConsistentID is made of, and what else it may be.

Spec: consistentid_masterweaver.md 1.1, 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ...adapters import Adapter, AdapterLayers, Words
from ...adapters.describe import describe
from ...weights.read import tensors_under
from .facial import FacialEncoder
from .loras import Loras
from .projector import FaceProjector

RECOGNISER = "w600k_r50"
WORDS = Words(
    "Apply ConsistentID",
    "ConsistentID needs a model of the family that its file was made for: SD1.5 or SDXL",
    "features",
    "consistentid",
    "Load ConsistentID",
)
#: By how wide the tokens of a published file are: its family and its cross-attention layers.
_PUBLISHED = {768: ("SD1.5", 16), 2048: ("SDXL", 70)}
_SD15_LAYERS = 16
_IP = re.compile(r"[1-9][0-9]*\.to_[kv]_ip\.weight")


@dataclass(frozen=True, eq=False)
class ConsistentID(Adapter):
    """An adapter with what changes the MODEL's weights, and what fuses a face's parts with words."""

    loras: Loras | None = None
    facial: FacialEncoder | None = None

    def __repr__(self) -> str:
        return f"ConsistentID({self.name}, {self.takes})"


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> ConsistentID:
    """An adapter from a file's content: nested as published, or flat as training leaves it.

    Raises ValueError that says what the file is instead, or which part of it is missing or misshapen.
    """
    image_proj = tensors_under(content, "image_proj") or tensors_under(content, "image_proj_model")
    facial, modules = tensors_under(content, "FacialEncoder"), tensors_under(content, "adapter_modules")
    if not (image_proj and facial and modules):
        raise ValueError(f"{name} is not ConsistentID but {_what(content, image_proj, facial, modules)}.")
    layers = {key: value for key, value in modules.items() if _IP.fullmatch(key)}
    # What makes sense of the layers has to be known before any of them is looked at.
    count = len(layers) // 2
    try:
        projector = FaceProjector.build(image_proj, shortcut=count != _SD15_LAYERS)
        encoder = FacialEncoder.build(facial)
    except ValueError as error:
        raise ValueError(f"{name} is not a whole file of ConsistentID: {error}.") from error
    width = projector.token_width
    _check_count(name, width, count)
    if encoder.token_width != width or encoder.embedding_width != projector.embedding_width:
        raise ValueError(
            f"{name} is damaged: its FacialEncoder makes vectors {encoder.token_width} wide of states "
            f"{encoder.embedding_width} wide, its image_proj tokens {width} wide of states "
            f"{projector.embedding_width} wide."
        )
    kept = AdapterLayers.parse(layers, width, name)
    loras = Loras.parse({k: v for k, v in modules.items() if k not in layers}, kept, name)
    takes = metadata.get("recogniser", RECOGNISER)
    return ConsistentID(name, projector, kept, takes, WORDS, loras=loras, facial=encoder)


def _check_count(name: str, width: int, count: int) -> None:
    """A published width has so many layers; networks of other widths have what they have."""
    family, layers = _PUBLISHED.get(width, ("", count))
    if count != layers:
        raise ValueError(
            f"{name} is cut: it has {count} cross-attention layers instead of the {layers} of {family}. "
            "Delete it and download it again."
        )


def _what(content: Mapping[str, Any], *parts: Mapping[str, torch.Tensor]) -> str:
    """What a file is that lacks a part: image_proj, FacialEncoder or adapter_modules."""
    image_proj, facial, modules = parts
    others = tensors_under(content, "ip_adapter")
    if image_proj and others and "perceiver_resampler.proj_in.weight" in image_proj:
        return "an IP-Adapter FaceID-Plus file, which has no FacialEncoder: load it with an IP-Adapter node"
    if image_proj and others:
        return "an IP-Adapter or InstantID, which has no FacialEncoder"
    if tensors_under(content, "id_encoder"):
        return "a MasterWeaver file: load it with Load MasterWeaver"
    named = zip(
        ("image_proj", "FacialEncoder", "adapter_modules"), (image_proj, facial, modules), strict=True
    )
    absent = [part for part, tensors in named if not tensors]
    if len(absent) < len(parts):
        return f"a part of it: {' and '.join(absent)} is missing, the download may have ended early"
    return describe(content)
