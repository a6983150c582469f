"""Train an EmojiDiff-style E-adapter: `python -m training.emojidiff --help`.

On several graphics cards: `accelerate launch -m training.emojidiff STAGE ...`. Spec:
pva_freecure_emojidiff.md C.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # else at use: --help should not wait for torch
    from .lesson import EmojiLesson
    from .samples import Samples
    from .triplets import Triplet

log = logging.getLogger("training.emojidiff")

#: Bytes that decoding a picture of 512 pixels keeps for the way back, with checkpointing. A guess.
_DECODED = 6 << 30


def main(arguments: Sequence[str] | None = None) -> EmojiLesson:
    """Run a stage as the command line says; returns its lesson. Exits with one sentence for bad input."""
    from .options import parser

    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from ..loop import Diverged
    from ..memory import TooLittleMemory

    try:
        return iterate(options) if options.stage == "data" else learn(options)
    except (ValueError, Diverged, TooLittleMemory) as error:
        raise SystemExit(f"training.emojidiff: {error}") from error


def learn(options: argparse.Namespace) -> EmojiLesson:
    """The stages base, decoupled and ica. Raises ValueError, loop.Diverged, TooLittleMemory."""
    from ..accelerator import open_accelerator
    from ..batches import batches
    from ..loop import Plan, train
    from ..memory import check, estimate, unet_features
    from .export import export

    if options.batch % options.parts:
        raise ValueError(f"--batch {options.batch} can't be divided into --parts {options.parts}.")
    accelerator = open_accelerator(options)
    learning, looking = _samples(options, accelerator)
    lesson = make_lesson(options)
    count, bytes_each = options.batch // options.parts, 2 if accelerator.mixed_precision == "bf16" else 4
    kept = count, options.size // 8, bytes_each, options.gradient_checkpointing
    features = unet_features(lesson.unet.config, *kept)
    if options.stage == "ica":
        features += round(count * _DECODED * (options.size / 512) ** 2)
    check(estimate(lesson, features), accelerator.device)
    plan = Plan(
        Path(options.output),
        options.steps,
        count,
        options.seed,
        options.save_every,
        options.keep,
        options.log_every,
        warm_up=options.warm_up,
    )
    reached = train(
        lesson,
        lambda first: batches(learning, first, options.steps, options.workers),
        plan,
        accelerator,
        _settings(options, learning.triplets),
        _watchers(options, lesson, looking, accelerator),
        options.log_to,
    )
    if accelerator.is_main_process:
        file = plan.folder / f"emojidiff_{options.stage}_{reached:06}.safetensors"
        export(lesson, file, options.clip_name)
        log.info("Wrote %s: put it into models/emojidiff for Load E-Adapter.", file)
    accelerator.wait_for_everyone()
    return lesson


def iterate(options: argparse.Namespace) -> EmojiLesson:
    """The stage data: triplets drawn, swapped and filtered. Raises ValueError."""
    from ..accelerator import open_accelerator
    from .idi import iterate as make_data
    from .idi_tools import open_tools

    accelerator, tools = open_accelerator(options), open_tools(options)
    lesson = make_lesson(options)
    lesson.to(accelerator.device)
    make_data(options, tools, lesson, accelerator)
    return lesson


def make_lesson(options: argparse.Namespace) -> EmojiLesson:
    """The networks of a stage. Raises ValueError for files that are missing, broken or of another base."""
    import torch

    from ..chance import number
    from ..reading import read_face_encoder
    from . import base as emoji_base
    from .export import read_adapter
    from .ica import Weights
    from .ica_lesson import ICALesson
    from .lesson import Course, EmojiLesson

    identity = None
    if options.identity_adapter:
        unit = options.identity_vectors == "unit"
        identity = emoji_base.load_identity(Path(options.identity_adapter), unit)
    start = read_adapter(Path(options.start)) if options.start else None
    base, vision = emoji_base.load_base(options.base), emoji_base.load_vision(options.clip)
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
    from .people import find_people
    from .portraits import prepare
    from .samples import Samples
    from .triplets import read_triplets

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
) -> list[Any]:
    from ..loop import Every
    from ..watch import held_out_loss
    from .faces import Looker
    from .watch import draw_grid

    if look is None:
        return []
    there = -(-len(look.triplets) // options.batch)
    looker = cache(lambda: Looker(Path(options.recogniser) if options.recogniser else None))

    def validate(step: int) -> dict[str, float]:
        loss = held_out_loss(lesson, look, min(there, options.validation_batches))
        log.info("step %d, held-out loss %.4f", step, loss)
        return {"held-out loss": loss}

    def pictures(step: int) -> dict[str, float]:
        path = Path(options.output) / "samples" / f"step_{step:08}.png"
        numbers, rows = range(min(there, options.samples)), accelerator.autocast
        return draw_grid(lesson, look, numbers, options.sample_steps, options.guidance, path, rows, looker)

    return [Every(options.validate_every, validate), Every(options.sample_every, pictures)]


def _settings(options: argparse.Namespace, triplets: Sequence[Triplet]) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    from ..chance import number

    kept = ["stage", "size", "batch", "parts", "rate", "warm_up", "precision", "held_out", "identity_vectors"]
    if options.stage == "ica":
        kept += ["identity_weight", "alignment_weight", "expression_weight", "cut"]
    names = [f"{one.expression.name}/{one.target.name}" for one in triplets]
    files = {name: Path(getattr(options, name) or "").name for name in ("identity_adapter", "recogniser")}
    return {**{key: getattr(options, key) for key in kept}, **files, "triplets": number(*names)}
