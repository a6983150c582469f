"""A run of PVA's trainer, out of its options."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import torch

from .. import run
from ..accelerator import open_accelerator
from ..chance import number
from ..loop import Every
from ..pictures import pictures_in
from ..reading import read_face_encoder
from . import base as pva_base
from .boxes import find_boxes
from .data import read_people
from .export import export, read_base
from .lesson import PVALesson
from .samples import Samples
from .watch import draw_grid

log = logging.getLogger(__name__)


def learn(options: argparse.Namespace) -> PVALesson:
    """Train with parsed options. Raises ValueError for what can't be used, loop.Diverged, TooLittleMemory."""
    accelerator = open_accelerator(options)
    learning, looking = _samples(options, accelerator)
    lesson = _lesson(options)
    settings = _settings(options, learning, accelerator.mixed_precision)
    watchers = _watchers(options, lesson, looking, accelerator)
    reached = run.learn(lesson, learning, options, accelerator, settings, watchers, options.batch)
    name = f"pva_stage{options.stage}_{reached:06}.{options.format}"
    run.write(accelerator, name, lambda file: export(lesson, file), options, "models/pva for Load PVA")
    return lesson


def _samples(options: argparse.Namespace, accelerator: Any) -> tuple[Samples, Samples | None]:
    """(what is learnt from, who is only looked at). The main process finds faces, the others read that."""

    official = Path(options.list) if options.list else None
    people = read_people(Path(options.data), official, options.test_share, options.validation_share)
    masks = pictures_in(Path(options.masks)) if options.masks else []
    if options.masks and not masks:
        raise ValueError(f"--masks {options.masks} has no pictures.")
    cache = Path(options.boxes) if options.boxes else Path(options.output) / "boxes.json"
    with accelerator.main_process_first():
        boxes = find_boxes(people, cache, options.size, options.official_box_quirk)
    learn = Samples(
        people,
        people.train,
        boxes,
        options.batch,
        options.size,
        masks,
        options.seed,
        accelerator.process_index,
        accelerator.num_processes,
    )
    log.info("%d people, %d pictures to learn from", len(people.train), len(learn.targets))
    if not people.validation:
        return learn, None
    return learn, Samples(people, people.validation, boxes, options.batch, options.size, masks, seed=2022)


def _lesson(options: argparse.Namespace) -> PVALesson:

    start = read_base(Path(options.start)) if options.start else None
    if options.stage == 2 and start is None:
        raise ValueError("--stage 2 goes on from stage 1's file: give it as --start.")
    if start is not None and start.face_net is not None:
        encoder = start.face_net
    elif options.face_encoder:
        encoder = read_face_encoder(Path(options.face_encoder))
    else:
        raise ValueError("--face-encoder is needed: ms1mv3_arcface_r50.pth. training/README.md says whence.")
    base = pva_base.load(options.base, options.base_config)
    torch.manual_seed(number("beginning", options.seed))  # the identity transformer's
    return PVALesson(
        base,
        encoder,
        options.stage,
        start,
        options.timesteps,
        options.latents == "sample",
        options.gradient_checkpointing,
        options.rate,
    )


def _watchers(
    options: argparse.Namespace, lesson: PVALesson, look: Samples | None, accelerator: Any
) -> list[Every]:
    if look is None:
        return []
    there = -(-len(look.targets) // options.batch)
    rows = range(min(there, -(-options.samples // options.batch)))

    def draw(path: Path) -> dict[str, float]:
        draw_grid(lesson, look, rows, options.sample_steps, path, accelerator.autocast)
        return {}

    return run.watching(lesson, look, there, options, draw)


def _settings(options: argparse.Namespace, learn: Samples, precision: str) -> dict[str, Any]:
    """What must be the same when a run goes on."""

    kept = ("stage", "size", "timesteps", "batch", "latents", "rate", "official_box_quirk")
    names = [learn.people.name(picture) for _, picture in learn.targets]
    return {
        **{key: getattr(options, key) for key in kept},
        "precision": precision,
        "pictures": number(*names),
    }
