"""Scores to look at: a table in words, and a contact sheet with the heat of each score."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..faces.pixels import rgb8
from .calibration import Calibration, explained, told
from .compare import heat_colours, rule_of_thumb
from .consistency import consistency_line
from .copy_paste import EXPLAINED
from .score import Scores
from .sheet import Column, Sheet

_LARGEST, _CELLS = 2048, (32, 256)
_COLUMNS = (
    *(Column("picture", 7), Column("similarity", 10), Column("faces", 5), Column("kept as", 7)),
    Column("one stranger in", 19),
)
_GREY, _INK, _BOX, _KEPT = (160, 160, 160), (0, 0, 0), (0, 255, 0), (0, 160, 60)


def write_table(scores: Scores, calibration: Calibration | None = None) -> str:
    """The best score and what it means, who judged, and a line for each picture. calibration: as in sheet."""
    return sheet(scores, calibration).text()


def sheet(scores: Scores, calibration: Calibration | None = None) -> Sheet:
    """The same as a table.

    calibration: says of how many strangers one reaches each similarity; None is the shipped one.
    """
    recogniser = scores.judge.recogniser
    count = len(scores.similarities)
    if not scores.found.count:
        lines = [f"similarity: no face in any of {count} pictures", scores.judge.says]
    else:
        lines = [
            f"similarity {scores.similarity:.3f} (cosine): picture {scores.kept[0]}, the best of {count}",
            scores.judge.says,
            rule_of_thumb(scores.similarity, recogniser),
        ]
    lines += [
        f"One stranger in: {explained(recogniser, calibration)}",
        *_told_bar(scores),
        *([consistency_line(scores.compared, recogniser)] if count > 1 else []),
        *([EXPLAINED] if scores.axes else []),
    ]
    axes = (Column("to the truth", 12), Column("copy-paste", 10)) if scores.axes else ()
    columns = (*_COLUMNS, *axes, Column("", left=True))
    rows = (_row(scores, place, calibration) for place in range(count))
    return Sheet(tuple(lines), columns, tuple(rows))


def _row(scores: Scores, place: int, calibration: Calibration | None) -> tuple[str, ...]:
    cosine = scores.similarities[place]
    kept = f"{scores.kept.index(place) + 1}" if place in scores.kept else "-"
    cells = [f"{place}", "no face" if cosine is None else f"{cosine:.3f}"]
    cells += [f"{len(scores.found.faces[place])}", kept]
    cells.append("-" if cosine is None else told(cosine, scores.judge.recogniser, calibration))
    if scores.axes and (axes := scores.axes[place]) is not None:
        cells += [f"{axes.truth:.3f}", axes.told]
    if place in scores.rejected:
        cells.append("below at_least")
    return tuple(cells)


def _told_bar(scores: Scores) -> list[str]:
    if scores.at_least is None:
        return []
    passed = len(scores.similarities) - len(scores.rejected)
    return [
        f"at_least is a similarity of {scores.at_least:.3f}: {passed} of {len(scores.similarities)} reach it"
    ]


def draw_sheet(scores: Scores) -> torch.Tensor:
    """The pictures in the order of the batch as an IMAGE [1, H, W, 3] float32, the face that counts boxed.

    Under each stands its place, score and rank on the colour of the score: white is 0, orange 1, blue -1,
    grey no face. Kept ones have a green frame. Cells shrink with their number.
    """
    import numpy as np

    count = len(scores.similarities)
    columns = math.ceil(math.sqrt(count))
    side = max(_CELLS[0], min(_CELLS[1], _LARGEST // columns))
    strip = max(10, side // 8)
    sheet = np.full((math.ceil(count / columns) * (side + strip), columns * side, 3), 255, dtype=np.uint8)
    for place in range(count):
        row, column = divmod(place, columns)
        top, left = row * (side + strip), column * side
        sheet[top : top + side + strip, left : left + side] = _cell(scores, place, side, strip)
    return torch.from_numpy(sheet)[None].float() / 255.0


def _cell(scores: Scores, place: int, side: int, strip: int) -> Any:
    """One picture with its label, [side + strip, side, 3] uint8."""
    import cv2
    import numpy as np

    pixels, face = rgb8(scores.found.images, place), scores.compared[place]
    scale = side / max(pixels.shape[:2])
    width, height = (max(1, round(n * scale)) for n in pixels.shape[1::-1])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    if face is not None:
        x1, y1, x2, y2 = (round(v) for v in (face.box * scale).tolist())
        cv2.rectangle(small, (x1, y1), (x2, y2), _BOX, 1)
    cell = np.full((side + strip, side, 3), 255, dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    cell[top : top + height, left : left + width] = small
    cosine = scores.similarities[place]
    cell[side:] = _GREY if cosine is None else heat_colours(torch.tensor(cosine))
    text = f"{place}: {'no face' if cosine is None else f'{cosine:.3f}'}"
    if place in scores.kept:
        text += f"  #{scores.kept.index(place) + 1}"
        cv2.rectangle(cell, (0, 0), (side - 1, side + strip - 1), _KEPT, max(1, side // 64))
    size, (wide, tall) = _text_size(text, side - 8, strip * 0.55)
    at = (side - wide) // 2, side + (strip + tall) // 2
    cv2.putText(cell, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
    return cell


def _text_size(text: str, width: float, height: float) -> tuple[float, tuple[int, int]]:
    """The scale at which a text fills a box, and its width and height in pixels then."""
    import cv2

    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
    size = min(width / wide, height / tall)
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    return size, (wide, tall)
