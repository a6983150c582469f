"""InstantID (SDXL): the adapter file. Spec: instantid_arc2face.md 1.1."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ...adapters import Adapter, AdapterLayers, Words
from ...adapters.describe import describe
from ...adapters.layers import LAYER
from ...adapters.projectors import Resampler
from ...weights.read import tensors_under

log = logging.getLogger(__name__)

DEFAULT_RECOGNISER = "glintr100"
#: By the width of its tokens, what a file was made for: InstantID's own is for SDXL, others train theirs.
NEEDS = {2048: "InstantID needs an SDXL checkpoint", 768: "This adapter needs an SD1.5 checkpoint"}

#: The two parts of a file, and what they are called in what a training leaves.
_PARTS = (("image_proj", "image_proj_model"), ("ip_adapter", "adapter_modules"))


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content: nested as published, flat, or as a training leaves it. Spec 1.1.

    So those that others trained (FaceID-6M, CrossFaceID) load in its place. What a file holds beside, such
    as the ControlNet it was trained with, is passed over, and the log says so. Raises ValueError that says
    what the file is instead, or which part of it is missing or misshapen.
    """
    image_proj, layers = (_part(content, *names) for names in _PARTS)
    if tensors_under(content, "FacialEncoder") or (not image_proj and "id_encoder" in _beside(content)):
        raise ValueError(f"{name} is no InstantID adapter, but one of ConsistentID or MasterWeaver.")
    if not image_proj and not layers:
        raise ValueError(
            f"{name} is not an InstantID adapter but {describe(content)}. It needs ip-adapter.bin."
        )
    if not layers:
        raise ValueError(f"{name} has no attention layers (ip_adapter.*): it is not a complete adapter.")
    if "proj.weight" in image_proj or "proj.0.weight" in image_proj:
        raise ValueError(f"{name} is an IP-Adapter, not InstantID: load it with an IP-Adapter node.")
    try:
        projector = Resampler.build(image_proj)
    except ValueError as error:
        raise ValueError(f"{name} is not an InstantID adapter: {error}.") from error
    _say_what_is_passed_over(content, image_proj, layers, name)
    recogniser = metadata.get("recogniser", DEFAULT_RECOGNISER)
    kept = AdapterLayers.parse(layers, projector.token_width, name)
    return Adapter(name, projector, kept, recogniser, _words(projector.token_width))


def _words(width: int) -> Words:
    needs = NEEDS.get(width, NEEDS[2048])
    return Words("Apply InstantID", needs, "identity", "instantid", "Load InstantID")


def _part(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The tensors of a part of the file, by whichever of its names."""
    return next((found for found in (tensors_under(content, name) for name in names) if found), {})


def _beside(content: Mapping[str, Any]) -> Counter[str]:
    """How many tensors there are of what is no part of an adapter, by the beginnings of their names."""
    ours = {name for names in _PARTS for name in names}
    found: Counter[str] = Counter()
    for key, value in content.items():
        part = key.partition(".")[0]
        if part not in ours:
            found[part] += len(value) if isinstance(value, Mapping) else 1
    return found


def _say_what_is_passed_over(
    content: Mapping[str, Any], image_proj: Mapping[str, Any], layers: Mapping[str, Any], name: str
) -> None:
    passed = _beside(content)
    known = {"latents", "proj_in", "proj_out", "norm_out", "layers"}
    passed.update(f"image_proj.{part}" for key in image_proj if (part := key.partition(".")[0]) not in known)
    passed.update(
        "ip_adapter." + key.partition(".")[2]
        for key in layers
        if not LAYER.fullmatch(key.replace(".to_v_ip.", ".to_k_ip."))
    )
    if passed:
        listed = ", ".join(f"{part} ({count})" for part, count in sorted(passed.items())[:6])
        log.info("%s holds more than an InstantID adapter; passed over: %s.", name, listed)
