"""A direction added to the rows of a subject's words. Spec: conditioning.md 1.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...text import Columns, Match, Prompt, check_made_from, split_at
from ...values import Conditioning
from .value import Attribute


@dataclass(frozen=True)
class Edit:
    """How far an attribute moves a subject. match, occurrence: as in text.rows_of."""

    subject: str
    attribute: Attribute
    scale: float
    match: str = "word"
    occurrence: int = 0


def apply(
    conditioning: Conditioning, prompt: Prompt, edits: Sequence[Edit], delay: float = 0.0
) -> tuple[Conditioning, str]:
    """The conditioning with all edits from `delay` (a part of the schedule) on, and what was matched.

    prompt: of the text that was encoded. Every token of a subject gets the whole direction; other rows, the
    pooled output and all facts stay as they are. Where every scale is 0, nothing changes and nothing is cut
    in time. Raises ValueError for a text that was not encoded, a subject that is not in it, or a direction
    of other encoders.
    """
    check_made_from(conditioning, prompt)
    found = [(edit, prompt.rows_of(edit.subject, edit.match, edit.occurrence)) for edit in edits]
    fitting = [_fitting(prompt.columns, edit.attribute) for edit in edits]
    lines = [
        _line(edit, match, columns)
        for (edit, matches), columns in zip(found, fitting, strict=True)
        for match in matches
    ]
    if all(edit.scale == 0 for edit in edits):
        return [[tensor, dict(facts)] for tensor, facts in conditioning], "\n".join(lines)
    before, after = split_at(conditioning, delay)
    for entry in after:
        moved = entry[0].clone()
        for (edit, matches), columns in zip(found, fitting, strict=True):
            move(moved, columns, [row for match in matches for row in match.rows], edit.attribute, edit.scale)
        entry[0] = moved
    return before + after, "\n".join(lines)


def move(
    rows_of_words: torch.Tensor,
    columns: Sequence[Columns],
    rows: Sequence[int],
    attribute: Attribute,
    scale: float,
) -> None:
    """Adds scale times the direction to rows of a tensor [..., L, width], in place and in its own dtype."""
    if scale == 0:
        return  # adding zeros would turn -0 into 0
    there = list(dict.fromkeys(rows))
    for one in columns:
        step = scale * attribute.vectors[one.name]
        rows_of_words[..., there, one.start : one.stop] += step.to(rows_of_words.device, rows_of_words.dtype)


def _fitting(columns: Sequence[Columns], attribute: Attribute) -> list[Columns]:
    """The encoders that the attribute has a direction for."""
    sizes = {encoder: len(vector) for encoder, vector in attribute.vectors.items()}
    fitting = [one for one in columns if sizes.get(one.name) == one.stop - one.start]
    if not fitting:
        has = ", ".join(f"{encoder} ({size} wide)" for encoder, size in sizes.items())
        wants = ", ".join(f"{one.name} ({one.stop - one.start} wide)" for one in columns)
        raise ValueError(
            f"attribute {attribute.name} has directions for {has}, this clip's text encoders are {wants}. "
            "Take an attribute that was made for this kind of checkpoint."
        )
    return fitting


def _line(edit: Edit, match: Match, columns: Sequence[Columns]) -> str:
    rows = ", ".join(map(str, match.rows))
    encoders = " and ".join(one.name for one in columns)
    return f"{match.text!r} (rows {rows}): {edit.scale:+g} {edit.attribute.name} in {encoders}"
