"""The prompt with the person's own word in it. Spec: pva_freecure_emojidiff.md A.1 (d), A.3."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ...choices.pva import PLACEHOLDER
from ...text import moved
from ...values import Conditioning
from .content import PVA

log = logging.getLogger(__name__)

#: Words that CLIP's tokeniser makes one token of, by its number. One of them holds the person's place while
#: the text is cut into tokens.
_STAND_INS = {"sks": 48136, "ohwx": 47993}


def encode_prompt(clip: Any, pva: PVA, text: str) -> Conditioning:
    """The text as CONDITIONING, with `<new1>` standing for the person.

    The word counts at its first place; at further ones the authors' code has a zero vector, and so has this.
    Raises ValueError for a text encoder of another width.
    """
    check_clip(clip, pva)
    conditioning: Conditioning = clip.encode_from_tokens_scheduled(prompt_tokens(clip, pva.word, text))
    return moved(conditioning, f"a person's word {PLACEHOLDER}") if PLACEHOLDER in text else conditioning


def encode_word(clip: Any, word: torch.Tensor, text: str) -> torch.Tensor:
    """The text with `word` [width] in it: [1, L, width], with gradients to the word."""
    encoded: torch.Tensor = clip.encode_from_tokens(prompt_tokens(clip, word, text))
    return encoded


def check_clip(clip: Any, pva: PVA) -> None:
    """Raises ValueError for a CLIP that is not a single text encoder as wide as the word."""
    encoder = clip.cond_stage_model
    name = getattr(encoder, "clip", "")
    if len(clip.tokenize("")) != 1 or not hasattr(encoder, name):
        raise ValueError(f"clip is not a single CLIP text encoder. {_needs(pva)}")
    width = int(getattr(encoder, name).transformer.get_input_embeddings().weight.shape[1])
    if width != len(pva.word):
        raise ValueError(
            f"clip has tokens {width} wide, the word of {pva.name} is {len(pva.word)} wide. {_needs(pva)}"
        )


def _needs(pva: PVA) -> str:
    return f"Connect the clip of the inpainting checkpoint that {pva.base.name} was made for."


def prompt_tokens(clip: Any, word: torch.Tensor, text: str) -> dict[str, Any]:
    """The host's tokens of the text, with the word [width] at the first `<new1>`, zeros at others."""
    count = text.count(PLACEHOLDER)
    if count == 0:
        log.warning(
            "Encode PVA Prompt: the text has no %s, so the person's own word is not in it.", PLACEHOLDER
        )
        return dict(clip.tokenize(text))
    if count > 1:
        log.warning("Encode PVA Prompt: %s counts only at its first place.", PLACEHOLDER)
    stand_in, number = _stand_in(clip, text.replace(PLACEHOLDER, " "))
    tokens = clip.tokenize(text.replace(PLACEHOLDER, f" {stand_in} "))
    vectors = iter([word, *[torch.zeros_like(word)] * (count - 1)])

    def replaced(entry: tuple[Any, ...]) -> tuple[Any, ...]:
        return (next(vectors), *entry[1:]) if _is(entry[0], number) else entry

    return {kind: [[replaced(entry) for entry in row] for row in rows] for kind, rows in tokens.items()}


def _stand_in(clip: Any, rest: str) -> tuple[str, int]:
    """A word that the rest of the text does not have, and its number."""
    used = [entry[0] for rows in clip.tokenize(rest).values() for row in rows for entry in row]
    for word, number in _STAND_INS.items():
        if not any(_is(token, number) for token in used):
            return word, number
    raise ValueError(f"text has all of the words {', '.join(_STAND_INS)}: leave one of them out.")


def _is(token: Any, number: int) -> bool:
    return not isinstance(token, torch.Tensor) and int(token) == number
