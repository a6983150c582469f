"""Draw assets/icon.png and assets/banner.png, which the registry shows beside the pack's name.

`python -m tools.registry_art`. A face is told by its five points inside the corners of its box: the same
five points travel through the banner, to numbers and into a picture.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ASSETS = Path(__file__).resolve().parents[1] / "assets"
ICON, BANNER = (400, 400), (1260, 540)
#: Drawn larger and made smaller, for smooth edges.
OVER = 4
TOP, BOTTOM = (34, 40, 58), (18, 20, 28)
INK, DIM, CORNERS = (238, 240, 246), (150, 158, 178), (110, 214, 160)
#: Eyes, nose, corners of the mouth, as parts of the face's box, and in the colours of keypoint pictures.
POINTS = ((0.31, 0.37), (0.69, 0.37), (0.5, 0.56), (0.35, 0.735), (0.65, 0.735))
COLOURS = ((255, 92, 92), (92, 214, 120), (96, 150, 255), (255, 214, 92), (232, 110, 232))
Box = tuple[float, float, float, float]


class Sheet:
    """A picture in the making; places and lengths are in pixels of the finished one."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        ramp = Image.linear_gradient("L").resize((size[0] * OVER, size[1] * OVER))
        self._picture = Image.composite(
            Image.new("RGB", ramp.size, BOTTOM), Image.new("RGB", ramp.size, TOP), ramp
        )
        self._draw = ImageDraw.Draw(self._picture)

    def dot(self, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
        box = [OVER * v for v in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(box, fill=colour)

    def line(self, points: list[tuple[float, float]], width: float, colour: tuple[int, int, int]) -> None:
        places = [(OVER * x, OVER * y) for x, y in points]
        self._draw.line(places, fill=colour, width=round(OVER * width), joint="curve")
        for x, y in (points[0], points[-1]):
            self.dot(x, y, width / 2, colour)

    def oval(self, box: Box, width: float, colour: tuple[int, int, int]) -> None:
        self._draw.ellipse([OVER * v for v in box], outline=colour, width=round(OVER * width))

    def tile(self, box: Box, radius: float, colour: tuple[int, int, int]) -> None:
        self._draw.rounded_rectangle([OVER * v for v in box], OVER * radius, fill=colour)

    def frame(self, box: Box, radius: float, width: float, colour: tuple[int, int, int]) -> None:
        self._draw.rounded_rectangle(
            [OVER * v for v in box], OVER * radius, outline=colour, width=round(OVER * width)
        )

    def text(self, x: float, y: float, words: str, size: float, colour: tuple[int, int, int]) -> None:
        font = ImageFont.load_default(OVER * size)
        self._draw.text((OVER * x, OVER * y), words, fill=colour, anchor="ls", font=font)

    def save(self, name: str) -> None:
        small = self._picture.resize(self._size, Image.Resampling.LANCZOS)
        small.save(ASSETS / name, optimize=True)


def face(sheet: Sheet, left: float, top: float, side: float) -> None:
    """The corners of a box, a head in it, its five points."""
    right, bottom, arm, width = left + side, top + side, side * 0.22, side * 0.04
    for x, y, dx, dy in (
        (left, top, arm, arm),
        (right, top, -arm, arm),
        (left, bottom, arm, -arm),
        (right, bottom, -arm, -arm),
    ):
        sheet.line([(x + dx, y), (x, y), (x, y + dy)], width, CORNERS)
    head = (left + side * 0.13, top + side * 0.04, right - side * 0.13, bottom - side * 0.04)
    sheet.oval(head, width * 0.7, INK)
    for (x, y), colour in zip(POINTS, COLOURS, strict=True):
        sheet.dot(left + x * side, top + y * side, side * 0.062, colour)


def tokens(sheet: Sheet, left: float, top: float, side: float) -> None:
    """Numbers: tiles of the five colours, stronger and weaker."""
    count, gap = 5, side * 0.05
    cell = (side - gap * (count - 1)) / count
    for row in range(count):
        for column in range(count):
            strength = 0.25 + 0.75 * ((row * 7 + column * 11 + row * column) % 10) / 9
            colour = tuple(
                round(strength * a + (1 - strength) * b)
                for a, b in zip(COLOURS[(row + column) % 5], TOP, strict=True)
            )
            x, y = left + column * (cell + gap), top + row * (cell + gap)
            sheet.tile((x, y, x + cell, y + cell), cell * 0.22, (colour[0], colour[1], colour[2]))


def arrow(sheet: Sheet, x: float, y: float, length: float) -> None:
    sheet.line([(x, y), (x + length, y)], 5, DIM)
    sheet.line([(x + length - 11, y - 11), (x + length, y), (x + length - 11, y + 11)], 5, DIM)


def icon() -> None:
    sheet = Sheet(ICON)
    face(sheet, 70, 70, 260)
    sheet.save("icon.png")


def banner() -> None:
    sheet = Sheet(BANNER)
    sheet.text(84, 152, "Likeness", 92, INK)
    sheet.text(88, 206, "A given person's face in generated pictures", 33, DIM)
    top, side = 268.0, 190.0
    face(sheet, 90, top, side)
    arrow(sheet, 330, top + side / 2, 70)
    tokens(sheet, 450, top, side)
    arrow(sheet, 690, top + side / 2, 70)
    sheet.frame((810, top, 1170, top + side), 14, 6, INK)
    sheet.line([(826, top + 150), (890, top + 84), (950, top + 146)], 6, DIM)
    sheet.line([(1080, top + 160), (1118, top + 112), (1154, top + 150)], 6, DIM)
    face(sheet, 962, top + 42, 106)
    sheet.save("banner.png")


if __name__ == "__main__":
    ASSETS.mkdir(exist_ok=True)
    icon()
    banner()
