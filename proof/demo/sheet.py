"""The demo's one picture: the reference, what was drawn of it, and how like it is."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .draw import Picture

_SIDE, _UNDER, _GAP, _HEAD, _FOOT = 224, 46, 14, 74, 40
_INK, _SOFT, _PAPER, _BAND = (31, 41, 51), (96, 108, 120), (255, 255, 255), (235, 240, 246)
_ROW = 4


def sheet(
    method: str, reference: NDArray[np.uint8], pictures: Sequence[Picture], same: float, other: float
) -> bytes:
    """PNG. same, other: likeness of two true pictures of the person, and of somebody else."""
    lines = _lines(pictures)
    width = _GAP * 3 + _SIDE * (_ROW + 1) + _GAP * _ROW
    height = _HEAD + len(lines) * (_SIDE + _UNDER) + _FOOT
    whole = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(whole)
    pen.rectangle((0, 0, width, _HEAD - 14), _BAND)
    pen.text((_GAP, 8), f"One picture of a person, drawn again by {method}", _INK, _font(24))
    told = (
        "The drawn world: portraits by formula and small networks trained on them. No photographs, no real "
        "weights."
    )
    pen.text((_GAP, 38), told, _SOFT, _font(13))
    left = _GAP
    _place(whole, pen, reference, left, _HEAD, "the reference", "all that the method is given")
    for n, line in enumerate(lines):
        left = 3 * _GAP + _SIDE
        for one in line:
            wide = round(_SIDE * one.picture.shape[1] / one.picture.shape[0]) + _GAP * (len(one.likeness) - 1)
            number = " and ".join(f"{value:.2f}" for value in one.likeness)
            _place(
                whole,
                pen,
                one.picture,
                left,
                _HEAD + n * (_SIDE + _UNDER),
                one.title,
                f"likeness {number}",
                wide,
            )
            left += wide + _GAP
    foot = (
        f"Likeness by a judge that took no part: two true pictures of this person {same:.2f}, somebody else "
        f"{other:.2f}."
    )
    pen.text((_GAP, height - _FOOT + 10), foot, _INK, _font(15))
    written = io.BytesIO()
    whole.save(written, "PNG", optimize=True)
    return written.getvalue()


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
    left: int,
    top: int,
    title: str,
    under: str,
    wide: int = _SIDE,
) -> None:
    shown = Image.fromarray(picture).resize((wide, _SIDE), Image.Resampling.LANCZOS)
    whole.paste(shown, (left, top))
    pen.text((left + 2, top + _SIDE + 3), title, _INK, _font(15 if len(title) < 32 else 11))
    pen.text((left + 2, top + _SIDE + 22), under, _SOFT, _font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
