"""Contact sheets: a line for each row of the report, a column for each person."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_NAMES, _GAP, _HEAD = 230, 4, 34
_INK, _PAPER, _SOFT = (31, 41, 51), (255, 255, 255), (110, 122, 134)


def sheet(
    title: str, lines: Sequence[tuple[str, str, Sequence[NDArray[np.uint8]]]], size: int = 112
) -> bytes:
    """JPEG. lines: name, what stands under it, pictures [H, W, 3], each shown `size` high."""
    columns = max(sum(picture.shape[1] for picture in shown) / shown[0].shape[0] for _, _, shown in lines)
    width = _NAMES + round(columns * (size + _GAP)) + _GAP
    whole = Image.new("RGB", (width, _HEAD + len(lines) * (size + _GAP)), _PAPER)
    pen = ImageDraw.Draw(whole)
    large, small = (ImageFont.load_default(points) for points in (17, 12))
    pen.text((8, 8), title, _INK, large)
    for n, (name, under, shown) in enumerate(lines):
        top = _HEAD + n * (size + _GAP)
        for m, line in enumerate(_broken(name, 27)):
            pen.text((8, top + 12 + 17 * m), line, _INK, ImageFont.load_default(14))
        for m, line in enumerate(_broken(under, 36)[: min(3, (size - 52) // 14)]):
            pen.text((8, top + 52 + 14 * m), line, _SOFT, small)
        left = _NAMES
        for picture in shown:
            wide = round(size * picture.shape[1] / picture.shape[0])
            whole.paste(Image.fromarray(picture).resize((wide, size), Image.Resampling.LANCZOS), (left, top))
            left += wide + _GAP
    written = io.BytesIO()
    whole.save(written, "JPEG", quality=88, subsampling=0)
    return written.getvalue()


def _broken(text: str, most: int) -> list[str]:
    """Lines of so many letters at most, broken between words."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
