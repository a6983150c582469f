"""Plots as SVG, written by hand: the same numbers give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .measures import Estimate

_LEFT, _WIDTH, _LINE, _TOP = 250, 760, 24, 46
_FONT = "font-family='sans-serif' font-size='13'"
_INK, _SOFT, _MARK = "#1f2933", "#c3cad2", "#2563a8"


def dots(
    title: str, rows: Sequence[tuple[str, Estimate]], low: float, high: float, marks: Sequence[float] = ()
) -> str:
    """A row's mean as a dot with its interval as a line, between low and high; marks: where lines stand."""
    inside = _WIDTH - _LEFT - 30

    def x(value: float) -> float:
        return round(_LEFT + inside * (min(max(value, low), high) - low) / (high - low), 1)

    bottom = _TOP + _LINE * len(rows)
    parts = [_text(_LEFT, 22, title, "start", " font-weight='bold'")]
    for n in range(6):
        value = low + (high - low) * n / 5
        parts.append(_line(x(value), _TOP - 8, x(value), bottom, _SOFT, 1))
        parts.append(_text(x(value), bottom + 18, f"{value:.1f}", "middle"))
    parts += [_line(x(mark), _TOP - 8, x(mark), bottom, _INK, 1, " stroke-dasharray='4 3'") for mark in marks]
    for n, (name, one) in enumerate(rows):
        y = _TOP + _LINE * n + 8
        parts.append(_text(_LEFT - 10, y + 4, name, "end"))
        if not math.isnan(one.mean):
            parts.append(_line(x(one.low), y, x(one.high), y, _MARK, 3))
            parts.append(f"<circle cx='{x(one.mean)}' cy='{y}' r='5' fill='{_MARK}'/>")
    return _picture(parts, bottom + 30)


def curve(title: str, across: Sequence[float], rows: Sequence[Estimate], marks: Sequence[float] = ()) -> str:
    """Means over what is named across, 0 to 1 upwards, with their intervals."""
    top, bottom, inside = _TOP, _TOP + 220, _WIDTH - 120
    least, most = min(across), max(across)

    def x(value: float) -> float:
        return round(60 + inside * (value - least) / (most - least), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * min(max(value, 0.0), 1.0), 1)

    parts = [_text(60, 22, title, "start", " font-weight='bold'")]
    for n in range(6):
        parts.append(_line(60, y(n / 5), 60 + inside, y(n / 5), _SOFT, 1))
        parts.append(_text(52, y(n / 5) + 4, f"{n / 5:.1f}", "end"))
    parts += [_line(60, y(mark), 60 + inside, y(mark), _INK, 1, " stroke-dasharray='4 3'") for mark in marks]
    way = " ".join(f"{x(value)},{y(one.mean)}" for value, one in zip(across, rows, strict=True))
    parts.append(f"<polyline points='{way}' fill='none' stroke='{_MARK}' stroke-width='2'/>")
    for value, one in zip(across, rows, strict=True):
        parts.append(_text(x(value), bottom + 18, f"{value:g}", "middle"))
        parts.append(_line(x(value), y(one.low), x(value), y(one.high), _MARK, 2))
        parts.append(f"<circle cx='{x(value)}' cy='{y(one.mean)}' r='4' fill='{_MARK}'/>")
    return _picture(parts, bottom + 30)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f"<text x='{x}' y='{y}' text-anchor='{anchor}' fill='{_INK}' {_FONT}{more}>{escape(text)}</text>"


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: int, more: str = "") -> str:
    ends = f"x1='{x}' y1='{y}' x2='{to_x}' y2='{to_y}'"
    return f"<line {ends} stroke='{colour}' stroke-width='{width}'{more}/>"


def _picture(parts: Sequence[str], height: float) -> str:
    size = f"width='{_WIDTH}' height='{height}' viewBox='0 0 {_WIDTH} {height}'"
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size}>\n<rect width='100%' height='100%' fill='white'/>\n"
        f"{body}\n</svg>\n"
    )
