"""InstantID (SDXL): the adapter file and the identity tokens. Spec: instantid_arc2face.md 1.1 to 1.3.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...adapters import Adapter, AdapterLayers, Tokens, Words
from ...adapters.describe import describe
from ...adapters.projectors import Resampler
from ...values import Identity, recogniser_text
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


def identity_tokens(
    adapter: Adapter,
    identity: Identity,
    negative_noise: float = 0.0,
    seed: int = 0,
    empty: bool = False,
) -> Tokens:
    """One set of tokens, and those of nobody for negative prompts. Spec 1.3.1, 1.3.2, 1.2.4.

    The embedding goes in raw. The negative is the projected zero vector, or uniform noise of the
    given size (0 to 1) from its own seed. Several embeddings are not averaged here: their tokens
    stand side by side. empty: the zero vector in place of every embedding, FreeCure's foundation
    (pva_freecure_emojidiff.md B.1). Raises ValueError for an identity of another recogniser or width.
    """
    if identity.recogniser != adapter.takes:
        raise ValueError(
            f"identity was made with {recogniser_text(identity.recogniser)}, but {adapter.name} understands "
            f"only {recogniser_text(adapter.takes)}. Set recogniser to {adapter.takes} in Embed "
            "Faces."
        )
    embeddings = identity.embeddings if identity.weights is None else identity.mean[None]
    count, width = embeddings.shape
    if width != adapter.projector.embedding_width:
        raise ValueError(
            f"identity has vectors of {width} numbers; {adapter.name} takes "
            f"{adapter.projector.embedding_width}."
        )
    if empty:
        embeddings = torch.zeros_like(embeddings)
    nobody = torch.zeros(1, 1, width)
    if negative_noise:
        generator = torch.Generator().manual_seed(seed)
        nobody = negative_noise * torch.rand(nobody.shape, generator=generator)
    projected = adapter.projector(torch.cat([nobody, embeddings[:, None]]))
    negative, positive = projected[:1], projected[1:]
    return Tokens(positive.flatten(0, 1)[None], negative.repeat(1, count, 1), adapter.made)
