"""Painting a face: skin, ears, eyes, brows, nose, mouth and marks."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Colour, blend, shaded
from .head import Eye, Head
from .shapes import Points, ellipse, mirrored, ribbon, smooth

#: Numbers of the parser's classes. Left and right are those of the picture.
SKIN, BROWS, EYES, EARS = 1, {-1: 2, 1: 3}, {-1: 4, 1: 5}, {-1: 7, 1: 8}
NOSE, MOUTH, UPPER_LIP, LOWER_LIP = 10, 11, 12, 13

#: How far the tip of the nose stands above the face.
NOSE_OVER = 0.18

_T = np.linspace(-1, 1, 17)
_DOME = (1 - _T**2).clip(0)
_LASHES = (46, 30, 28)
_TEETH, _TONGUE, _THROAT = (246, 242, 234), (196, 92, 92), (92, 30, 34)
_FRECKLES = np.random.default_rng(11).uniform((-1, -1), (1, 1), (26, 2))


def paint_ears(canvas: Canvas, head: Head) -> None:
    """Before the skin, which hides their inner side."""
    large = 1 + 0.38 * head["ear_size"]
    y = head.eyes[0].middle[1] + 0.16
    for side in (-1, 1):
        x = side * (head.half * 0.99)
        outer = ellipse(x + side * 0.03 * large, y, 0.11 * large, 0.2 * large)
        inner = ellipse(x + side * 0.045 * large, y, 0.06 * large, 0.13 * large)
        canvas.fill(canvas.frame.behind(outer, 0.05), shaded(head.skin, 0.95), EARS[side])
        canvas.fill(canvas.frame.behind(inner, 0.05), shaded(head.skin, 0.78))


def paint_skin(canvas: Canvas, head: Head) -> None:
    canvas.fill(canvas.frame.behind(head.outline), head.skin, SKIN)


def paint_marks(canvas: Canvas, head: Head) -> None:
    """Freckles, lines and a mole: below 0 of their numbers there are none."""
    frame, skin, tip = canvas.frame, head.skin, head.nose[1]
    if head["freckles"] > 0:
        colour = blend(skin, shaded(skin, 0.68), 0.3 + 0.7 * head["freckles"])
        for x, y in _FRECKLES * (0.48, 0.13) + (0, tip - 0.12):
            canvas.fill(frame.seen(ellipse(x, y, 0.013, 0.013, 8)), colour)
    if head["lines"] > 0:
        colour = blend(skin, shaded(skin, 0.7), 0.2 + 0.8 * head["lines"])
        reach = head.mouth_reach[0]
        fold = smooth(
            [(head.nose[0] + 0.05, tip + 0.02), (reach + 0.06, tip + 0.16), (reach + 0.09, tip + 0.3)], False
        )
        eye = head.eyes[1]
        bag = smooth(
            [
                (eye.middle[0] - eye.wide * 0.7, eye.middle[1] + eye.high + 0.05),
                (eye.middle[0], eye.middle[1] + eye.high + 0.09),
                (eye.middle[0] + eye.wide * 0.8, eye.middle[1] + eye.high + 0.05),
            ],
            False,
        )
        for line in (fold, mirrored(fold), bag, mirrored(bag)):
            canvas.fill(
                frame.seen(ribbon(line, np.sin(np.linspace(0.1, np.pi - 0.1, len(line))) * 0.028)), colour
            )
    if head["mole"] > 0:
        # Beside the nose, the mouth or on the cheek, clear of both: the sign of a number says on which side.
        number = head["mole_side"]
        side = 1 if number >= 0 else -1
        x = side * (head.mouth_reach[0] + 0.07 + 0.1 * abs(number))
        y = tip + 0.08 + 0.2 * head["mole_height"]
        large = 0.028 + 0.03 * head["mole"]
        canvas.fill(frame.seen(ellipse(x, y, large, large, 12)), (74, 44, 36))


def paint_eyes(canvas: Canvas, head: Head) -> None:
    for eye in head.eyes:
        _paint_eye(canvas, head, eye)


def _paint_eye(canvas: Canvas, head: Head, eye: Eye) -> None:
    """In the eye's own units first: half its width 1, the outer corner at x = 1."""
    wide, label = eye.wide, EYES[eye.side]
    cos, sin = np.cos(eye.slant), np.sin(eye.slant)

    def placed(points: Points) -> Points:
        x, y = points[:, 0] * wide, points[:, 1] * wide
        turned = np.stack([eye.side * (x * cos + y * sin), y * cos - x * sin], axis=1)
        return canvas.frame.seen(turned + eye.middle)

    tall = eye.high / wide
    arc = 1 - np.abs(_T) ** 2.2
    open_ = 1 - eye.lids
    upper, lower = (
        -tall * arc * open_ + 0.3 * tall * arc * eye.lids,
        0.72 * tall * arc * (1 - 0.45 * eye.lids),
    )
    upper = np.minimum(upper, lower)
    upper_line, lower_line = np.stack([_T, upper], 1), np.stack([_T, lower], 1)
    almond = np.concatenate([upper_line, lower_line[::-1]])
    # A closed eye is a part of the face too: its label is as wide as the lashes.
    label_shape = almond if eye.lids < 0.9 else ribbon(lower_line, 0.5)
    lid = np.concatenate([np.stack([_T, -tall * arc - 0.06], 1), upper_line[::-1]])
    canvas.fill(placed(lid), shaded(head.skin, 0.86))
    canvas.fill(placed(label_shape), None, label)
    if eye.lids < 0.9:
        canvas.fill(placed(almond), (248, 246, 243), label)
        x = 0.3 * eye.gaze * eye.side
        large = 0.16 / wide * 0.52 + 0.13
        for part, colour in ((1.0, shaded(head.iris, 0.6)), (0.84, head.iris), (0.45, (18, 14, 14))):
            disc = ellipse(x, 0.0, large * part, large * part, 28)
            disc[:, 1] = np.clip(
                disc[:, 1], np.interp(disc[:, 0], _T, upper), np.interp(disc[:, 0], _T, lower)
            )
            canvas.fill(placed(disc), colour)
        glint = ellipse(x - 0.12 * eye.side, -0.4 * tall * open_, 0.1, 0.1, 10)
        canvas.fill(placed(glint), (255, 255, 255))
        shadow = np.concatenate([upper_line, np.stack([_T, upper + 0.16 * tall], 1)[::-1]])
        canvas.fill(placed(shadow), blend((248, 246, 243), _LASHES, 0.55))
    crease = np.stack([_T, -tall * arc - 0.2 + 0.06 * _T], 1)[2:-1]
    canvas.fill(placed(ribbon(crease, 0.09)), shaded(head.skin, 0.68))
    canvas.fill(placed(ribbon(upper_line, np.linspace(0.12, 0.3, 17))), _LASHES)
    canvas.fill(placed(ribbon(lower_line, 0.07)), shaded(head.skin, 0.55))


def paint_brows(canvas: Canvas, head: Head, colour: Colour) -> None:
    eye, raised = head.eyes[1], head.expression.brows
    up = eye.high + 0.15 + 0.075 * head["brow_height"] + 0.07 * raised
    reach = 0.19 + 0.05 * head["brow_length"]
    thick = 0.06 + 0.03 * head["brow_thickness"]
    t = np.linspace(-1, 1, 13)
    # Lowered brows draw together: their inner ends come down further.
    inner = 0.06 * max(-raised, 0.0) * (1 - t) / 2
    y = (
        eye.middle[1]
        - up
        - (0.06 * head["brow_slope"] - 0.012) * t
        - (0.04 + 0.045 * head["brow_arch"]) * (1 - t**2)
        + inner
    )
    line = np.stack([eye.middle[0] + 0.01 + t * reach, y], axis=1)
    shape = ribbon(line, thick * np.interp(t, (-1, -0.8, 0.1, 1), (0.65, 1, 0.95, 0.15)))
    for side in (-1, 1):
        canvas.fill(canvas.frame.seen(shape if side > 0 else mirrored(shape)), colour, BROWS[side])


def paint_nose(canvas: Canvas, head: Head) -> None:
    frame, skin = canvas.frame, head.skin
    wide, tip = head.nose
    top = head.eyes[0].middle[1] + 0.02
    bridge = 0.055 + 0.035 * head["nose_bridge"]
    ball = 0.07 + 0.04 * head["nose_tip"]
    right = np.array(
        [(bridge, top), (bridge + 0.02, tip - 0.16), (wide, tip - 0.02), (wide - 0.02, tip + 0.06)]
    )
    foot = [(0.0, tip + 0.1)]
    shape = np.concatenate([right, foot, mirrored(right)[::-1]])
    whole = smooth(shape)
    raised = np.interp(whole[:, 1], (top, tip, tip + 0.1), (0.04, NOSE_OVER, 0.08))
    canvas.fill(frame.seen(whole, raised), None, NOSE)
    over = 0.8 * NOSE_OVER
    wing = smooth(
        [
            (wide - 0.035, tip - 0.09),
            (wide + 0.005, tip - 0.03),
            (wide, tip + 0.045),
            (wide - 0.05, tip + 0.065),
        ],
        False,
    )
    under = smooth(
        [(-ball, tip + 0.075), (0, tip + 0.1 + 0.035 * head["nose_tip"]), (ball, tip + 0.075)], False
    )
    nostril = ellipse(wide * 0.52, tip + 0.055, 0.028 + wide * 0.14, 0.024, 14)
    side_line = smooth(
        [(bridge + 0.015, top + 0.04), (bridge + 0.01, tip - 0.2), (ball + 0.025, tip - 0.06)], False
    )
    side_line = ribbon(side_line, np.linspace(0.015, 0.035, len(side_line)))
    # The side turned away shows its edge more.
    for one, near in ((side_line, frame.sin > 0), (mirrored(side_line), frame.sin <= 0)):
        canvas.fill(frame.seen(one, over * 0.6), shaded(skin, 0.88 if near else 0.78))
    for line in (wing, mirrored(wing)):
        canvas.fill(frame.seen(ribbon(line, 0.03), over * 0.6), shaded(skin, 0.66))
    canvas.fill(frame.seen(ribbon(under, 0.026), over), shaded(skin, 0.64))
    for hole in (nostril, mirrored(nostril)):
        canvas.fill(frame.seen(hole, over), shaded(skin, 0.38))
    canvas.fill(frame.seen(ellipse(0.0, tip - 0.03, ball * 0.5, 0.034, 14), over + 0.05), shaded(skin, 1.1))


def paint_mouth(canvas: Canvas, head: Head) -> None:
    frame, skin = canvas.frame, head.skin
    (_, middle), (reach, lift) = head.mouth, head.mouth_reach
    upper, lower, gap = head.lips
    line = middle - lift * (1.9 * _T**2 - 0.9)
    inner_up, inner_down = line - 0.35 * gap * _DOME, line + 0.65 * gap * _DOME
    # A notch in the middle of the upper lip between two peaks.
    notch, peaks = np.exp(-((_T / 0.2) ** 2)), np.exp(-(((np.abs(_T) - 0.32) / 0.2) ** 2))
    bow = upper * 0.3 * notch + 0.03 * head["mouth_bow"] * (notch - peaks)
    bow = np.minimum(bow, 0.85 * upper * (1 - np.abs(_T) ** 1.6))
    outer_up = inner_up - upper * (1 - np.abs(_T) ** 1.6) - 0.004 + bow
    outer_down = inner_down + lower * _DOME**0.8 + 0.004
    x = _T * reach

    def curve(y: np.ndarray) -> Points:
        return np.stack([x, y], axis=1)

    def band(top: np.ndarray, bottom: np.ndarray) -> Points:
        return frame.seen(np.concatenate([curve(top), curve(bottom)[::-1]]), 0.06)

    if gap > 0.02:
        canvas.fill(band(inner_up, inner_down), _THROAT, MOUTH)
        canvas.fill(band(inner_up, np.minimum(inner_up + 0.055, inner_down)), _TEETH)
        tongue = inner_down - 0.4 * gap * _DOME
        canvas.fill(band(tongue, inner_down), _TONGUE)
    red = blend(skin, (188, 62, 70), 0.62)
    canvas.fill(band(outer_up, inner_up), shaded(red, 0.86), UPPER_LIP)
    canvas.fill(band(inner_down, outer_down), red, LOWER_LIP)
    shine = inner_down + lower * 0.45 * _DOME
    canvas.fill(frame.seen(ribbon(curve(shine)[5:-5], lower * 0.22), 0.06), shaded(red, 1.16))
    seam = ribbon(curve(line if gap <= 0.02 else inner_up), 0.012 + 0.02 * _DOME)
    canvas.fill(frame.seen(seam, 0.06), shaded(skin, 0.4))
