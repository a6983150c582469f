"""The demo's one picture: the reference, what was drawn of it, and how like it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .draw import Picture

_SIDE, _UNDER, _GAP, _HEAD, _FOOT = 224, 58, 14, 80, 60
_INK, _SOFT, _PAPER, _BAND = (31, 41, 51), (96, 108, 120), (255, 255, 255), (235, 240, 246)
_TRACK, _FULL, _BADGE = (222, 228, 235), (38, 132, 92), (176, 84, 0)
_ROW = 4


@dataclass(frozen=True, eq=False)
class Given:
    """What stands at the left: a picture, its title, and what is said of it."""

    picture: NDArray[np.uint8]
    title: str
    under: str


def sheet(
    method: str, given: Sequence[Given], pictures: Sequence[Picture], same: float, other: float
) -> bytes:
    """PNG. same, other: likeness of two true pictures of the person, and of somebody else: a bar's ends."""
    lines = _lines(pictures)
    high = max(len(lines), len(given)) * (_SIDE + _UNDER)
    whole = Image.new("RGB", (_GAP * 3 + _SIDE * (_ROW + 1) + _GAP * _ROW, _HEAD + high + _FOOT), _PAPER)
    pen = ImageDraw.Draw(whole)
    _head(pen, whole.width, method)
    for n, one in enumerate(given):
        _place(whole, pen, one.picture, (_GAP, _HEAD + n * (_SIDE + _UNDER)), _SIDE, one.title)
        pen.text((_GAP + 2, _HEAD + n * (_SIDE + _UNDER) + _SIDE + 22), one.under, _SOFT, _font(13))
    for n, line in enumerate(lines):
        left, top = 3 * _GAP + _SIDE, _HEAD + n * (_SIDE + _UNDER)
        for drawn in line:
            several = len(drawn.likeness)
            wide = _SIDE * several + _GAP * (several - 1)
            _place(whole, pen, drawn.picture, (left, top), wide, drawn.title)
            for m, value in enumerate(drawn.likeness):
                _bar(pen, (left + m * (_SIDE + _GAP), top + _SIDE + 26), value, same, other)
            left += wide + _GAP
    _foot(pen, whole.height - _FOOT, same, other)
    written = io.BytesIO()
    whole.save(written, "PNG")
    return written.getvalue()


def _head(pen: ImageDraw.ImageDraw, width: int, method: str) -> None:
    pen.rectangle((0, 0, width, _HEAD - 14), _BAND)
    pen.text((_GAP, 8), f"One picture of a person, drawn again by {method}", _INK, _font(24))
    told = "Portraits by formula, and small networks trained on them. No photographs, no real weights."
    pen.text((_GAP, 40), told, _SOFT, _font(14))
    pen.rounded_rectangle((width - 182, 14, width - _GAP, 50), 8, _BADGE)
    pen.text((width - 98, 32), "DRAWN WORLD", _PAPER, _font(18), anchor="mm")


def _foot(pen: ImageDraw.ImageDraw, top: int, same: float, other: float) -> None:
    pen.rectangle((_GAP, top + 12, _GAP + _SIDE // 2, top + 20), _TRACK)
    pen.rectangle((_GAP, top + 12, _GAP + _SIDE // 4, top + 20), _FULL)
    told = (
        f"Likeness, by a judge that took no part. Empty: as like as somebody else ({other:.2f}). Full: as "
        f"like as another true picture of the same person ({same:.2f})."
    )
    pen.text((2 * _GAP + _SIDE // 2, top + 6), told, _INK, _font(14))


def _lines(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Four places in each; two people take two."""
    lines: list[list[Picture]] = []
    free = 0
    for one in pictures:
        takes = len(one.likeness)
        if takes > free:
            lines.append([])
            free = _ROW
        lines[-1].append(one)
        free -= takes
    return lines


def _place(
    whole: Image.Image,
    pen: ImageDraw.ImageDraw,
    picture: NDArray[np.uint8],
    corner: tuple[int, int],
    wide: int,
    title: str,
) -> None:
    left, top = corner
    shown = Image.fromarray(picture).resize((wide, _SIDE), Image.Resampling.LANCZOS)
    whole.paste(shown, corner)
    pen.text((left + 2, top + _SIDE + 4), title, _INK, _font(15 if len(title) < 32 else 11))


def _bar(pen: ImageDraw.ImageDraw, corner: tuple[int, int], value: float, same: float, other: float) -> None:
    left, top = corner
    part = min(1.0, max(0.0, (value - other) / max(same - other, 1e-6)))
    long = _SIDE - 56
    pen.rectangle((left + 2, top + 4, left + 2 + long, top + 12), _TRACK)
    if part:
        pen.rectangle((left + 2, top + 4, left + 2 + round(part * long), top + 12), _FULL)
    pen.text((left + long + 12, top), f"{value:.2f}", _SOFT, _font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
