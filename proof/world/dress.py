"""Neck, clothes, hats and glasses."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, blend, shaded
from .features import EYES
from .head import Head
from .scene import HATS
from .shapes import ellipse, mirrored, ribbon, ring, smooth

GLASSES, NECK, CLOTH, HAT = 6, 14, 16, 18
HAT_COLOURS = dict(zip(HATS[1:], ((206, 48, 44), (44, 148, 84), (48, 88, 196)), strict=True))
#: Everybody wears the same: clothes are nothing to tell people by.
_SHIRT, _TROUSERS, _SHOES = (72, 98, 128), (70, 66, 78), (44, 40, 44)
_FRAME = (34, 30, 36)


def paint_body(canvas: Canvas) -> None:
    """From the shoulders to the shoes, which are seen when the frame reaches so far."""
    leg = np.array([(0.06, 4.5), (1.0, 4.4), (0.86, 6.6), (0.78, 8.6), (0.2, 8.6), (0.16, 6.6)])
    shoe = np.array([(0.14, 8.5), (0.8, 8.5), (1.02, 8.86), (0.98, 9.0), (0.14, 9.0)])
    for shape, colour in ((leg, _TROUSERS), (shoe, _SHOES)):
        for one in (shape, mirrored(shape)):
            canvas.fill(one, colour, CLOTH)
    arm = smooth([(1.2, 1.75), (1.6, 2.1), (1.78, 3.2), (1.66, 4.3), (1.3, 4.5), (1.2, 3.3)])
    right = np.array([(0.34, 1.28), (0.85, 1.48), (1.36, 1.72), (1.42, 2.4), (1.12, 3.4), (1.08, 4.7)])
    trunk = smooth(np.concatenate([right, mirrored(right)[::-1]]))
    for one in (arm, mirrored(arm)):
        canvas.fill(one, shaded(_SHIRT, 0.86), CLOTH)
    canvas.fill(trunk, _SHIRT, CLOTH)


def paint_neck(canvas: Canvas, head: Head) -> None:
    wide = 0.33 + 0.05 * head["jaw_width"]
    right = np.array([(wide, 0.4), (wide, 1.05), (wide + 0.1, 1.32)])
    foot = smooth([(wide + 0.1, 1.32), (0.26, 1.52), (0, 1.58), (-0.26, 1.52), (-wide - 0.1, 1.32)], False)
    shape = np.concatenate([right, foot, mirrored(right)[::-1]])
    canvas.fill(shape, shaded(head.skin, 0.86), NECK)
    # The chin's shadow: its curve once more, further down, inside of the neck.
    low = head.chin + 0.17
    shadow = smooth(
        [(-wide, 0.78), (-wide * 0.6, low - 0.04), (0, low), (wide * 0.6, low - 0.04), (wide, 0.78)], False
    )
    canvas.fill(np.concatenate([shadow, [(wide, 0.5), (-wide, 0.5)]]), shaded(head.skin, 0.66))
    canvas.fill(ribbon(foot, 0.075), shaded(_SHIRT, 0.76), CLOTH)


def paint_hat(canvas: Canvas, head: Head, word: str) -> None:
    """A cap of wool with a turned-up rim."""
    colour, half = HAT_COLOURS[word], head.half
    dome = smooth(
        [
            *[(-half * 1.13, -0.66), (-half * 1.12, -1.02), (-half * 0.72, -1.34), (0, -1.45)],
            *[(half * 0.72, -1.34), (half * 1.12, -1.02), (half * 1.13, -0.66)],
        ],
        False,
    )
    canvas.fill(canvas.frame.behind(dome, 0.05), colour, HAT)
    for x in (-0.62, -0.2, 0.22, 0.64):
        rib = smooth([(x * half * 1.2, -0.7), (x * half * 1.1, -1.05), (x * half * 0.5, -1.38)], False)
        canvas.fill(canvas.frame.behind(ribbon(rib, 0.03), 0.1), shaded(colour, 0.82))
    upper = smooth([(-half * 1.15, -0.86), (0, -0.96), (half * 1.15, -0.86)], False)
    lower = smooth([(-half * 1.17, -0.58), (0, -0.68), (half * 1.17, -0.58)], False)
    band = np.concatenate([upper, lower[::-1]])
    canvas.fill(canvas.frame.behind(band, 0.1), shaded(colour, 0.8), HAT)
    shine = smooth([(-half * 0.78, -1.08), (-half * 0.55, -1.22), (-half * 0.2, -1.29)], False)
    thick = np.sin(np.linspace(0, np.pi, len(shine))) * 0.06 + 0.004
    canvas.fill(canvas.frame.behind(ribbon(shine, thick), 0.1), blend(colour, (255, 255, 255), 0.35))


def paint_glasses(canvas: Canvas, head: Head, word: str) -> None:
    """Frames of one size, whoever wears them; the label covers the glass but not the eyes."""
    frame, eye = canvas.frame, head.eyes[1]
    x, y = eye.middle[0], eye.middle[1] + 0.02
    wide = min(0.25, x - 0.03)
    if word == "round":
        rim = ellipse(x, y, wide, 0.235, 32)
    else:
        corners = [
            (-1, -0.8),
            (-0.86, -1),
            (0.86, -1),
            (1, -0.8),
            (0.92, 0.75),
            (0.72, 1),
            (-0.72, 1),
            (-0.92, 0.75),
        ]
        rim = smooth(np.array(corners) * (wide, 0.19) + (x, y), steps=3)
    closed = ring(rim, 0.05)
    for one in (rim, mirrored(rim)):
        _label_glass(canvas, one)
    for one in (closed, mirrored(closed)):
        canvas.fill(frame.seen(one, 0.06), _FRAME, GLASSES)
    bridge = smooth([(-(x - wide), y - 0.03), (0, y - 0.07), (x - wide, y - 0.03)], False)
    canvas.fill(frame.seen(ribbon(bridge, 0.045), 0.1), _FRAME, GLASSES)
    for side in (-1, 1):
        ends = np.array([[side * (x + wide), y - 0.06]]), np.array([[side * head.half, y - 0.04]])
        arm = np.concatenate([frame.seen(ends[0], 0.06), frame.behind(ends[1])])
        canvas.fill(ribbon(arm, 0.045), _FRAME, GLASSES)


def _label_glass(canvas: Canvas, rim: np.ndarray) -> None:
    eyes = {label: canvas.mine == label for label in EYES.values()}
    canvas.fill(canvas.frame.seen(rim, 0.06), None, GLASSES)
    for label, there in eyes.items():
        canvas.mine[there] = label
