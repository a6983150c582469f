"""What is looked at while an E-adapter learns: the loss on triplets it does not learn from, pictures of them,
and the two numbers that the method trades."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from likeness.expressions.measure import Measure, distance

from ..chance import generator
from ..grid import write_grid
from ..watch import SEED, looking
from .faces import Looker, Seen
from .lesson import EmojiLesson
from .samples import Batch, Samples

log = logging.getLogger(__name__)


def draw(
    lesson: EmojiLesson, batch: Batch, steps: int, guidance: float, seed: int | str, autocast: Any
) -> Tensor:
    """Pictures [b, 3, S, S] from 0 to 1 of the batch's texts, people and templates, by DDIM.

    guidance: 1 is none; above, the other half sees no text, nobody and a black template. seed: of the noise.
    """
    scheduler = lesson.ddim(steps)
    device, count, side = lesson.alphas.device, len(batch.texts), batch.pictures.shape[-1]
    scale = 2 ** (len(lesson.vae.config.block_out_channels) - 1)
    shape = (count, lesson.vae.config.latent_channels, side // scale, side // scale)
    x = torch.randn(shape, generator=generator("drawn", SEED, seed)).to(device)
    with looking(lesson), autocast():
        shown = _condition(lesson, batch, side, device, guidance != 1)
        tokens = lesson.resampler(shown["features"])
        for time in scheduler.timesteps.tolist():
            both = torch.cat([x] * (len(tokens) // count))
            times = torch.full((len(both),), time, device=device)
            noise = lesson.noise(both, times, shown, tokens).float()
            if len(both) > count:
                plain, wanted = noise.chunk(2)
                noise = plain + guidance * (wanted - plain)
            x = scheduler.step(noise, time, x).prev_sample
        return lesson.shown(x)


def _condition(
    lesson: EmojiLesson, batch: Batch, side: int, device: torch.device, guided: bool
) -> dict[str, Tensor]:
    """What the network is told; with guidance the half without anything comes first."""
    count = len(batch.texts)
    texts, templates, vectors = list(batch.texts), batch.templates, batch.vectors
    nobody = torch.zeros(count, dtype=torch.bool)
    if guided:
        texts, vectors = [""] * count + texts, torch.cat([vectors, vectors])
        templates = torch.cat([torch.zeros_like(templates), templates])
        nobody = torch.cat([~nobody, nobody])
    shown = lesson.texts(texts, side, device)
    shown["person"] = lesson.person(vectors, nobody).to(device)
    shown["features"] = lesson.features(templates.to(device))
    return shown


def draw_grid(
    lesson: EmojiLesson,
    samples: Samples,
    numbers: Sequence[int],
    steps: int,
    guidance: float,
    path: Path,
    autocast: Any,
    looker: Callable[[], Looker],
) -> dict[str, float]:
    """A row per triplet: template, person, target, what was drawn; and how near the drawn ones come.

    The numbers: expression distance of drawn and target (ratios of the mesh), cosine of drawn and person if
    there is a recogniser, and in how many drawn pictures a face was found at all.
    """
    rows, found = [], Drawn()
    for number in numbers:
        batch = samples[number]
        made = draw(lesson, batch, steps, guidance, number, autocast)
        for i, picture in enumerate(made):
            target, vector = batch.pictures[i] / 2 + 0.5, batch.vectors[i]
            rows.append([batch.templates[i], batch.faces[i] / 2 + 0.5, target, picture])
            found.look(looker(), picture, target, vector)
    write_grid(rows, path)
    return found.means()


class Drawn:
    """How near drawn pictures come to their targets and people."""

    def __init__(self) -> None:
        self._faces: list[float] = []
        self._gaps: list[float] = []
        self._likenesses: list[float] = []

    def look(self, looker: Looker, picture: Tensor, target: Tensor, vector: Tensor) -> None:
        """Pictures [3, H, W] from 0 to 1; vector [D] of who it should be, D 0 without a recogniser."""
        seen, wanted = (looker.see(p.movedim(0, -1).contiguous()) for p in (picture, target))
        self._faces.append(float(seen is not None))
        if seen is not None and wanted is not None:
            self._gaps.append(expression_gap(seen, wanted))
        if seen is not None and len(vector):
            self._likenesses.append(float(F.cosine_similarity(looker.describe([seen])[0], vector, dim=0)))

    def means(self) -> dict[str, float]:
        """What could be measured; the share of pictures with a face always."""
        named = {
            "drawn faces": self._faces,
            "drawn expression distance": self._gaps,
            "drawn identity": self._likenesses,
        }
        return {name: sum(values) / len(values) for name, values in named.items() if values}


def expression_gap(one: Seen, other: Seen, measure: Measure | None = None) -> float:
    """Of two faces; raises ValueError when the landmarker sees one of them not."""
    readings = [(measure or Measure()).read(seen.faces)[0] for seen in (one, other)]
    if readings[0] is None or readings[1] is None:
        raise ValueError("The landmarker sees no face in one of the two pictures.")
    return distance(readings[0], readings[1])
