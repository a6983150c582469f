"""Arc2Face (SD1.5): a prompt that is nothing but an ArcFace vector.

Spec: instantid_arc2face.md 2.1 to 2.3.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch

from ...values import Conditioning, Identity, recogniser_text

log = logging.getLogger(__name__)

RECOGNISER = "arc2face"
PROMPT = "photo of a id person"
#: What the host's tokeniser makes of "id".
ID_TOKEN = 1014


def encode(
    clip: Any, identity: Identity, extra: str = "", negative: str = ""
) -> tuple[Conditioning, Conditioning]:
    """(positive, negative) for an identity, through the Arc2Face encoder in `clip`. Spec 2.2, 2.3.

    N embeddings give N prompts in one CONDITIONING, [N, 77, 768]: the pictures of a batch take them
    in turn. The negative is the empty prompt through the same encoder, or the words of `negative`. extra:
    words after the prompt, which the model was not trained with. The last layer is always used, whatever
    clip skip is set; hooks on the CLIP act, and have their schedule, as in the host's own encoding. Raises
    ValueError for an identity of another recogniser, or a CLIP that is no CLIP-L.
    """
    if identity.recogniser != RECOGNISER:
        raise ValueError(
            f"identity was made with {recogniser_text(identity.recogniser)}, but Arc2Face understands only "
            f"{recogniser_text(RECOGNISER)}. Set recogniser to {RECOGNISER} in Embed Faces."
        )
    vectors = identity if identity.weights is None else Identity(identity.mean[None], RECOGNISER)
    clip = clip.clone()
    clip.clip_layer(None)
    prompts = [_encode(clip, _prompt_tokens(clip, vector, extra)) for vector in vectors.unit]
    nothing = _encode(clip, clip.tokenize(negative))
    return [_batched(entries) for entries in zip(*prompts, strict=True)], nothing


def _prompt_tokens(clip: Any, vector: torch.Tensor, extra: str) -> dict[str, Any]:
    """The prompt with the word "id" replaced by the vector [512], padded with zeros to the token width."""
    tokens = clip.tokenize(f"{PROMPT} {extra}".strip())
    if set(tokens) != {"l"}:
        raise ValueError(
            f"clip is another text encoder ({', '.join(tokens)}): Arc2Face needs its own, from Load Arc2Face."
        )
    width = _token_width(clip)
    if width < vector.shape[0]:
        raise ValueError(
            f"clip has tokens {width} wide, too narrow for a vector of {vector.shape[0]}: use the encoder "
            "of Load Arc2Face."
        )
    padded = torch.nn.functional.pad(vector, (0, width - vector.shape[0]))
    # A textual inversion among the words is a vector already.
    row = [
        (padded, 1.0) if not isinstance(token, torch.Tensor) and token == ID_TOKEN else (token, weight)
        for token, weight in tokens["l"][0]
    ]
    return {"l": [row]}


def _token_width(clip: Any) -> int:
    embeddings = clip.cond_stage_model.clip_l.transformer.get_input_embeddings()
    return int(embeddings.weight.shape[1])


def _encode(clip: Any, tokens: dict[str, Any]) -> Conditioning:
    """One prompt, or where hooks on the CLIP have a schedule, one for each part of the steps."""
    encoded: Conditioning = clip.encode_from_tokens_scheduled(tokens, show_pbar=False)
    return encoded


def _batched(entries: Sequence[list[Any]]) -> list[Any]:
    """Prompts [1, 77, 768] of the same part of the steps as one, [N, 77, 768]."""
    conds, facts = zip(*entries, strict=True)
    pooled = torch.cat([each["pooled_output"] for each in facts])
    return [torch.cat(conds), {**facts[0], "pooled_output": pooled}]
