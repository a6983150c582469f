"""Train PVA (parallel visual attention): `python -m training.pva --help`.

On several graphics cards: `accelerate launch -m training.pva ...`. Spec: pva_freecure_emojidiff.md A.5.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # else at use: --help should not wait for torch
    from .lesson import PVALesson
    from .samples import Samples

log = logging.getLogger("training.pva")


def main(arguments: Sequence[str] | None = None) -> PVALesson:
    """Train as the command line says; returns what was trained. Exits with one sentence for bad input."""
    from .options import parser

    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from ..loop import Diverged
    from ..memory import TooLittleMemory

    try:
        return run(options)
    except (ValueError, Diverged, TooLittleMemory) as error:
        raise SystemExit(f"training.pva: {error}") from error


def run(options: argparse.Namespace) -> PVALesson:
    """Train with parsed options. Raises ValueError for what can't be used, loop.Diverged, TooLittleMemory."""
    from ..accelerator import open_accelerator
    from ..batches import batches
    from ..loop import Plan, train
    from ..memory import check, estimate, unet_features
    from .export import export

    accelerator = open_accelerator(options)
    learn, look = _samples(options, accelerator)
    lesson = _lesson(options)
    side, bytes_each = options.size // 8, 2 if accelerator.mixed_precision == "bf16" else 4
    features = unet_features(
        lesson.unet.config, options.batch, side, bytes_each, options.gradient_checkpointing
    )
    check(estimate(lesson, features), accelerator.device)
    plan = Plan(
        Path(options.output),
        options.steps,
        options.batch,
        options.seed,
        options.save_every,
        options.keep,
        options.log_every,
    )
    reached = train(
        lesson,
        lambda first: batches(learn, first, options.steps, options.workers),
        plan,
        accelerator,
        _settings(options, learn, accelerator.mixed_precision),
        _watchers(options, lesson, look, accelerator),
        options.log_to,
    )
    if accelerator.is_main_process:
        file = plan.folder / f"pva_stage{options.stage}_{reached:06}.{options.format}"
        export(lesson, file)
        log.info("Wrote %s: put it into models/pva for Load PVA.", file)
    accelerator.wait_for_everyone()
    return lesson


def _samples(options: argparse.Namespace, accelerator: Any) -> tuple[Samples, Samples | None]:
    """(what is learnt from, who is only looked at). The main process finds faces, the others read that."""
    from ..pictures import pictures_in
    from .boxes import find_boxes
    from .data import read_people
    from .samples import Samples

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
    import torch

    from ..chance import number
    from ..reading import read_face_encoder
    from . import base as pva_base
    from .export import read_base
    from .lesson import PVALesson

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
) -> list[Any]:
    from ..loop import Every
    from ..watch import held_out_loss
    from .watch import draw_grid

    if look is None:
        return []
    found = -(-len(look.targets) // options.batch)
    rows = range(min(found, -(-options.samples // options.batch)))

    def validate(step: int) -> dict[str, float]:
        loss = held_out_loss(lesson, look, min(found, options.validation_batches))
        log.info("step %d, held-out loss %.4f", step, loss)
        return {"held-out loss": loss}

    def pictures(step: int) -> dict[str, float]:
        path = Path(options.output) / "samples" / f"step_{step:08}.png"
        draw_grid(lesson, look, rows, options.sample_steps, path, accelerator.autocast)
        return {}

    return [Every(options.validate_every, validate), Every(options.sample_every, pictures)]


def _settings(options: argparse.Namespace, learn: Samples, precision: str) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    from ..chance import number

    kept = ("stage", "size", "timesteps", "batch", "latents", "rate", "official_box_quirk")
    names = [learn.people.name(picture) for _, picture in learn.targets]
    return {
        **{key: getattr(options, key) for key in kept},
        "precision": precision,
        "pictures": number(*names),
    }
