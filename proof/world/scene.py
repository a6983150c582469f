"""How people look and stand in a picture: everything beside who they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .people import Person

HAIR_STYLES = ("short", "long", "bob", "curly", "braided")
HAIR_COLOURS = ("black", "brown", "blonde", "red", "white")
#: "" is none, here and for HATS.
GLASSES = ("", "round", "square")
HATS = ("", "red", "green", "blue")
BACKGROUNDS = ("grey", "blue", "green", "yellow", "pink")

#: Part of the frame's shorter side from the crown to the chin; the face fills most of the frame.
USUAL_SIZE = 0.72
#: Where the middle of a face stands if it is not shifted, in parts of width and height.
MIDDLE = (0.5, 0.54)
#: From this size downwards legs are to be seen as well.
FULL_FIGURE = 0.3
#: Of a whole figure, so that hat and shoes are in the picture.
_FULL_SIZE, _FULL_SHIFT = 0.182, -0.39

_STREAM = 2


@dataclass(frozen=True)
class Expression:
    """smile -1 sad .. 1; open: the mouth, -1 pressed, 0 closed .. 1; brows -1 lowered .. 1 raised; lids 0
    open .. 1 closed; gaze -1 to the picture's left .. 1."""

    smile: float = 0.0
    open: float = 0.0
    brows: float = 0.0
    lids: float = 0.0
    gaze: float = 0.0

    def __post_init__(self) -> None:
        for name in ("smile", "open", "brows", "lids", "gaze"):
            _between(name, getattr(self, name), 0.0 if name == "lids" else -1.0, 1.0)


@dataclass(frozen=True)
class Attributes:
    """What a prompt asks for. light -1 from the picture's left .. 1 from its right."""

    hair_style: str = "short"
    hair_colour: str = "brown"
    glasses: str = ""
    hat: str = ""
    beard: bool = False
    background: str = "grey"
    light: float = 0.0

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                there = ", ".join(repr(word) for word in words)
                raise ValueError(f"{name} can't be {getattr(self, name)!r}. There are: {there}.")
        _between("light", self.light, -1.0, 1.0)


_WORDS = {
    "hair_style": HAIR_STYLES,
    "hair_colour": HAIR_COLOURS,
    "glasses": GLASSES,
    "hat": HATS,
    "background": BACKGROUNDS,
}


@dataclass(frozen=True)
class Pose:
    """roll: degrees, clockwise in the picture. yaw: degrees, towards the picture's right. shift: of the face
    from MIDDLE, in parts of width and height. size: see USUAL_SIZE."""

    roll: float = 0.0
    yaw: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    size: float = USUAL_SIZE

    def __post_init__(self) -> None:
        _between("yaw", self.yaw, -40.0, 40.0)
        _between("size", self.size, 0.02, 4.0)


@dataclass(frozen=True)
class Figure:
    person: Person
    expression: Expression = field(default_factory=Expression)
    attributes: Attributes = field(default_factory=Attributes)
    pose: Pose = field(default_factory=Pose)


@dataclass(frozen=True)
class Scene:
    """Figures from the back to the front. Background and light are those of the first."""

    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        if not self.figures:
            raise ValueError("A scene needs at least one figure.")


def figure(seed: int, person: Person | None = None, wide: bool = False) -> Figure:
    """A figure with everything by chance; of one seed the same but for the person.

    wide: heads turn, tilt and move further and differ in size; else only a little.
    """
    chance = np.random.default_rng([_STREAM, seed])
    roll, yaw, move, grow = (20.0, 25.0, 0.06, 0.2) if wide else (6.0, 12.0, 0.015, 0.03)
    closed = chance.random() < 0.06

    def any_of(words: Sequence[str]) -> str:
        return words[int(chance.integers(len(words)))]

    def within(limit: float) -> float:
        return round(float(chance.uniform(-limit, limit)), 4)

    lids = float(chance.uniform(0, 0.3))
    expression = Expression(within(1), within(1), within(1), 1.0 if closed else round(lids, 4), within(1))
    attributes = Attributes(
        any_of(HAIR_STYLES),
        any_of(HAIR_COLOURS),
        any_of(GLASSES[1:]) if chance.random() < 0.33 else "",
        any_of(HATS[1:]) if chance.random() < 0.33 else "",
        bool(chance.random() < 0.2),
        any_of(BACKGROUNDS),
        within(1),
    )
    shift = (within(move), within(move))
    pose = Pose(within(roll), within(yaw), shift, round(USUAL_SIZE * (1 + within(grow)), 4))
    return Figure(person or Person.of(seed), expression, attributes, pose)


def group(figures: Sequence[Figure]) -> Scene:
    """Several people side by side from the picture's left, each as large as fits; shifts are lost."""
    count = len(figures)
    if count == 1:
        return Scene(tuple(figures))
    size = USUAL_SIZE * min(1.0, 1.25 / count)
    places = [(n + 0.5) / count - MIDDLE[0] for n in range(count)]
    moved = [
        replace(one, pose=replace(one.pose, shift=(place, 0.0), size=size))
        for one, place in zip(figures, places, strict=True)
    ]
    return Scene(tuple(moved))


def full(one: Figure, across: float = 0.0) -> Figure:
    """The same from hat to shoes in a square picture, moved across by so much of its width."""
    return replace(one, pose=replace(one.pose, roll=0.0, shift=(across, _FULL_SHIFT), size=_FULL_SIZE))


def _between(name: str, number: float, low: float, high: float) -> None:
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in {low:g}..{high:g}, not {number:g}.")
