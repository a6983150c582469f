"""Faces of pictures on the disk: the largest, its mesh, its template, how sharp it is. Needs no host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from likeness.expressions.distance import yaw
from likeness.faces.align import align
from likeness.faces.detect import detect
from likeness.faces.mesh import landmarks
from likeness.faces.mesh_points import five_points
from likeness.faces.models import FaceModels
from likeness.faces.pictures import open_picture
from likeness.faces.recognise import Recogniser, open_recogniser
from likeness.faces.sessions import PROVIDERS
from likeness.faces.template import template
from likeness.values import Face, Faces
from likeness.weights.write import written

#: The side of the aligned face on which sharpness is measured.
_SHARP = 256


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture [H, W, 3] from 0 to 1, its largest face with the mesh on it, and how many faces there are."""

    picture: Tensor
    face: Face
    count: int

    @property
    def faces(self) -> Faces:
        """As everything in the library takes it."""
        return Faces(self.picture[None], ((self.face,),))

    @property
    def yaw(self) -> float:
        """Degrees to the side, an estimate."""
        return 0.0 if self.face.landmarks is None else yaw(self.face.landmarks)

    @property
    def mesh_points(self) -> Tensor:
        """The five points out of the mesh [5, 2], by which templates are aligned."""
        return self.face.keypoints if self.face.landmarks is None else five_points(self.face.landmarks)

    def aligned(self, size: int = 112) -> Tensor:
        """As recognisers see it, [size, size, 3] uint8."""
        return align(_bytes(self.picture), self.face.keypoints, size)

    def template(self) -> Tensor:
        """The expression template, [224, 224, 3] from 0 to 1."""
        return template(self.picture, self.face)[0]

    @property
    def sharpness(self) -> float:
        """Blind quality: the variance of the Laplacian of the aligned face in grey, 0 to 255.

        A face out of focus, or smeared by a swapper, scores low. It knows nothing of beauty.
        """
        grey = self.aligned(_SHARP).float() @ torch.tensor([0.299, 0.587, 0.114])
        kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
        return float(F.conv2d(grey[None, None], kernel).var())


class Looker:
    """Finds faces with the embedded networks, and describes people with a recogniser's file.

    Raises ValueError when that is not there, BrokenModel when it is no recogniser.
    """

    def __init__(self, recogniser: Path | None = None) -> None:
        self._models = FaceModels.open("embedded", "CPU", [])
        self._recogniser: Recogniser | None = None
        if recogniser is not None:
            if not recogniser.is_file():
                raise ValueError(f"--recogniser {recogniser} is not there.")
            name = "sface" if "sface" in recogniser.name else recogniser.stem
            self._recogniser = open_recogniser(name, recogniser, PROVIDERS["CPU"])

    def look(self, path: Path) -> Seen | None:
        """The largest face of a picture, or None. Raises BadPicture."""
        return self.see(read_picture(path))

    def see(self, picture: Tensor) -> Seen | None:
        """As look, of a picture [H, W, 3] from 0 to 1."""
        (found,) = detect(self._models, picture[None]).faces
        if not found:
            return None
        face = max(found, key=lambda one: one.area)
        mesh = landmarks(_bytes(picture), face)
        return Seen(picture, Face(face.box, face.keypoints, face.score, mesh), len(found))

    def describe(self, faces: Sequence[Seen]) -> Tensor:
        """Raw vectors [n, 512] of who they are. Raises ValueError without a recogniser."""
        if self._recogniser is None:
            raise ValueError(
                "--recogniser is needed: an ONNX file of the recogniser the identity is made with."
            )
        return self._recogniser(torch.stack([seen.aligned() for seen in faces]))


def read_picture(path: Path) -> Tensor:
    """[H, W, 3], RGB from 0 to 1, of any shape. Raises BadPicture."""
    import numpy

    return torch.from_numpy(numpy.array(open_picture(path))).float() / 255


def write_picture(picture: Tensor, path: Path) -> None:
    """[H, W, 3] from 0 to 1 as a PNG, there whole or not at all."""
    from PIL import Image

    with written(path) as unfinished:
        Image.fromarray(_bytes(picture.detach().cpu()).numpy()).save(unfinished, format="PNG")


def _bytes(picture: Tensor) -> Tensor:
    return (picture.float() * 255).round().clamp(0, 255).to(torch.uint8)
