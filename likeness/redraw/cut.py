"""One face that is wrong, cut out of its picture; and the way back for what is drawn in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from ..choices.redraw import WHOLE_CROP
from ..expressions.measure import Measure, Reading
from ..faces.crops import crop_faces, crop_masks
from ..values import Crops, Face, Faces
from .seam import put_back, room_for
from .settings import Settings


@dataclass(frozen=True, eq=False)
class Task:
    """A face of a picture [1, H, W, C] that shall be `name`. similarity: how like them it is now; like:
    whose of the cast it is rather, or "".

    others: the other faces of the picture, which stay as they are. place [H, W]: the MASK that the person
    belongs into, None for anywhere; what is outside of it stays as it is, too.
    """

    picture: torch.Tensor
    face: Face
    others: Sequence[Face]
    name: str
    similarity: float
    place: torch.Tensor | None = None
    like: str = ""


@dataclass(frozen=True, eq=False)
class Cut:
    """A task's face in its crop. mask [1, S, S]: what is drawn. room [H, W] or None: see seam.room_for."""

    task: Task
    settings: Settings
    align: str
    crops: Crops
    inside: Faces
    mask: torch.Tensor
    room: torch.Tensor | None

    @property
    def face(self) -> Face:
        """In pixels of the crop."""
        return self.inside.faces[0][0]

    @cached_property
    def expression(self) -> Reading | None:
        """Of the old face; None where it can't be read. Once for all tries."""
        return Measure().read(self.inside)[0]

    def pasted(self, drawn: torch.Tensor) -> torch.Tensor:
        """The task's picture with a drawn crop [1, S, S, 3] in its place; a new tensor."""
        how = self.settings
        return put_back(
            self.task.picture, drawn, self.crops, self.mask, self.room, how.seam, how.colour_match
        )

    def again(self, picture: torch.Tensor) -> torch.Tensor:
        """The same crop of another state of the picture, [1, S, S, 3]."""
        single = Faces(picture, ((self.task.face,),))
        return crop_faces(single, self.crops.side, self.settings.margin, self.align)[0].images


def cut(task: Task, settings: Settings, size: int, align: str) -> Cut:
    """size, align: the redraw's; settings.size goes before."""
    single = Faces(task.picture, ((task.face,),))
    crops, inside = crop_faces(single, settings.size or size, settings.margin, align)
    if settings.region == WHOLE_CROP:
        mask = torch.ones(1, crops.side, crops.side)
    else:
        mask = crop_masks(inside, settings.margin, align)
    room = room_for(task.picture, task.face, task.others, crops, settings.seam, task.place)
    return Cut(task, settings, align, crops, inside, mask, room)
