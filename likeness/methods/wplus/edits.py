"""Edits of a code: as text, which layers, which direction, how far; and what they make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...choices.wplus import ALL, LARGEST_STRENGTH
from ...text import edits as edit_lines
from .directions import Direction
from .mix import layers_of
from .value import WPlus

_FORM = edit_lines.Form(
    example=f"Write `layers: direction = strength`, such as `{ALL}: smile = 1.5` or `0-7: smile = 1.5`",
    thing="direction",
    things="directions",
    load="Load W+ Direction",
    amount="strength",
    largest=LARGEST_STRENGTH,
)


@dataclass(frozen=True)
class Edit:
    """How far a direction moves some layers of a code."""

    layers: tuple[int, ...]
    direction: Direction
    strength: float


def read_edits(text: str, directions: Sequence[tuple[str, Direction]]) -> list[Edit]:
    """The edits of a text, a line each; empty lines are left out.

    directions: the connected ones by their sockets, `direction_0`, ... In a line stands a direction's name,
    or the number of its socket. Raises ValueError naming the line.
    """
    return [_edit(line, directions) for line in edit_lines.lines(text, _FORM)]


def edit(wplus: WPlus, edits: Sequence[Edit]) -> WPlus:
    """The codes with all edits, one after the other. Without any, the same value."""
    codes = wplus.codes
    for one in edits:
        codes = one.direction.moved(codes, one.strength, one.layers)
    if codes is wplus.codes:
        return wplus
    made = ", ".join(f"{one.strength:+g} {one.direction.name}" for one in edits)
    return WPlus(codes, f"{wplus.source}; {made}")


def _edit(line: edit_lines.Line, directions: Sequence[tuple[str, Direction]]) -> Edit:
    where = tuple(layers_of(line.where, f"edits, in the line {line.text!r}"))
    return Edit(where, edit_lines.meant(line, directions, _FORM), edit_lines.amount(line, _FORM))
