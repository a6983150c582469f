"""The words for a scene, from a small closed list and always in one order; and back again.

"a smiling person with short red hair and round glasses and green hat and open mouth, blue background, light
from left". Who somebody is has no words. What is not there is not spoken of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .scene import (
    BACKGROUNDS,
    FULL_FIGURE,
    GLASSES,
    HAIR_COLOURS,
    HAIR_STYLES,
    HATS,
    Figure,
    Scene,
)

#: A number of an expression or the light is spoken of from here on.
THRESHOLD = 0.4
#: Lids are closed from here on.
CLOSED = 0.8

_MOODS = {-1: "sad", 0: "neutral", 1: "smiling"}
_SIDES = {-1: "left", 1: "right"}
_MOUTHS = {-1: "pressed", 1: "open"}
_BROWS = {-1: "lowered", 1: "raised"}
_COUNTS = {2: "two", 3: "three", 4: "four"}

_FRAME = (
    "a full figure person people with and hair glasses hat beard mouth brows closed eyes looking background"
)

#: Everything a caption can hold, commas apart.
WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *_FRAME.split(),
            *("light", "from"),
            *(word for words in (_MOODS, _SIDES, _MOUTHS, _BROWS, _COUNTS) for word in words.values()),
            *(
                word
                for words in (HAIR_STYLES, HAIR_COLOURS, GLASSES, HATS, BACKGROUNDS)
                for word in words
                if word
            ),
        ]
    )
)


@dataclass(frozen=True)
class Said:
    """What a caption says of one person: words as in Attributes, "" where unsaid; numbers -1, 0 or 1."""

    mood: int = 0
    full: bool = False
    hair_style: str = ""
    hair_colour: str = ""
    glasses: str = ""
    hat: str = ""
    beard: bool = False
    mouth: int = 0
    brows: int = 0
    closed: bool = False
    gaze: int = 0
    background: str = ""
    light: int = 0


def said(figure: Figure) -> Said:
    """What the whole caption of a figure says."""
    expression, attributes = figure.expression, figure.attributes
    return Said(
        mood=_third(expression.smile),
        full=figure.pose.size <= FULL_FIGURE,
        hair_style=attributes.hair_style,
        hair_colour=attributes.hair_colour,
        glasses=attributes.glasses,
        hat=attributes.hat,
        beard=attributes.beard,
        mouth=_third(expression.open),
        brows=_third(expression.brows),
        closed=expression.lids >= CLOSED,
        gaze=_third(expression.gaze),
        background=attributes.background,
        light=_third(attributes.light),
    )


def caption(what: Scene | Figure, seed: int | None = None, left_out: float = 0.3) -> str:
    """The words for a scene or a figure.

    seed: parts (hair, glasses, ..., background, light; never the mood or the count) are left out by chance,
    each with the probability left_out. None leaves nothing out. Raises ValueError for more people than it can
    count.
    """
    figures = what.figures if isinstance(what, Scene) else (what,)
    chance = None if seed is None else np.random.default_rng([3, seed])

    def kept(part: str) -> str:
        return part if chance is None or chance.random() >= left_out else ""

    return _written([said(figure) for figure in figures], kept)


def write(people: list[Said]) -> str:
    """The caption that says so. Background and light are those of the first."""
    return _written(people, lambda part: part)


def read(text: str) -> tuple[Said, ...]:
    """What a caption says of each person: the inverse of `write`. Raises ValueError for any other text."""
    shared, people = Said(), []
    for part in text.split(", "):
        words = part.split()
        if part.endswith(" background"):
            shared = replace(shared, background=words[0])
        elif part.startswith("light from "):
            shared = replace(shared, light=_number(_SIDES, words[-1]))
        elif not part.endswith(" people"):
            people.append(_read_person(part))
    result = tuple(replace(one, background=shared.background, light=shared.light) for one in people)
    if not result or write(list(result)) != text:
        raise ValueError(f"No caption of the drawn world: {text!r}.")
    return result


def _written(people: list[Said], kept: Callable[[str], str]) -> str:
    count = len(people)
    if count > 1 and count not in _COUNTS:
        raise ValueError(f"A caption counts up to {max(_COUNTS)} people, not {count}.")
    parts = [f"{_COUNTS[count]} people"] if count > 1 else []
    parts += [_person(one, kept) for one in people]
    first = people[0]
    parts += [kept(f"{first.background} background")] if first.background else []
    parts += [kept(f"light from {_SIDES[first.light]}")] if first.light else []
    return ", ".join(part for part in parts if part)


def _person(one: Said, kept: Callable[[str], str]) -> str:
    parts = [f"{one.hair_style} {one.hair_colour} hair"] if one.hair_style else []
    parts += [f"{one.glasses} glasses"] if one.glasses else []
    parts += [f"{one.hat} hat"] if one.hat else []
    parts += ["beard"] if one.beard else []
    parts += [f"{_MOUTHS[one.mouth]} mouth"] if one.mouth else []
    parts += [f"{_BROWS[one.brows]} brows"] if one.brows else []
    parts += ["closed eyes"] if one.closed else []
    parts += [f"eyes looking {_SIDES[one.gaze]}"] if one.gaze else []
    there = " and ".join(part for part in map(kept, parts) if part)
    who = f"a {_MOODS[one.mood]} {'full figure ' if one.full else ''}person"
    return f"{who} with {there}" if there else who


def _read_person(text: str) -> Said:
    who, _, there = text.partition(" with ")
    one = Said(mood=_number(_MOODS, who.split()[1] if " " in who else ""), full=" full figure " in who)
    for part in there.split(" and ") if there else []:
        words = part.split()
        match words[-1]:
            case "hair" if len(words) == 3:
                one = replace(one, hair_style=words[0], hair_colour=words[1])
            case "glasses":
                one = replace(one, glasses=words[0])
            case "hat":
                one = replace(one, hat=words[0])
            case "beard":
                one = replace(one, beard=True)
            case "mouth":
                one = replace(one, mouth=_number(_MOUTHS, words[0]))
            case "brows":
                one = replace(one, brows=_number(_BROWS, words[0]))
            case "eyes":
                one = replace(one, closed=True)
            case _:
                one = replace(one, gaze=_number(_SIDES, words[-1]))
    return one


def _third(number: float) -> int:
    return (number >= THRESHOLD) - (number <= -THRESHOLD)


def _number(words: dict[int, str], word: str) -> int:
    for number, there in words.items():
        if there == word:
            return number
    raise ValueError(
        f"No caption of the drawn world says {word!r} there; it can say {', '.join(words.values())}."
    )
