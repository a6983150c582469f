"""The five points of faces, placed by hand. A text says where: people write it, and so does the page.

    [
     {"face": 0, "points": [[202, 106], [250, 107], [226, 128], [207, 149], [246, 150]]},
     {"picture": 2, "points": [[90.5, 80], [130, 80], [110, 104], [94, 125], [127, 125]]}
    ]

A list of faces. `points`: x, y in pixels of the picture, for the eye at the left of the picture, the eye
at the right, nose, mouth corner at the left, mouth corner at the right; `[]` is no face. `picture`: its
place in the batch, counted from 0; without it the first. `face`: which of that picture's faces was moved
there, counted from 0: score and box come from it; without it the face is new.

A picture that the list names holds the faces of the list, no others. A picture that it does not name
keeps its own, so an empty text changes nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..values import Face, Faces
from .align import TEMPLATE, similarity, transform
from .pixels import check_image
from .policy import pictures

log = logging.getLogger(__name__)

POINTS = (
    "the eye at the left",
    "the eye at the right",
    "the nose",
    "the mouth corner at the left",
    "the mouth corner at the right",
)
#: A new face: its box lies around the points as detectors' boxes do (median of eleven faces).
_NEW = Face(torch.tensor([15.5, 11.0, 96.5, 120.0]), TEMPLATE)
_KEYS = ("points", "picture", "face")
#: The text holds hundredths of a pixel; a face that is moved by less was not moved.
_DIGITS, _SAME = 2, 0.01
_LARGEST = 1e6
#: Pixels a side of what the page shows, half of it for more pictures than so many: each is a file.
_LONGEST, _MANY = 1024, 16
_HELP = (
    'Write a list of faces such as [{"points": [[x, y], [x, y], [x, y], [x, y], [x, y]]}], or nothing to '
    "keep the faces as they are."
)


@dataclass(frozen=True)
class Placed:
    """One entry of the text; see the head of this file. points holds five pairs or none."""

    points: tuple[tuple[float, float], ...]
    picture: int | None = None
    face: int | None = None


def canvas(faces: Faces | None, image: torch.Tensor | None, width: int, height: int) -> Faces:
    """What the points are placed on: `faces`, else the pictures of an IMAGE, else black ones' size.

    image [B, H, W, C]; width, height in pixels. The last two hold no face. Raises ValueError for a bad
    image.
    """
    if faces is not None:
        if image is not None:
            log.info("Edit Keypoints does not use image: the faces bring their own pictures.")
        return faces
    if image is None:
        # One black pixel, shown everywhere: 16384 x 16384 of their own take 3.2 GB.
        image = torch.zeros(1, 1, 1, 3).expand(1, height, width, 3)
    return Faces(check_image(image), ((),) * image.shape[0])


def edit_keypoints(faces: Faces, text: str) -> Faces:
    """`faces` with the points that `text` places; see the head of this file.

    A face that was moved loses its landmarks and embeddings: they no longer hold. Raises ValueError
    naming the entry.
    """
    named: dict[int, list[Face]] = {}
    for number, entry in enumerate(parse_keypoints(text)):
        index = _index_of(faces, entry, number)
        found = named.setdefault(index, [])
        if entry.points:
            found.append(_place(entry, faces.faces[index], faces.size, number))
    edited = faces.with_faces([named.get(i, found) for i, found in enumerate(faces.faces)])
    if edited.count == 0:
        log.warning("Edit Keypoints passes on no face: none came in, and none was placed.")
    return edited


def parse_keypoints(text: str) -> tuple[Placed, ...]:
    """The entries of a text; none for an empty one. Raises ValueError saying what is wrong and where."""
    if not text.strip():
        return ()
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"keypoints is not JSON: {error}. {_HELP}") from error
    if not isinstance(entries, list):
        raise ValueError(f"keypoints must be a list of faces, not {_kind(entries)}. {_HELP}")
    return tuple(_entry(entry, number) for number, entry in enumerate(entries))


def _entry(entry: Any, number: int) -> Placed:
    what = f"keypoints: face {number} of the list (counted from 0)"
    if not isinstance(entry, dict):
        raise ValueError(f"{what} is {_kind(entry)}. {_HELP}")
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise ValueError(f"{what} has {', '.join(map(repr, unknown))}. A face has points, picture and face.")
    for key in ("picture", "face"):
        value = entry.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"{what}: {key} must be a whole number from 0, not {value!r}.")
    points = entry.get("points")
    if not isinstance(points, list) or len(points) not in (0, len(POINTS)):
        given = f"{len(points)} points" if isinstance(points, list) else f"{_kind(points)} for points"
        raise ValueError(f"{what} has {given}; five are needed, or [] for no face. {_HELP}")
    for name, point in zip(POINTS, points, strict=False):
        if not (isinstance(point, list) and len(point) == 2 and all(map(_is_number, point))):
            raise ValueError(f"{what}: {name} must be two numbers [x, y], not {json.dumps(point)}.")
    return Placed(tuple((float(x), float(y)) for x, y in points), entry.get("picture"), entry.get("face"))


def _is_number(value: Any) -> bool:
    # NaN fails the comparison.
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _kind(value: Any) -> str:
    kinds = {dict: "an object {...}", list: "a list [...]", str: "a text", type(None): "nothing"}
    return kinds.get(type(value), repr(value))


def _index_of(faces: Faces, entry: Placed, number: int) -> int:
    """Where in `faces` the picture of an entry is."""
    if entry.picture is None and faces.indices:
        return 0
    if entry.picture not in faces.indices:
        there = f"the faces come from {pictures(faces.indices)}" if faces.indices else "every one was skipped"
        raise ValueError(
            f"keypoints: face {number} of the list is for picture {entry.picture or 0}, but {there}. "
            "Change picture, or empty the text to start again from the faces as they are."
        )
    return faces.indices.index(entry.picture)


def _place(entry: Placed, found: Sequence[Face], size: tuple[int, int], number: int) -> Face:
    points = torch.tensor(entry.points, dtype=torch.float32)
    _check_points(points, size, number)
    if entry.face is None:
        return _moved(_NEW, points)
    if entry.face >= len(found):
        raise ValueError(
            f"keypoints: face {number} of the list moves the picture's face {entry.face}, but it has "
            f'{len(found)} (counted from 0). Take "face" out of the text, or empty the text to start again '
            "from the faces as they are."
        )
    source = found[entry.face]
    if torch.allclose(points, source.keypoints, rtol=0, atol=_SAME):
        return source
    return _moved(source, points)


def _check_points(points: torch.Tensor, size: tuple[int, int], number: int) -> None:
    """Points [5, 2] may leave the picture, but not by more than its own size."""
    width, height = size
    for name, (x, y) in zip(POINTS, points.tolist(), strict=True):
        if not (-width <= x <= 2 * width and -height <= y <= 2 * height):
            raise ValueError(
                f"keypoints: face {number} of the list has {name} at {x:g}, {y:g}, far outside the picture "
                f"of {width} x {height}. Were the points made for a larger one?"
            )
    if float((points.amax(dim=0) - points.amin(dim=0)).max()) < 1:
        raise ValueError(
            f"keypoints: the points of face {number} of the list all lie within a pixel. They are counted "
            f"in pixels of the picture of {width} x {height}, not from 0 to 1."
        )


def _moved(source: Face, points: torch.Tensor) -> Face:
    """`source` with other points [5, 2]; its box is turned, scaled and shifted with them, and holds them."""
    matrix = similarity(source.keypoints, points)
    scale = float(torch.linalg.det(matrix[:, :2]).clamp(min=0).sqrt())
    corners = source.box.to(torch.float64).reshape(2, 2)
    centre = transform(matrix, corners.mean(dim=0, keepdim=True))[0].to(torch.float32)
    half = (source.box[2:] - source.box[:2]) * (scale / 2)
    low = torch.minimum(centre - half, points.amin(dim=0))
    high = torch.maximum(centre + half, points.amax(dim=0))
    return Face(torch.cat([low, high]), points, source.score)


def keypoints_text(faces: Faces) -> str:
    """All points of `faces` as a text that gives them again, on any pictures of that size."""
    lines = []
    for place, found in zip(faces.indices, faces.faces, strict=True):
        where = {} if place == faces.indices[0] else {"picture": place}
        lines += [json.dumps({**where, "points": five}) for five in _rounded(found) or [[]]]
    return "[\n " + ",\n ".join(lines) + "\n]" if lines else "[]"


def page_data(faces: Faces, edited: Faces) -> list[dict[str, Any]]:
    """What the widget needs of each picture: its place, size in pixels, points before and after."""
    width, height = faces.size
    return [
        {"picture": place, "width": width, "height": height, "found": _rounded(old), "placed": _rounded(new)}
        for place, old, new in zip(faces.indices, faces.faces, edited.faces, strict=True)
    ]


def _rounded(found: Sequence[Face]) -> list[list[list[float]]]:
    return [[[round(v, _DIGITS) for v in point] for point in face.keypoints.tolist()] for face in found]


def page_pictures(images: torch.Tensor) -> torch.Tensor:
    """An IMAGE [B, H, W, C] for the page: RGB, at most 1024 pixels a side, 512 of a large batch."""
    pixels = images.expand(-1, -1, -1, 3) if images.shape[-1] == 1 else images[..., :3]
    longest = _LONGEST if len(pixels) <= _MANY else _LONGEST // 2
    scale = longest / max(pixels.shape[1:3])
    if scale >= 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[1:3]]
    if pixels.stride()[1:3] == (0, 0):
        return pixels[:, : size[0], : size[1]]  # one pixel, as canvas() has it: nothing to compute
    planes = pixels.to(torch.float32).movedim(-1, 1)
    return torch.nn.functional.interpolate(planes, size, mode="area").movedim(1, -1)
