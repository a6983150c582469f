"""A run of a stage of EmojiDiff's trainer, out of its options."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from .. import run
from ..accelerator import open_accelerator
from ..chance import number
from ..loop import Every
from ..reading import read_face_encoder
from ..text_to_image import load_base
from . import base as emoji_base
from .data import make_triplets, open_tools
from .export import export, read_adapter
from .faces import Looker
from .ica import Weights
from .ica_lesson import ICALesson
from .lesson import Course, EmojiLesson
from .people import find_people
from .portraits import prepare
from .samples import Samples
from .triplets import Triplet, read_triplets
from .watch import draw_grid

log = logging.getLogger(__name__)

#: Bytes that decoding a picture of 512 pixels keeps for the way back, with checkpointing. A guess.
_DECODED = 6 << 30


def learn(options: argparse.Namespace) -> EmojiLesson:
    """The stages base, decoupled and ica. Raises ValueError, loop.Diverged, TooLittleMemory."""
    if options.batch % options.parts:
        raise ValueError(f"--batch {options.batch} can't be divided into --parts {options.parts}.")
    accelerator = open_accelerator(options)
    learning, looking = _samples(options, accelerator)
    lesson = make_lesson(options)
    count, decoded = options.batch // options.parts, 0
    if options.stage == "ica":
        decoded = round(count * _DECODED * (options.size / 512) ** 2)
    settings = _settings(options, learning.triplets, accelerator.mixed_precision)
    watchers = _watchers(options, lesson, looking, accelerator)
    reached = run.learn(lesson, learning, options, accelerator, settings, watchers, count, decoded)
    name = f"emojidiff_{options.stage}_{reached:06}.safetensors"
    where = "models/emojidiff for Load E-Adapter"
    run.write(accelerator, name, lambda file: export(lesson, file, options.clip_name), options, where)
    return lesson


def draw_and_swap(options: argparse.Namespace) -> EmojiLesson:
    """The stage data: triplets drawn, swapped and filtered. Raises ValueError."""
    accelerator, tools = open_accelerator(options), open_tools(options)
    lesson = make_lesson(options)
    lesson.to(accelerator.device)
    make_triplets(options, tools, lesson, accelerator)
    return lesson


def make_lesson(options: argparse.Namespace) -> EmojiLesson:
    """The networks of a stage. Raises ValueError for files that are missing, broken or of another base."""

    identity = None
    if options.identity_adapter:
        unit = options.identity_vectors == "unit"
        identity = emoji_base.load_identity(Path(options.identity_adapter), unit)
    start = read_adapter(Path(options.start)) if options.start else None
    base, vision = load_base(options.base), emoji_base.load_vision(options.clip)
    torch.manual_seed(number("beginning", options.seed))  # the Resampler's
    if options.stage == "data":
        return EmojiLesson(base, vision, identity, start)
    course = Course(options.rate, options.parts, options.gradient_checkpointing)
    if options.stage != "ica":
        return EmojiLesson(base, vision, identity, start, course)
    terms = options.identity_weight, options.alignment_weight, options.expression_weight
    encoder = read_face_encoder(Path(options.face_encoder))
    return ICALesson(encoder, Weights(*terms, options.cut), base, vision, identity, start, course)


def _samples(options: argparse.Namespace, accelerator: Any) -> tuple[Samples, Samples | None]:
    """(what is learnt from, what is only looked at). The main process looks for faces."""

    folder, data = Path(options.output), Path(options.data)
    with accelerator.main_process_first():
        if options.stage == "base":
            found = prepare(data, folder / "portraits", options.size // 2)
        else:
            found = read_triplets(data)
        recogniser = Path(options.recogniser) if options.recogniser else None
        people, found = find_people(found, folder, recogniser)
    kept = min(len(found) - 1, round(len(found) * options.held_out))
    process, processes = accelerator.process_index, accelerator.num_processes
    learning = Samples(found[kept:], people, options.batch, options.size, options.seed, process, processes)
    log.info("%d triplets to learn from, %d to look at", len(found) - kept, kept)
    if not kept:
        return learning, None
    return learning, Samples(found[:kept], people, options.batch, options.size, 2024, augment=False)


def _watchers(
    options: argparse.Namespace, lesson: EmojiLesson, look: Samples | None, accelerator: Any
) -> list[Every]:
    if look is None:
        return []
    there = -(-len(look.triplets) // options.batch)
    looker = cache(lambda: Looker(Path(options.recogniser) if options.recogniser else None))

    def draw(path: Path) -> dict[str, float]:
        numbers, rows = range(min(there, options.samples)), accelerator.autocast
        return draw_grid(lesson, look, numbers, options.sample_steps, options.guidance, path, rows, looker)

    return run.watching(lesson, look, there, options, draw)


def _settings(options: argparse.Namespace, triplets: Sequence[Triplet], precision: str) -> dict[str, Any]:
    """What must be the same when a run goes on."""

    kept = ["stage", "size", "batch", "parts", "rate", "warm_up", "held_out", "identity_vectors"]
    if options.stage == "ica":
        kept += ["identity_weight", "alignment_weight", "expression_weight", "cut"]
    names = [f"{one.expression.name}/{one.target.name}" for one in triplets]
    files = {name: Path(getattr(options, name) or "").name for name in ("identity_adapter", "recogniser")}
    facts = {"precision": precision, "triplets": number(*names)}
    return {**{key: getattr(options, key) for key in kept}, **files, **facts}
