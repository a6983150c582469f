"""The thumbnails of what is done to prompts alone: no picture, but what happens to the words.

The rows are made up (a generator with a seed); what is done to them is done by the library.
"""

from __future__ import annotations

import torch

from likeness.methods.projection import basis, project_out
from likeness.methods.story import Reweighting, expressed

from .thumbnail_card import DIM, FRAME, INK, Card

_LOUD = (230, 97, 0)
_WORDS = 5


def _numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _shade(share: float) -> tuple[int, int, int]:
    """Orange at 1, nearly the card's own colour at 0."""
    part = 0.08 + 0.92 * min(1.0, max(0.0, share))
    red, green, blue = (round(24 + (colour - 24) * part) for colour in _LOUD)
    return red, green, blue


def story() -> None:
    """Three prompts of one story: which words are loud in each."""
    x, card = _numbers(40, 128, seed=1), Card()
    frames = [range(6 + _WORDS * n, 6 + _WORDS * (n + 1)) for n in range(3)]
    prompts = list(expressed(x, frames, range(21, 40), range(3), Reweighting()))
    card.text((256, 34), "one story, no photo", 24)
    for number, made in enumerate(prompts):
        top = 104 + number * 82
        parts = [range(1, 6), *frames]
        for place, rows in enumerate(parts):
            left = 28 + place * 117
            loud = float(made[rows].norm() / x[rows].norm())
            card.draw.rectangle((left, top, left + 108, top + 44), fill=_shade(loud), outline=FRAME)
            label = "who" if place == 0 else f"frame {place}"
            card.text((left + 54, top + 22), label, 17, INK if loud > 0.5 else DIM)
        card.text((256, top + 58), f"picture {number + 1}", 13, DIM)
    card.text((256, 362), "who stays, one frame at a time is loud", 16, DIM)
    card.save("story")


def projection() -> None:
    """What points to the unwanted in each row, before and after."""
    unwanted, card = _numbers(2, 24, seed=3), Card()
    v = basis(unwanted).float()
    shares = torch.linspace(0.1, 0.95, 9)[:, None]
    x = _numbers(9, 24, seed=4)
    x = x + shares * (_numbers(9, 2, seed=5) @ v.T * 4)
    made = [x, project_out(x, basis(unwanted), 0.5), project_out(x, basis(unwanted), 1.0)]
    card.text((256, 34), "words taken out of a prompt", 24)
    most = float((x @ v).norm(dim=-1).max())
    for place, (rows, label) in enumerate(zip(made, ("strength 0", "0.5", "1"), strict=True)):
        left = 36 + place * 160
        for row, size in enumerate((rows @ v).norm(dim=-1).tolist()):
            top = 84 + row * 25
            card.draw.rectangle((left, top, left + 120, top + 14), outline=FRAME)
            card.draw.rectangle((left, top, left + round(120 * size / most), top + 14), fill=_LOUD)
        card.text((left + 60, 326), label, 17)
    card.text((256, 358), "how much of each row points to them", 16, DIM)
    card.save("project_out")
