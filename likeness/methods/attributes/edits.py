"""Attributes' edits as text: which words, which attribute, how far."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...choices.attributes import LARGEST_SCALE
from ...text import edits
from .apply import Edit
from .value import Attribute

_FORM = edits.Form(
    example="Write `subject: attribute = scale`, such as `man: person_age = 1.5`",
    thing="attribute",
    things="attributes",
    load="Load Attribute",
    amount="scale",
    largest=LARGEST_SCALE,
)
_COUNTED = re.compile(r"(.+?)\s*#\s*(\d+)")


def read_edits(text: str, attributes: Sequence[tuple[str, Attribute]]) -> list[Edit]:
    """The edits of a text, a line each; empty lines are left out.

    attributes: the connected ones by their sockets, `attribute_0`, ... In a line stands an attribute's name,
    or the number of its socket. `man #2: ...` is the second man of the prompt alone. Raises ValueError
    naming the line.
    """
    return [_edit(line, attributes) for line in edits.lines(text, _FORM)]


def _edit(line: edits.Line, attributes: Sequence[tuple[str, Attribute]]) -> Edit:
    counted = _COUNTED.fullmatch(line.where)
    return Edit(
        counted[1] if counted else line.where,
        edits.meant(line, attributes, _FORM),
        edits.amount(line, _FORM),
        occurrence=int(counted[2]) if counted else 0,
    )
