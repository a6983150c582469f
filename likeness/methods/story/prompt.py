"""A story as prompts: one text says who it is and what happens in all frames; in each one frame is loud.

Spec: conditioning.md 2.1 to 2.3.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ... import host
from ...text import Columns, columns_of
from ...text.filled import filled
from ...values import Conditioning
from .reweight import Reweighting, expressed
from .windows import fitting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Story:
    """positives: a CONDITIONING for each frame. prompts: what was encoded for it, to be typed into a prompt.

    identity_tokens: rows of a prompt that say who it is, with the start token.
    """

    positives: tuple[Conditioning, ...]
    prompts: tuple[str, ...]
    identity_tokens: int


@dataclass(frozen=True)
class _Words:
    """Texts with their numbers of tokens."""

    texts: tuple[str, ...]
    counts: tuple[int, ...]


def tell(
    clip: Any,
    identity: str,
    frames: str,
    how: Reweighting | None = None,
    window: int = 10,
    identity_copies: int = 0,
) -> Story:
    """The prompts of a story. frames: a line each. identity_copies: so many copies of the identity's rows go
    behind each prompt, which holds the identity without a change to the MODEL.

    Signs of weights are read as they are: (fox:1.2) is no stress here. Raises ValueError for a CLIP other
    than SD1.5's or SDXL's, no identity, no frames, or more tokens than a prompt holds.
    """
    who = " ".join(identity.split())
    lines = [" ".join(line.split()) for line in frames.splitlines() if line.strip()]
    if not who:
        raise ValueError(
            "identity is empty: write who or what the story is about, such as: A photo of a red fox."
        )
    if not lines:
        raise ValueError("frames is empty: write a line for each picture.")
    if identity_copies < 0:
        raise ValueError(f"identity_copies must be 0 or more, not {identity_copies}.")
    if any(re.search(r"\([^()]*:[\d.]+\)", line) for line in (who, *lines)):
        log.warning("Story Prompt: weights such as (word:1.2) are read as they are; stories have none.")
    columns = columns_of(clip)
    m, *counts = (_count(clip, columns, text, what) for text, what in _named(who, lines))
    room = len(host.text.tokens_of(clip, "")[columns[0].key][0]) - 2
    parts = fitting(m, counts, window, room)
    made: dict[int, Conditioning] = {}
    texts: dict[int, str] = {}
    words = _Words(tuple(lines), tuple(counts))
    # Frames that share a prompt share its encoding.
    for part in dict.fromkeys(parts):
        wanted = [frame for frame, other in enumerate(parts) if other == part]
        texts |= dict.fromkeys(wanted, " ".join([who, *(lines[n] for n in part)]))
        prompts = _frames(clip, columns, (who, m), words, part, wanted, how or Reweighting())
        made |= zip(wanted, prompts, strict=True)
    positives = tuple(_with_copies(made[n], m + 1, identity_copies) for n in range(len(lines)))
    return Story(positives, tuple(_typed(texts[n]) for n in range(len(lines))), m + 1)


def _named(who: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield who, "identity"
    yield from ((line, f"frame {number}") for number, line in enumerate(lines, 1))


def _count(clip: Any, columns: Sequence[Columns], text: str, what: str) -> int:
    """How many tokens a text has, the same in every encoder."""
    tokens = host.text.tokens_of(clip, text, weighted=False)
    found = {len(filled(tokens[one.key])) for one in columns}
    if len(found) > 1:
        raise ValueError(
            f"{what} has other numbers of tokens for the two text encoders: an embedding in it is of "
            "different length for them. Leave it out."
        )
    (count,) = found
    if count == 0:
        raise ValueError(f"{what} has no words: {text!r}. Write some.")
    return count


def _frames(
    clip: Any,
    columns: Sequence[Columns],
    who: tuple[str, int],
    words: _Words,
    part: Sequence[int],
    wanted: Sequence[int],
    how: Reweighting,
) -> Iterator[Conditioning]:
    """The prompts of the frames `wanted`, which share the text of `part`."""
    text = " ".join([who[0], *(words.texts[n] for n in part)])
    tokens = host.text.tokens_of(clip, text, weighted=False)
    total = who[1] + sum(words.counts[n] for n in part)
    if any(len(tokens[one.key]) != 1 or len(filled(tokens[one.key])) != total for one in columns):
        raise ValueError(
            f"The words of {text!r} have other tokens together than one by one. Take special signs out of "
            "identity and frames."
        )
    ends = range(total + 1, len(tokens[columns[0].key][0]))
    rows, first = [], who[1] + 1
    for n in part:
        rows.append(range(first, first + words.counts[n]))
        first += words.counts[n]
    places = [part.index(frame) for frame in wanted]
    entries = host.text.encode(clip, tokens)
    changed = [_expressed(tensor, columns, rows, ends, places, how) for tensor, _ in entries]
    for each in zip(*changed, strict=True):
        yield [[tensor, dict(facts)] for tensor, (_, facts) in zip(each, entries, strict=True)]


def _expressed(
    tensor: Tensor,
    columns: Sequence[Columns],
    rows: Sequence[Sequence[int]],
    ends: Sequence[int],
    places: Sequence[int],
    how: Reweighting,
) -> list[Tensor]:
    """[1, 77, W] for each place in the text, encoder by encoder; rows of other encoders stay."""
    results = [tensor.clone() for _ in places]
    for one in columns:
        x = tensor[0, :, one.start : one.stop]
        for result, changed in zip(results, expressed(x, rows, ends, places, how), strict=True):
            result[0, :, one.start : one.stop] = changed
    return results


def _with_copies(prompt: Conditioning, rows: int, copies: int) -> Conditioning:
    """The identity's rows once more, behind the prompt."""
    if not copies:
        return prompt
    return [[torch.cat([x, *[x[:, :rows]] * copies], dim=1), facts] for x, facts in prompt]


def _typed(text: str) -> str:
    """A text without weights, as it has to be typed where weights are read: with \\ before each bracket."""
    plain = text.replace("\\(", "(").replace("\\)", ")")
    return plain.replace("(", "\\(").replace(")", "\\)")
