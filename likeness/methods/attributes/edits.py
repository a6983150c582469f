"""Edits as text, a line each: `man: person_age = 1.5`. web/js/sliders/edits.js reads and writes the same."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ...choices.attributes import LARGEST_SCALE
from .apply import Edit
from .value import Attribute

_FORM = "Write `subject: attribute = scale`, such as `man: person_age = 1.5`"
_COUNTED = re.compile(r"(.+?)\s*#\s*(\d+)")


def read_edits(text: str, attributes: Sequence[tuple[str, Attribute]]) -> list[Edit]:
    """The edits of a text, a line each; empty lines are left out.

    attributes: the connected ones by their sockets, `attribute_0`, ... In a line stands an attribute's name,
    or the number of its socket. `man #2: ...` is the second man of the prompt alone. Raises ValueError
    naming the line.
    """
    return [_edit(line.strip(), attributes) for line in text.splitlines() if line.strip()]


def _edit(line: str, attributes: Sequence[tuple[str, Attribute]]) -> Edit:
    left, equals, scale = line.rpartition("=")
    subject, colon, name = (part.strip() for part in left.rpartition(":"))
    if not equals or not colon or not subject or not name:
        raise ValueError(f"edits: the line {line!r} is no edit. {_FORM}.")
    counted = _COUNTED.fullmatch(subject)
    if counted:
        subject = counted[1]
    return Edit(
        subject,
        _chosen(line, name, attributes),
        _scale(line, scale.strip()),
        occurrence=int(counted[2]) if counted else 0,
    )


def _scale(line: str, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        raise ValueError(f"edits: {text!r} in the line {line!r} is no number. {_FORM}.") from None
    if not math.isfinite(scale) or abs(scale) > LARGEST_SCALE:
        raise ValueError(
            f"edits: the scale of the line {line!r} must be between {-LARGEST_SCALE:g} and {LARGEST_SCALE:g}."
        )
    return scale


def _chosen(line: str, name: str, attributes: Sequence[tuple[str, Attribute]]) -> Attribute:
    found = [attribute for socket, attribute in attributes if name in (attribute.name, _number(socket))]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"edits: {len(found)} connected attributes are called {name!r}. Write the number of the socket "
            f"in the line {line!r}, such as {_number(attributes[0][0])}."
        )
    there = ", ".join(f"{attribute.name} ({_number(socket)})" for socket, attribute in attributes) or "none"
    raise ValueError(
        f"edits: no connected attribute is called {name!r} (line {line!r}). Connected: {there}. Load it with "
        "Load Attribute and connect it."
    )


def _number(socket: str) -> str:
    return socket.rpartition("_")[2]
