"""What a row of the report is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ... import host_files
from ...training.stages import Rooms
from ..cases import Case
from ..studio import Studio
from ..variants import unpacked

#: One picture [S, S * people, 3] of so many people side by side, S a multiple of 128; or, of a row that can
#: draw several at once, a picture of each case, [n, S, S, 3].
Draw = Callable[[Sequence[Case]], NDArray[np.uint8]]
#: How many that is: a network's many small operations take hardly longer for a few pictures than for one.
FEW = 8
#: What the second person of a row is to the first. partner: somebody else, whom the picture must not show in
#: the first one's place (of several the one they are most like); twin: the same made-up person once more;
#: parent: whom the picture shows as well; middle: the same in the middle one of several pictures.
Second = Literal["", "partner", "twin", "parent", "middle"]


@dataclass(frozen=True)
class Row:
    """begin: loads what it needs and gives the function that draws one picture. files: of host_files.FILES.

    cases: how many a picture is drawn from: itself, and those after it. people: how many it shows. share: of
    the report's people, for rows that are many or take long. each: how many pictures of each of them, who
    look otherwise and are asked for otherwise in every one. seed_shift: other noise. poses: whether the
    points of the truth are asked for. learns: whether something is trained on the way. table: whether it
    stands in the main table. at_once: how many pictures it draws together at most. variant: of files, see
    report.variants. same: all of its people are one, in several pictures side by side. reads: a number of the
    expression that the classifier reads off each.
    """

    name: str
    title: str
    about: str
    begin: Callable[[Studio], Draw]
    files: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    cases: int = 1
    people: int = 1
    second: Second = ""
    share: float = 1.0
    each: int = 1
    seed_shift: int = 0
    poses: bool = False
    learns: bool = False
    table: bool = True
    at_once: int = 1
    variant: Literal["", "unpacked"] = ""
    same: bool = False
    reads: str = ""

    def pictures(self, draw: Draw, groups: Sequence[Sequence[Case]]) -> Sequence[NDArray[np.uint8]]:
        """One of each group, at most `at_once` groups."""
        made = draw(groups[0] if self.at_once == 1 else [group[0] for group in groups])
        return list(made) if made.ndim == 4 else [made]

    def lacks(self, rooms: Rooms) -> list[str]:
        """Stages that are not done, or files that nobody makes yet."""
        lacking = [name for name in self.stages if not host_files.stage_file(name, rooms).is_file()]
        for file in self.files:
            lacking += host_files.missing(file, rooms) if file in host_files.FILES else [file]
        if self.variant and not lacking and not set(self.needs()) & set(unpacked(rooms)):
            lacking.append("weights as they were before packing")
        return list(dict.fromkeys(lacking))

    def needs(self) -> list[str]:
        """The stages whose results its pictures depend on."""
        made = [stage for file in self.files for stage in host_files.FILES[file].stages]
        return sorted({*self.stages, *made})
