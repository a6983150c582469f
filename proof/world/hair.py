"""Hair: what lies behind the head, what lies before it, beards."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Colour, blend, shaded
from .features import SKIN
from .head import Head
from .shapes import Points, ellipse, mirrored, ribbon, smooth

HAIR = 17
COLOURS = {
    "black": (44, 37, 40),
    "brown": (112, 70, 42),
    "blonde": (226, 188, 100),
    "red": (190, 76, 32),
    "white": (232, 230, 226),
}
_CURLS = np.random.default_rng(5).uniform(-0.04, 0.04, (40, 2))


def brow_colour(hair: Colour) -> Colour:
    """Brows are darker than the hair, never as light as the skin."""
    return blend(shaded(hair, 0.62), (60, 42, 34), 0.35)


def paint_back(canvas: Canvas, head: Head, style: str, colour: Colour) -> None:
    """Behind neck and face."""
    half, dark = head.half, shaded(colour, 0.74)
    if style == "long":
        side = [
            (half * 0.75, -1.08),
            (half * 1.14, -0.7),
            (half * 1.26, 0.0),
            (half * 1.34, 0.9),
            (half * 1.4, 1.75),
        ]
        _both(canvas, [(0, -1.2), *side, (half * 0.8, 1.95)], dark, deep=-0.15)
    elif style == "bob":
        side = [
            (half * 0.75, -1.08),
            (half * 1.16, -0.7),
            (half * 1.3, 0.0),
            (half * 1.38, 0.55),
            (half * 1.3, 0.86),
        ]
        _both(canvas, [(0, -1.2), *side, (half * 0.8, 0.9)], dark, deep=-0.15)
    elif style == "curly":
        for number, angle in enumerate(np.linspace(-0.12, 1.12, 15) * np.pi):
            x, y = half * 1.2 * np.cos(angle), -0.22 - 0.86 * np.sin(angle)
            canvas.fill(
                canvas.frame.behind(ellipse(x, y, 0.24, 0.24), -0.1),
                shaded(dark, 1 + 0.12 * (number % 2)),
                HAIR,
            )
    else:
        _both(
            canvas,
            [(0, -1.1), (half * 0.7, -1.0), (half * 1.06, -0.62), (half * 1.04, -0.1)],
            dark,
            deep=-0.1,
        )
    if style == "braided":
        for side_ in (-1, 1):
            for n in range(6):
                x, y = side_ * (half * 1.04 + 0.06 + 0.012 * n), 0.24 + 0.22 * n
                knot = ellipse(x + 0.025 * (n % 2), y, 0.155 - 0.008 * n, 0.135)
                canvas.fill(canvas.frame.behind(knot, 0.0), shaded(colour, 0.72 + 0.16 * (n % 2)), HAIR)
            band = ellipse(side_ * (half * 1.04 + 0.15), 1.52, 0.09, 0.06)
            canvas.fill(canvas.frame.behind(band), (200, 60, 80), HAIR)


def _both(canvas: Canvas, right: list[tuple[float, float]], colour: Colour, deep: float) -> None:
    points = np.array(right)
    both = np.concatenate([points, mirrored(points)[:0:-1]])
    canvas.fill(canvas.frame.behind(smooth(both), deep), colour, HAIR)


def paint_front(canvas: Canvas, head: Head, style: str, colour: Colour) -> None:
    """Over the forehead: the brows stay free."""
    half = head.half
    if style == "curly":
        for number, angle in enumerate(np.linspace(0.02, 0.98, 12) * np.pi):
            x, y = half * 0.95 * np.cos(angle), -0.52 - 0.48 * np.sin(angle)
            _curl(canvas, x + _CURLS[number, 0], y, 0.2, shaded(colour, 0.9 + 0.14 * (number % 2)))
        for number, x in enumerate(np.linspace(-0.5, 0.5, 5)):
            _curl(
                canvas,
                x * half / 0.7,
                -0.76 + _CURLS[number, 1],
                0.17,
                shaded(colour, 0.95 + 0.1 * (number % 2)),
            )
        return
    high = -1.13 if style in ("short", "braided") else -1.2
    crown = [(half * 1.07, -0.35), (half * 1.08, -0.66), (half * 0.78, high + 0.13), (0, high)]
    crown = [*crown, *[(-x, y) for x, y in crown[2::-1]]]
    line = _hairlines(half)[style]
    top = smooth(crown, False)
    edge = smooth(line, False)
    shape = np.concatenate([canvas.frame.behind(top), canvas.frame.seen(edge)])
    canvas.fill(shape, colour, HAIR)
    if style == "long":
        for side in (-1, 1):
            lock = np.array(
                [(0.98, -0.6), (1.12, -0.2), (1.2, 0.5), (1.24, 1.3), (1.08, 1.5), (0.98, 0.8), (0.93, 0.0)]
            )
            canvas.fill(canvas.frame.behind(smooth(lock * (half * side, 1))), shaded(colour, 0.93), HAIR)
    if style == "bob":
        for side in (-1, 1):
            lock = np.array([(0.94, -0.6), (1.14, -0.2), (1.24, 0.4), (1.2, 0.82), (1.02, 0.8), (0.93, 0.3)])
            canvas.fill(canvas.frame.behind(smooth(lock * (half * side, 1))), shaded(colour, 0.93), HAIR)
        for x in np.linspace(-0.62, 0.62, 6):
            strand = smooth([(x * 0.5 * half / 0.7, -1.05), (x * half / 0.7, -0.62)], False)
            canvas.fill(canvas.frame.seen(ribbon(strand, 0.022)), shaded(colour, 0.78))
    if style == "braided":
        parting = smooth([(0.0, -1.1), (0.0, -0.76)], False)
        canvas.fill(canvas.frame.seen(ribbon(parting, 0.03)), shaded(colour, 0.62))


def _hairlines(half: float) -> dict[str, list[tuple[float, float]]]:
    """From the picture's left ear over the forehead to its right, before the crown closes them."""
    return {
        "short": [
            *[(-half * 1.07, -0.35), (-half * 0.99, -0.02), (-half * 0.93, -0.35), (-half * 0.78, -0.66)],
            *[(-half * 0.2, -0.76), (half * 0.3, -0.64), (half * 0.78, -0.6), (half * 0.94, -0.32)],
            *[(half * 0.99, -0.02), (half * 1.07, -0.35)],
        ],
        "long": [
            *[(-half * 1.07, -0.35), (-half * 0.97, 0.0), (-half * 0.86, -0.45), (-half * 0.4, -0.76)],
            *[(half * 0.12, -0.92), (half * 0.55, -0.72), (half * 0.88, -0.42), (half * 0.97, 0.0)],
            (half * 1.07, -0.35),
        ],
        "bob": [
            *[
                (-half * 1.07, -0.35),
                (-half * 0.99, -0.2),
                (-half * 0.85, -0.58),
                (0, -0.6),
                (half * 0.85, -0.58),
            ],
            *[(half * 0.99, -0.2), (half * 1.07, -0.35)],
        ],
        "braided": [
            *[
                (-half * 1.07, -0.35),
                (-half * 0.98, 0.1),
                (-half * 0.86, -0.4),
                (-half * 0.6, -0.7),
                (0, -0.82),
            ],
            *[(half * 0.6, -0.7), (half * 0.86, -0.4), (half * 0.98, 0.1), (half * 1.07, -0.35)],
        ],
    }


def _curl(canvas: Canvas, x: float, y: float, large: float, colour: Colour) -> None:
    canvas.fill(canvas.frame.seen(ellipse(x, y, large, large)), colour, HAIR)


def paint_shine(canvas: Canvas, head: Head, style: str, colour: Colour) -> None:
    """A soft streak of light on the crown."""
    half = head.half
    light = blend(colour, (255, 252, 240), 0.32)
    if style == "curly":
        for x, y in ((-0.42, -0.96), (0.0, -1.04), (0.4, -0.95), (-0.66, -0.7), (0.68, -0.68)):
            arc = smooth(
                [(x - 0.1, y + 0.03), (x - 0.05, y - 0.03), (x + 0.05, y - 0.03), (x + 0.1, y + 0.03)], False
            )
            canvas.fill(
                canvas.frame.seen(ribbon(arc, np.sin(np.linspace(0.1, 3.04, len(arc))) * 0.035)), light
            )
        return
    streak = smooth([(-half * 0.72, -0.78), (-half * 0.5, -0.94), (-half * 0.1, -1.03)], False)
    thick = np.sin(np.linspace(0, np.pi, len(streak))) * 0.055 + 0.004
    canvas.fill(canvas.frame.behind(ribbon(streak, thick), 0.1), light)


def paint_beard(canvas: Canvas, head: Head, colour: Colour) -> None:
    """Along the jaw and over the lip; it is skin to the parser, as in its data set."""
    (reach, _), mouth = head.mouth_reach, head.mouth[1]
    outline: Points = head.outline
    low = outline[outline[:, 1] > head.nose[1] - 0.06]
    order = np.argsort(np.arctan2(low[:, 1] + 1, low[:, 0]))  # from the picture's right to its left
    jaw = low[order] * (1.015, 1.03)
    edge = np.array(
        [
            *[
                (-head.half * 0.92, head.nose[1] - 0.04),
                (-head.half * 0.8, head.nose[1] + 0.05),
                (-reach - 0.16, mouth - 0.03),
                (-reach - 0.06, mouth - 0.14),
            ],
            *[(-0.1, head.nose[1] + 0.13), (0.1, head.nose[1] + 0.13), (reach + 0.06, mouth - 0.14)],
            *[
                (reach + 0.16, mouth - 0.03),
                (head.half * 0.8, head.nose[1] + 0.05),
                (head.half * 0.92, head.nose[1] - 0.04),
            ],
        ]
    )
    shape = np.concatenate([canvas.frame.behind(jaw), canvas.frame.seen(smooth(edge, False))])
    canvas.fill(shape, blend(head.skin, shaded(colour, 0.82), 0.86), SKIN)
