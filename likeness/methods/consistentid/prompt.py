"""Prompts that know the parts of a face. Spec: consistentid_masterweaver.md 1.4, 1.6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...choices.consistentid import MERGE_AT, READINGS, TRAINED
from ...text import Columns, columns_of, moved, normal, read, split_at
from ...text.cut import cut_to_one
from ...text.filled import filled
from ...values import Conditioning
from .features import Features
from .words import NO_CAPTION, SD15, SDXL, Caption, Family, before, behind, caption_of

#: Rows of a section with its start and its end.
_ROOM = 77
_FAMILIES: Mapping[tuple[str, ...], Family] = {("l",): SD15, ("l", "g"): SDXL}


@dataclass(frozen=True)
class Texts:
    """What to draw and what not. caption: a sentence about the face; empty is the authors' own."""

    positive: str
    negative: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Detailed:
    """A prompt with its details. marked: with the released code's markers. rows: of the parts' words. first:
    whether the details stand before the words."""

    text: str
    marked: str
    rows: tuple[int, ...]
    caption: Caption
    first: bool = False


def prompt(
    clip: Any, features: Features, texts: Texts, merge_at: float = MERGE_AT, reading: str = TRAINED
) -> tuple[Conditioning, Conditioning]:
    """(positive, negative): until `merge_at` of the schedule the words alone, then words that know the parts.

    reading: `as trained`, or `as released`: cut to 77 tokens, a long one without its end, and for SDXL the
    second encoder reads the marker as letters. Raises ValueError for another CLIP than the features' model
    has, and for texts in which the details can't be found again.
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {', '.join(READINGS)}, not {reading!r}.")
    columns = columns_of(clip)
    family = _family(columns, features)
    released = reading != TRAINED
    detailed = detail(clip, family, texts, features)
    used = features.only(tuple(part for part, _ in detailed.caption.parts))
    plain_text = texts.positive if family is SDXL or detailed.caption is NO_CAPTION else detailed.text
    plain = _encode(clip, plain_text, released)
    fused = _encode(clip, detailed.text, released, end=False, marked=detailed.marked)
    vectors = torch.stack(list(used.parts.values())) if used.parts else torch.zeros(0, features.width)
    fused = _fused(fused, detailed.rows, vectors, features)
    nothing = features.nothing[None].expand(len(detailed.rows), -1)
    negative = _fused(_encode(clip, texts.negative, released), detailed.rows, nothing, features)
    positive = [*split_at(plain, merge_at)[0], *split_at(fused, merge_at)[1]]
    return (
        moved(positive, "details about a face before the words") if detailed.first else positive
    ), negative


def detail(clip: Any, family: Family, texts: Texts, features: Features) -> Detailed:
    """The prompt with the sentence about the parts that were seen, and the rows of their words."""
    caption = caption_of(texts.caption.strip() or family.caption, features.parts)
    if caption is None:
        return Detailed(texts.positive, texts.positive, (), NO_CAPTION)
    place = behind
    tokens = host.text.tokens_of(clip, place(texts.positive, caption.text, family)[0])["l"]
    # The released code counts its markers, too: a text that would just fit is turned round.
    if len(filled(tokens)) + 2 + len(caption.parts) > _ROOM:
        place = before
    text, start = place(texts.positive, caption.text, family)
    marked, _ = place(texts.positive, caption.marked, family)
    rows = _rows(clip, text, start, caption, last=place is behind)
    return Detailed(text, marked, rows, caption, place is before)


def _rows(clip: Any, text: str, start: int, caption: Caption, last: bool) -> tuple[int, ...]:
    """The row of each part's word: of its last token."""
    if not caption.parts:
        return ()
    words = read(clip, text)
    wanted = normal(caption.text)
    begin = words.text.rfind(wanted) if last else words.text.find(wanted)
    if begin < 0:
        raise ValueError(
            f"The details about the face are not found in what clip reads of {text!r}. Write \\( and \\) for "
            "brackets in the prompt that are no weights."
        )
    rows = []
    for part, end in caption.parts:
        stop = begin + len(normal(caption.text[:end]))
        row = max((span.row for span in words.spans if span.start < stop <= span.end), default=_ROOM)
        if row >= _ROOM:
            raise ValueError(f"caption is too long: its word {part!r} is beyond the first {_ROOM} tokens.")
        rows.append(row)
    return tuple(rows)


def _family(columns: Sequence[Columns], features: Features) -> Family:
    family = _FAMILIES.get(tuple(one.key for one in columns))
    width = columns[-1].stop
    if family is None or width != features.width:
        names = ", ".join(one.name for one in columns)
        raise ValueError(
            f"clip ({names}) makes prompts {width} wide, but features are of {features.tokens.made_with}, "
            f"which takes {features.width}. Take the clip of an SD1.5 or SDXL checkpoint, as the file wants."
        )
    return family


def _encode(
    clip: Any, text: str, released: bool, end: bool = True, marked: str | None = None
) -> Conditioning:
    """A text's CONDITIONING: as the host encodes it, or cut to one section as the released code does."""
    tokens = host.text.tokens_of(clip, text)
    if released:
        if marked is not None and "g" in tokens:
            tokens = {**tokens, "g": host.text.tokens_of(clip, marked)["g"]}
        tokens = {key: cut_to_one(sections, end) for key, sections in tokens.items()}
    return host.text.encode(clip, tokens)


def _fused(
    conditioning: Conditioning, rows: Sequence[int], vectors: torch.Tensor, features: Features
) -> Conditioning:
    """A copy in which these rows know the vectors [rows, width]."""
    if not rows:
        return conditioning
    result: Conditioning = []
    for tensor, facts in conditioning:
        changed = tensor.clone()
        known = features.facial.fuse(tensor[0, list(rows)], vectors)
        changed[:, list(rows)] = known.to(changed)
        result.append([changed, dict(facts)])
    return result
