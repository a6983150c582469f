"""Unwanted words taken out of a CONDITIONING. Spec: conditioning.md 3.1, 3.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...attention import Use
from ...choices.projection import ALL, ENCODERS, JOINT, ROWS, WORDS
from ...text import Prompt, check_made_from, encode, read, split_at
from ...text.filled import filled
from ...values import Conditioning
from .basis import basis, project_out
from .report import Taken, write
from .unwanted import Unwanted, find


@dataclass(frozen=True)
class Projection:
    """rows: of which rows words are taken (ALL: every one but the start's; WORDS). encoders: JOINT columns or
    SEPARATE ones. rank: so many of the strongest directions, 0 for all. centre: without what rows have in
    common with those of the empty prompt. Raises ValueError for unknown choices.
    """

    rows: str = ALL
    encoders: str = JOINT
    rank: int = 0
    centre: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("rows", ROWS), ("encoders", ENCODERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}.")


def project(
    conditioning: Conditioning, clip: Any, unwanted: str, use: Use, how: Projection, text: str = ""
) -> tuple[Conditioning, str]:
    """(CONDITIONING without what `unwanted` points to, a report). use.weight: 0 nothing to 1 all of it.

    text: what the CONDITIONING was made from; then `unwanted` (words, separated by commas or lines) are
    looked for in it, and only where it has none of them is it a prompt of its own. Outside of start to end
    the CONDITIONING stays. Pooled outputs stay. Raises ValueError for words that are not there, a text or
    clip that did not make the CONDITIONING, a strength that is not from 0 to 1.
    """
    if not 0 <= use.weight <= 1:
        raise ValueError(f"strength must be from 0 to 1, not {use.weight}: more would turn the words around.")
    if how.rows == WORDS and not text.strip():
        raise ValueError(
            "rows is words: give the conditioning's own text in text, so that its words are known."
        )
    if use.weight == 0 or use.nothing("Project Out"):
        return conditioning, "Nothing was taken out: strength is 0, or start equals end."
    whole = read(clip, text) if text.strip() else None
    empty = read(clip, "")
    check_made_from(conditioning, whole or empty)
    if whole is None and len(empty.tokens) > len(empty.columns):
        raise ValueError(
            "clip has an encoder whose rows follow those of the words: give the conditioning's own text in "
            "text, so that they are told apart."
        )
    nothing = encode(clip, empty)[0][0][0, : empty.length] if how.centre else None
    source = find(clip, unwanted, whole, nothing)
    blocks = _blocks(empty, how.encoders)
    before, rest = split_at(conditioning, use.start)
    inside, after = split_at(rest, use.end)
    changed: Conditioning = []
    first: Taken | None = None
    for tensor, facts in inside:
        rows = _rows(how.rows, whole, int(tensor.shape[1]), empty.length)
        made = tensor.clone()
        for item in range(len(made)):
            taken = _taken(tensor[item], rows, blocks, source, how.rank, use.weight)
            made[item] = taken.made
            first = first or taken
        changed.append([made, dict(facts)])
    never = "Nothing was taken out: no prompt acts from start to end."
    report = never if first is None else write(first, source, how.encoders)
    return [*before, *changed, *after], report


def _blocks(prompt: Prompt, encoders: str) -> list[tuple[int, int]]:
    """Columns that are one space."""
    if encoders == JOINT:
        return [(0, prompt.columns[-1].stop)]
    return [(one.start, one.stop) for one in prompt.columns]


def _rows(which: str, whole: Prompt | None, length: int, section: int) -> list[int]:
    """The rows that change; what other nodes put behind the prompt's sections never does."""
    if which == WORDS and whole is not None:
        return filled(whole.tokens[whole.columns[0].key])
    stop = length // section * section if whole is None else whole.length
    return [row for row in range(stop) if row % section]


def _taken(
    x: Tensor, rows: list[int], blocks: Sequence[tuple[int, int]], source: Unwanted, rank: int, alpha: float
) -> Taken:
    """One prompt [L, W] without what points to the unwanted."""
    made, found = x.clone(), source.rows(x)
    ranks = []
    for start, stop in blocks:
        v = basis(found[:, start:stop], rank)
        made[rows, start:stop] = project_out(x[rows, start:stop], v, alpha)
        ranks.append(int(v.shape[1]))
    columns = slice(blocks[0][0], blocks[-1][1])
    return Taken(made, tuple(rows), tuple(ranks), len(found), x[rows, columns], made[rows, columns])
