"""InstantID (SDXL): the adapter file. Spec: instantid_arc2face.md 1.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...adapters import Adapter, AdapterLayers, Words
from ...adapters.describe import describe
from ...adapters.projectors import Resampler
from ...weights.read import tensors_under

DEFAULT_RECOGNISER = "glintr100"
WORDS = Words(
    "Apply InstantID", "InstantID needs an SDXL checkpoint", "identity", "instantid", "Load InstantID"
)


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content: nested as published, or flat. Spec 1.1.

    Raises ValueError that says what the file is instead, or which part of it is missing or misshapen.
    """
    image_proj, layers = tensors_under(content, "image_proj"), tensors_under(content, "ip_adapter")
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
    recogniser = metadata.get("recogniser", DEFAULT_RECOGNISER)
    kept = AdapterLayers.parse(layers, projector.token_width, name)
    return Adapter(name, projector, kept, recogniser, WORDS)
