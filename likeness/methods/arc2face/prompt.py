"""Arc2Face (SD1.5): a prompt that is nothing but an ArcFace vector.

Spec: instantid_arc2face.md 2.1 to 2.3.
"""

from __future__ import annotations

import logging
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
    clip skip is set. Raises ValueError for an identity of another recogniser, or a CLIP that is no CLIP-L.
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
    conds, pooled = (torch.cat(part) for part in zip(*prompts, strict=True))
    nothing, nothing_pooled = _encode(clip, clip.tokenize(negative))
    return (
        [[conds, {"pooled_output": pooled}]],
        [[nothing, {"pooled_output": nothing_pooled}]],
    )


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
    row = [(padded, 1.0) if token == ID_TOKEN else (token, weight) for token, weight in tokens["l"][0]]
    return {"l": [row]}


def _token_width(clip: Any) -> int:
    embeddings = clip.cond_stage_model.clip_l.transformer.get_input_embeddings()
    return int(embeddings.weight.shape[1])


def _encode(clip: Any, tokens: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    encoded: tuple[torch.Tensor, torch.Tensor] = clip.encode_from_tokens(tokens, return_pooled=True)
    return encoded
