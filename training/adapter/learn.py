"""A run of the trainer of adapters, out of its options."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .. import run
from ..accelerator import open_accelerator
from ..chance import number
from ..loop import Every
from ..people import checked, folders, split
from ..resampler import HEAD, Sizes
from ..text_to_image import BaseModel, load_base
from .export import export, read_adapter
from .faces import find_faces, looker
from .lesson import VECTOR, AdapterLesson, Course
from .samples import Samples
from .watch import draw_grid, told_apart

log = logging.getLogger(__name__)

#: Pixels of a side, as each base model was made for.
_SIDES = {"sd15": 512, "sdxl": 1024}


def learn(options: argparse.Namespace) -> AdapterLesson:
    """Train with parsed options. Raises ValueError for what can't be used, loop.Diverged, TooLittleMemory."""
    if options.face_weight <= 0:
        raise ValueError(f"--face-weight {options.face_weight:g}: give a number above 0.")
    accelerator = open_accelerator(options)
    base = load_base(options.base)
    options.size = options.size or _SIDES[base.kind]
    learning, looking = _samples(options, accelerator)
    lesson = _lesson(options, base)
    settings = _settings(options, learning, accelerator.mixed_precision)
    watchers = _watchers(options, lesson, looking, accelerator)
    reached = run.learn(lesson, learning, options, accelerator, settings, watchers, options.batch)
    name = f"adapter_{lesson.kind}_{options.recogniser}_{reached:06}.safetensors"

    def export_to(path: Path) -> None:
        export(lesson, path, options.recogniser)

    run.write(accelerator, name, export_to, options, "models/instantid for Load InstantID")
    return lesson


def _samples(options: argparse.Namespace, accelerator: Any) -> tuple[Samples, Samples | None]:
    """(what is learnt from, who is only looked at). The main process finds faces, the others read that."""
    root, shares = Path(options.data), (options.test_share, options.validation_share)
    if not root.is_dir():
        raise ValueError(f"--data {root} is no folder.")
    people = checked(root, *split(folders(root, least=1), *shares), "pictures", *shares)

    def open_look() -> Any:
        return looker(options.recogniser, Path(options.face_models))

    with accelerator.main_process_first():
        known = find_faces(people, Path(options.output), options.recogniser, options.size, open_look)
    process, processes = accelerator.process_index, accelerator.num_processes
    rest = known, options.batch, options.size
    learning = Samples(people, people.train, *rest, options.seed, process, processes)
    if not learning.targets:
        raise ValueError(f"--data {root}: no picture of those that are learnt from shows a face.")
    log.info("%d people, %d pictures to learn from", len(people.train), len(learning.targets))
    looking = Samples(people, people.validation, *rest, seed=2022, mirror=False)
    return learning, looking if looking.targets else None


def _lesson(options: argparse.Namespace, base: BaseModel) -> AdapterLesson:
    start = read_adapter(Path(options.start)) if options.start else None
    course = Course(options.rate, options.face_weight, options.gradient_checkpointing)
    torch.manual_seed(number("beginning", options.seed))  # the resampler's
    return AdapterLesson(base, start, course, _sizes(options, int(base.unet.config.cross_attention_dim)))


def _sizes(options: argparse.Namespace, out: int) -> Sizes:
    usual = Sizes.of(VECTOR, out)
    width = options.width or usual.width
    return replace(usual, width=width, heads=width // HEAD, depth=options.depth, tokens=options.tokens)


def _watchers(
    options: argparse.Namespace, lesson: AdapterLesson, look: Samples | None, accelerator: Any
) -> list[Every]:
    if look is None:
        return []
    there = -(-len(look.targets) // options.batch)
    count = min(there, options.validation_batches)

    def draw(path: Path) -> dict[str, float]:
        numbers = range(min(there, options.samples))
        how = options.sample_steps, options.guidance
        draw_grid(lesson, look, numbers, *how, path, accelerator.autocast)
        return {}

    def apart(step: int) -> dict[str, float]:
        return told_apart(lesson, look, count)

    return [*run.watching(lesson, look, there, options, draw), Every(options.validate_every, apart)]


def _settings(options: argparse.Namespace, learn: Samples, precision: str) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    kept = ("recogniser", "size", "batch", "rate", "warm_up", "face_weight", "tokens", "width", "depth")
    names = [name for name, _ in learn.targets]
    start = Path(options.start).name if options.start else ""
    facts = {"start": start, "precision": precision, "pictures": number(*names)}
    return {**{key: getattr(options, key) for key in kept}, **facts}
