"""The table and the plot of a layer scan, and which layers it speaks for."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

NONE, ALL = "none", "all"
#: Layers are kept that bring at least this share of the best one's gain, and move style no more than half do.
_SHARE = 0.25
_COLOURS = {
    "expression": (230, 97, 0),
    "identity": (33, 113, 181),
    "colour": (120, 120, 120),
    "style": (0, 140, 90),
}
_INK, _DIM, _PAPER = (30, 30, 30), (150, 150, 150), (255, 255, 255)


@dataclass(frozen=True)
class Row:
    """layer: its number in the file. expression: distance from the template, identity:
    cosine with the person drawn without the adapter, colour: root mean square change of the channels' means
    and spreads, style: 1 - cosine of CLIP's vectors without the face. None: no face was drawn. faces: of how
    many pictures the expression is."""

    layer: str
    where: str
    expression: float | None
    identity: float | None
    colour: float | None
    style: float | None
    faces: int


def recommended(rows: Sequence[Row]) -> list[str]:
    """Layers that bring the expression nearer and leave the style, for `layer_list` of Apply E-Adapter.

    Empty when no face was drawn, or no layer helps.
    """
    plain = next(row for row in rows if row.layer == NONE)
    alone = [row for row in rows if row.layer not in (NONE, ALL) and row.expression is not None]
    if plain.expression is None or not alone:
        return []
    gains = {row.layer: plain.expression - (row.expression or 0.0) for row in alone}
    best = max(gains.values())
    calm = median(row.style or 0.0 for row in alone)
    return [
        row.layer
        for row in alone
        if best > 0 and gains[row.layer] >= _SHARE * best and (row.style or 0.0) <= calm
    ]


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| layer | where | expression | identity | colour | style | faces |"]
    lines.append("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        cells = [row.layer, row.where, *(_number(v) for v in astuple(row)[2:6]), str(row.faces)]
        lines.append(f"| {' | '.join(cells)} |")
    kept = recommended(rows)
    lines.append("")
    if not any(row.faces for row in rows):
        lines.append("No face was drawn: nothing can be said of expression and identity.")
    elif kept:
        lines.append(f"Expression nearer, style left alone: layer_list `{', '.join(kept)}`.")
    else:
        lines.append("No layer alone brings the expression nearer and leaves the style alone.")
    return "\n".join(lines)


def write_report(rows: Sequence[Row], folder: Path) -> str:
    """layer_scan.md, .csv and .png in the folder; gives the table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = table(rows)
    (folder / "layer_scan.md").write_text(text + "\n", encoding="utf-8")
    with (folder / "layer_scan.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in rows)
    _plot(rows, folder / "layer_scan.png")
    return text


def _plot(rows: Sequence[Row], path: Path) -> None:
    """Four strips of bars, a bar for each layer; the line is what none gives."""
    from PIL import Image, ImageDraw, ImageFont

    step = max(8, min(40, 1600 // max(len(rows), 1)))
    left, high, gap = 90, 120, 34
    size = left + step * len(rows) + 20, 20 + len(_COLOURS) * (high + gap)
    picture = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for place, (name, colour) in enumerate(_COLOURS.items()):
        top = 10 + place * (high + gap)
        values = [getattr(row, name) for row in rows]
        most = max((abs(v) for v in values if v is not None), default=0.0) or 1.0
        draw.text((8, top + high // 2), name, fill=_INK, font=font)
        draw.text((8, top + high // 2 + 14), f"to {most:.3f}", fill=_DIM, font=font)
        for n, (row, value) in enumerate(zip(rows, values, strict=True)):
            x = left + n * step
            if value is not None:
                tall = round(abs(value) / most * high)
                draw.rectangle((x + 1, top + high - tall, x + step - 2, top + high), fill=colour)
            if step >= 20 or n % 5 == 0:
                draw.text((x, top + high + 4), row.layer, fill=_DIM, font=font)
        if values and values[0] is not None:
            level = top + high - round(abs(values[0]) / most * high)
            draw.line((left, level, size[0] - 20, level), fill=_INK)
    picture.save(path)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
