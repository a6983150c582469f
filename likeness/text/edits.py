"""Edits as text, a line each: `man: person_age = 1.5`. web/js/sliders/edits.js reads and writes the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Named(Protocol):
    """What an edit may name."""

    @property
    def name(self) -> str: ...


Meant = TypeVar("Meant", bound=Named)


@dataclass(frozen=True)
class Form:
    """How a method's lines are written, for its messages. example: the form, and one; thing, things:
    what may be named, which comes from the node `load`; amount: what the number is called, which goes from
    -largest to largest."""

    example: str
    thing: str
    things: str
    load: str
    amount: str
    largest: float


@dataclass(frozen=True)
class Line:
    """text: the line; where: what stands before the colon; name and number: around the sign of equality."""

    text: str
    where: str
    name: str
    number: str


def lines(text: str, form: Form) -> Iterator[Line]:
    """The lines of a text but the empty ones. Raises ValueError naming one that is no edit."""
    for line in filter(None, map(str.strip, text.splitlines())):
        left, equals, number = line.rpartition("=")
        where, colon, name = (part.strip() for part in left.rpartition(":"))
        if not equals or not colon or not where or not name:
            raise ValueError(f"edits: the line {line!r} is no edit. {form.example}.")
        yield Line(line, where, name, number.strip())


def amount(line: Line, form: Form) -> float:
    """The number of a line. Raises ValueError for none, and for one that is too large."""
    try:
        value = float(line.number)
    except ValueError:
        raise ValueError(
            f"edits: {line.number!r} in the line {line.text!r} is no number. {form.example}."
        ) from None
    if not math.isfinite(value) or abs(value) > form.largest:
        raise ValueError(
            f"edits: the {form.amount} of the line {line.text!r} must be between {-form.largest:g} and "
            f"{form.largest:g}."
        )
    return value


def meant(line: Line, connected: Sequence[tuple[str, Meant]], form: Form) -> Meant:
    """Which of those connected, with their sockets `name_0`, ..., a line names: by their name, or by the
    number of the socket. Raises ValueError for none and for several."""
    found = [one for socket, one in connected if line.name in (one.name, _number(socket))]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"edits: {len(found)} connected {form.things} are called {line.name!r}. Write the number of the "
            f"socket in the line {line.text!r}, such as {_number(connected[0][0])}."
        )
    there = ", ".join(f"{one.name} ({_number(socket)})" for socket, one in connected) or "none"
    raise ValueError(
        f"edits: no connected {form.thing} is called {line.name!r} (line {line.text!r}). Connected: {there}. "
        f"Load it with {form.load} and connect it."
    )


def _number(socket: str) -> str:
    return socket.rpartition("_")[2]
