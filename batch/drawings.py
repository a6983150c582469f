"""Drawings of the report, as SVG inside the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 760, 220, 60, 20, 30
_INK, _SOFT, _FILL = "#1f2933", "#c3cad2", "#2563a8"
_BARS = 40


def bars(
    values: Sequence[float],
    what: str,
    named: Callable[[float], str],
    low: float | None = None,
    high: float | None = None,
    marks: Sequence[float] = (),
) -> str:
    """How many values lie where, between low and high (their own least and most if not given).

    what: names the counts. named: how a value is written below. marks: values where a line stands.
    """
    if not values:
        return ""
    low, high = min(values) if low is None else low, max(values) if high is None else high
    counts, edges = np.histogram(np.clip(values, low, high), _BARS, (low, high))
    most, inside, ground = max(counts.max(), 1), _WIDTH - _LEFT - 20, _HEIGHT - _BOTTOM
    step = inside / _BARS
    parts = []
    for n, count in enumerate(counts):
        height = (ground - _TOP) * count / most
        place = f"x='{_LEFT + n * step:.1f}' y='{ground - height:.1f}'"
        size = f"width='{step - 1:.1f}' height='{height:.1f}'"
        title = f"<title>{count} {escape(what)}</title>"
        parts.append(f"<rect {place} {size} fill='{_FILL}'>{title}</rect>")
    for share in (0, 0.25, 0.5, 0.75, 1):
        value = edges[0] + share * (edges[-1] - edges[0])
        parts.append(_text(_LEFT + share * inside, _HEIGHT - 8, named(float(value)), "middle"))
    for mark in marks:
        x = _LEFT + inside * (mark - low) / (high - low)
        parts.append(f"<path d='M{x:.1f} {_TOP}V{ground}' stroke='{_INK}' stroke-dasharray='4 3'/>")
    parts.append(f"<path d='M{_LEFT} {ground}H{_LEFT + inside}' stroke='{_SOFT}'/>")
    parts += [_text(_LEFT - 8, _TOP + 10, str(most), "end"), _text(_LEFT - 8, ground, "0", "end")]
    size = f"width='{_WIDTH}' height='{_HEIGHT}' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} aria-label='{escape(what)}'>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    font = "font-family='sans-serif' font-size='12'"
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{_INK}' {font}>{escape(text)}</text>"
