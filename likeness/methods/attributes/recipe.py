"""What a direction is made from: pairs of phrases, and what stands before them. Spec: conditioning.md 1.3."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Pair:
    """Two phrases that differ in the attribute alone, and the neutral one, which names the subject."""

    positive: str
    negative: str
    neutral: str


def read_pairs(text: str, what: str = "pairs") -> tuple[Pair, ...]:
    """Lines `old man | young man`, or `person with hat | person | person` with the neutral phrase.

    Without one, the neutral phrase is the words that both phrases end with. Empty lines and those that begin
    with # are left out. what: the input, for messages. Raises ValueError naming the line.
    """
    lines = [" ".join(line.split()) for line in text.splitlines()]
    pairs = [_pair(line, what) for line in lines if line and not line.startswith("#")]
    if not pairs:
        raise ValueError(f"{what} holds no pair: write one on a line, such as `old man | young man`.")
    return tuple(pairs)


def read_prefixes(text: str, what: str = "prefixes") -> tuple[str, ...]:
    """What may stand before a phrase: a line each, braces as lists: `a {photo,painting} of a {,beautiful}`.

    Every line gives one prefix for each combination; empty items leave no space behind. Without any line,
    nothing stands before. Raises ValueError for braces that do not close.
    """
    made = [prefix for line in text.splitlines() if line.strip() for prefix in _combined(line, what)]
    return tuple(made) or ("",)


def prompt(prefix: str, phrase: str) -> str:
    """Both with one space between."""
    return f"{prefix} {phrase}".strip()


def _pair(line: str, what: str) -> Pair:
    parts = [part.strip() for part in line.split("|")]
    if len(parts) not in (2, 3) or not all(parts):
        raise ValueError(
            f"{what}: the line {line!r} is no pair. Write `positive | negative`, such as `old man | young "
            "man`, and maybe `| neutral`."
        )
    neutral = parts[2] if len(parts) == 3 else _ending(parts[0].split(), parts[1].split())
    if not neutral:
        raise ValueError(
            f"{what}: the phrases of {line!r} end with different words. End both with the subject, or name "
            "it as a third: `person with hat | person | person`."
        )
    if parts[0] == parts[1]:
        raise ValueError(f"{what}: both phrases of {line!r} are the same.")
    return Pair(parts[0], parts[1], neutral)


def _ending(one: Sequence[str], other: Sequence[str]) -> str:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return " ".join(one[len(one) - count :])


def _combined(line: str, what: str) -> list[str]:
    lists = [found.group(1).split(",") for found in _BRACES.finditer(line)]
    fixed = _BRACES.split(line)[::2]
    if any("{" in part or "}" in part for part in fixed):
        raise ValueError(f"{what}: the braces of {line!r} do not close, or lie in each other.")
    made = []
    for chosen in product(*lists):
        parts = [*(part for both in zip(fixed, chosen, strict=False) for part in both), fixed[-1]]
        made.append(" ".join("".join(parts).split()))
    return made
