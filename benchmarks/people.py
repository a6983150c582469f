"""Judging who everybody is, beside scoring the same pictures: nothing is wrong, so nothing is drawn."""

from __future__ import annotations

import logging

import numpy as np
import torch

from benchmarks.measure import best_of, ratios
from likeness.algebra.score import score_faces
from likeness.cast import Cast, Member
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.models import FaceModels
from likeness.redraw.judge import Judge
from likeness.redraw.repair import repair
from likeness.redraw.settings import Settings
from likeness.redraw.value import DenoiseRange, Redraw, Sampling
from likeness.values import Identity

#: Faces of a picture, and how they are laid out: columns and rows of one photo.
CROWDS = {1: (1, 1), 5: (5, 1), 20: (5, 4)}
_SIDE = 320


def rows() -> list[tuple[str, str]]:
    import skimage.data

    from installer.paths import shared_models

    logging.getLogger("likeness").setLevel(logging.ERROR)  # that the same recogniser judges is meant here
    photo = torch.from_numpy(skimage.data.astronaut()[:_SIDE, 60 : 60 + _SIDE].astype(np.float32) / 255)
    models = FaceModels.open("embedded", "CPU", folders=[shared_models() / "insightface"])
    return [
        row for count, (across, down) in CROWDS.items() for row in _crowd(models, photo, across, down, count)
    ]


def _crowd(
    models: FaceModels, photo: torch.Tensor, across: int, down: int, count: int
) -> list[tuple[str, str]]:
    picture = photo.repeat(down, across, 1)[None].contiguous()
    found = embed(models, detect(models, picture), "sface").faces[0]
    assert len(found) == count, f"{len(found)} faces instead of {count}"
    people = [Identity(face.embeddings["sface"][None], "sface") for face in found]
    cast = Cast(tuple(Member(f"person {n}", {"sface": one}) for n, one in enumerate(people)))
    redraw = Redraw(
        "nobody", None, None, Sampling(), lambda subject: (None, [], []), DenoiseRange(0.1, 0.5, 1)
    )
    judge, settings = Judge("sface", ""), Settings(0.4)

    def score() -> object:
        return score_faces(models, picture, people[0])

    def right() -> object:
        done = repair(models, picture, cast, redraw, judge, settings)
        assert done.passed and done.images is picture
        return done

    (seconds,) = best_of(3, right)
    (over,) = ratios(7, score, right)
    what = f"judging {count} face{'s' if count > 1 else ''} in one picture, all right"
    return [(what, f"{seconds * 1e3:.0f} ms"), (f"{what}, over Score Faces", over)]
