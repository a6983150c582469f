"""Edits as text, a line each: `all: smile = 1.5`. web/js/sliders/edits.js reads and writes the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...choices.wplus import ALL, LARGEST_STRENGTH
from .directions import Direction
from .mix import layers_of
from .value import WPlus

_FORM = f"Write `layers: direction = strength`, such as `{ALL}: smile = 1.5` or `0-7: smile = 1.5`"


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
    return [_edit(line.strip(), directions) for line in text.splitlines() if line.strip()]


def edit(wplus: WPlus, edits: Sequence[Edit]) -> WPlus:
    """The codes with all edits, one after the other. Without any, the same value."""
    codes = wplus.codes
    for one in edits:
        codes = one.direction.moved(codes, one.strength, one.layers)
    if codes is wplus.codes:
        return wplus
    made = ", ".join(f"{one.strength:+g} {one.direction.name}" for one in edits)
    return WPlus(codes, f"{wplus.source}; {made}")


def _edit(line: str, directions: Sequence[tuple[str, Direction]]) -> Edit:
    left, equals, strength = line.rpartition("=")
    layers, colon, name = (part.strip() for part in left.rpartition(":"))
    if not equals or not colon or not layers or not name:
        raise ValueError(f"edits: the line {line!r} is no edit. {_FORM}.")
    where = tuple(layers_of(layers, f"edits, in the line {line!r}"))
    return Edit(where, _chosen(line, name, directions), _strength(line, strength.strip()))


def _strength(line: str, text: str) -> float:
    try:
        strength = float(text)
    except ValueError:
        raise ValueError(f"edits: {text!r} in the line {line!r} is no number. {_FORM}.") from None
    if not math.isfinite(strength) or abs(strength) > LARGEST_STRENGTH:
        raise ValueError(
            f"edits: the strength of the line {line!r} must be between {-LARGEST_STRENGTH:g} and "
            f"{LARGEST_STRENGTH:g}."
        )
    return strength


def _chosen(line: str, name: str, directions: Sequence[tuple[str, Direction]]) -> Direction:
    found = [one for socket, one in directions if name in (one.name, _number(socket))]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"edits: {len(found)} connected directions are called {name!r}. Write the number of the socket "
            f"in the line {line!r}, such as {_number(directions[0][0])}."
        )
    there = ", ".join(f"{one.name} ({_number(socket)})" for socket, one in directions) or "none"
    raise ValueError(
        f"edits: no connected direction is called {name!r} (line {line!r}). Connected: {there}. Load it with "
        "Load W+ Direction and connect it."
    )


def _number(socket: str) -> str:
    return socket.rpartition("_")[2]
