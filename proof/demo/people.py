"""Who the demo shows, and how they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..report.cases import Case
from ..world.scene import Attributes, Expression, Figure, Pose

#: Beyond the people of the report, and like them never seen in training.
PERSON, FRIEND = 100_058, 100_010
_PLAIN = Attributes(hair_style="short", hair_colour="brown")
_FRIENDLY = Attributes(hair_style="long", hair_colour="black", background="blue")


@dataclass(frozen=True)
class Wish:
    """title: what stands under the picture."""

    title: str
    case: Case


def person() -> Case:
    return _case(PERSON, _PLAIN, Expression())


def friend() -> Case:
    return _case(FRIEND, _FRIENDLY, Expression(smile=0.6))


def wishes() -> list[Wish]:
    """Six, each with something that the reference does not have."""
    asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("a red hat", {"hat": "red"}, {}),
        ("round glasses", {"glasses": "round", "background": "green"}, {}),
        ("laughing", {"background": "yellow"}, {"smile": 0.9, "open": 0.8}),
        ("long blonde hair", {"hair_style": "long", "hair_colour": "blonde"}, {"smile": 0.5}),
        ("sad, curly black hair", {"hair_style": "curly", "hair_colour": "black"}, {"smile": -0.9}),
        ("beard and green hat", {"beard": True, "hat": "green", "background": "pink"}, {}),
    ]
    made = []
    for n, (title, worn, shown) in enumerate(asked):
        look = Figure(
            person().person,
            Expression(**shown),
            replace(_PLAIN, **worn),
            Pose(roll=(-3.0, 3.0)[n % 2], yaw=(6.0, -6.0)[n % 2]),
        )
        made.append(Wish(title, replace(person(), look=look, seed_shift=n)))
    return made


def _case(number: int, worn: Attributes, shown: Expression) -> Case:
    own = Case(number).person
    look = Figure(own, shown, worn)
    return Case(number, look=look, portrait=look)
