"""The people of a report: nobody of them was seen in training. Each has a reference and another picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..training.pictures import SIZE
from ..world.captions import Said, caption, said
from ..world.draw import Drawing, draw
from ..world.people import Person
from ..world.scene import Figure, figure

#: Beyond the streams of training and of its measures.
FIRST = 5_000_000
_STRANGERS = FIRST + 500_000
_MORE = FIRST + 600_000
_LOOKS = FIRST + 1_000_000


@dataclass(frozen=True)
class Case:
    """One person: `reference` is what a method is given, `truth` how they look in the picture asked for.

    number: counts from 0. seed_shift: other noise for the same person and prompt. look: the truth, portrait:
    the reference, if others than their usual ones.
    """

    number: int
    seed_shift: int = 0
    look: Figure | None = None
    portrait: Figure | None = None

    @cached_property
    def person(self) -> Person:
        return Person.of(FIRST + self.number)

    @cached_property
    def reference(self) -> Figure:
        return self.portrait or figure(FIRST + 2 * self.number, self.person)

    @cached_property
    def truth(self) -> Figure:
        return self.look or figure(FIRST + 2 * self.number + 1, self.person)

    @cached_property
    def stranger(self) -> Figure:
        """Another person who looks and stands as the truth does."""
        return replace(self.truth, person=Person.of(_STRANGERS + self.number))

    @cached_property
    def reference_drawing(self) -> Drawing:
        return draw(self.reference, SIZE)

    @cached_property
    def truth_drawing(self) -> Drawing:
        return draw(self.truth, SIZE)

    def more(self, count: int) -> list[NDArray[np.uint8]]:
        """Further pictures of the person, for methods that take several."""
        seeds = (_MORE + 8 * self.number + n for n in range(count))
        return [draw(figure(seed, self.person), SIZE).picture for seed in seeds]

    @property
    def prompt(self) -> str:
        """All that there is to say of the truth; who it is has no words."""
        return caption(self.truth)

    @property
    def asked(self) -> Said:
        return said(self.truth)

    @property
    def draw_seed(self) -> int:
        """Of the noise that a picture begins as."""
        return FIRST + self.number + 1_000_003 * self.seed_shift


def cases(count: int, seed_shift: int = 0) -> list[Case]:
    """The first so many; seed_shift: see Case."""
    return [Case(number, seed_shift) for number in range(count)]


def several(case: Case, count: int) -> list[Case]:
    """The person as usual, and in further pictures: they look otherwise there, from other noise."""
    looks = (figure(_LOOKS + 32 * case.number + n, case.person) for n in range(1, count))
    return [case, *(replace(case, seed_shift=n, look=look) for n, look in enumerate(looks, 1))]


def together(group: Sequence[Case]) -> tuple[Case, ...]:
    """The same people side by side in one picture: they share the background and the light of the first."""
    first = group[0].truth.attributes
    made = []
    for case in group:
        worn = replace(case.truth.attributes, background=first.background, light=first.light)
        made.append(replace(case, look=replace(case.truth, attributes=worn)))
    return tuple(made)


def grouped(people: Sequence[Case], size: int, apart: bool) -> list[tuple[Case, ...]]:
    """For pictures of several: disjoint groups, or (not apart) everybody with those after them."""
    if apart:
        whole = len(people) - len(people) % size
        return [tuple(people[place : place + size]) for place in range(0, whole, size)]
    return [tuple(people[(place + n) % len(people)] for n in range(size)) for place in range(len(people))]
