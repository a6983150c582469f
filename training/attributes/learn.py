"""A run of the trainer of directions, out of its options."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from likeness.methods.attributes.difference import check_name
from likeness.methods.attributes.recipe import read_pairs, read_prefixes

from .. import run
from ..accelerator import open_accelerator
from ..chance import number
from ..loop import Every
from ..text_to_image import load_base
from .export import export
from .lesson import AttributeLesson, Course
from .samples import Samples
from .watch import draw_grid

log = logging.getLogger(__name__)

#: Pixels of a side, as each base model was made for.
_SIDES = {"sd15": 512, "sdxl": 1024}


def learn(options: argparse.Namespace) -> AttributeLesson:
    """Train with parsed options. Raises ValueError for what can't be used, loop.Diverged, TooLittleMemory."""
    least, most = options.scale_range
    if not 0 < least <= most:
        raise ValueError(
            f"--scale-range {least:g} {most:g}: give two numbers above 0, the smaller one first."
        )
    check_name(options.name)
    accelerator = open_accelerator(options)
    learning = _samples(options, options.seed, accelerator.process_index)
    base = load_base(options.base)
    options.size = options.size or _SIDES[base.kind]
    lesson = AttributeLesson(base, _course(options))
    lesson.autocast = accelerator.autocast
    _check(lesson, learning)
    settings = _settings(options, learning, accelerator.mixed_precision)
    watchers = _watchers(options, lesson)
    at_once = options.batch * options.scales
    reached = run.learn(lesson, learning, options, accelerator, settings, watchers, at_once)
    file = f"{options.name}_{reached:06}.safetensors"

    def export_to(path: Path) -> None:
        export(lesson, path, options.name, Path(options.base).name)

    run.write(accelerator, file, export_to, options, "models/attributes for Load Attribute")
    return lesson


def _samples(options: argparse.Namespace, seed: int, process: int = 0) -> Samples:
    pairs = read_pairs(_text(options.pairs, "--pairs"), f"--pairs {options.pairs}")
    prefixes: tuple[str, ...] = ("",)
    if options.prefixes:
        prefixes = read_prefixes(_text(options.prefixes, "--prefixes"), f"--prefixes {options.prefixes}")
    return Samples(pairs, prefixes, options.batch, options.parts, seed, process)


def _text(path: str, option: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{option} {path} can't be read as a text file. ({error})") from error


def _course(options: argparse.Namespace) -> Course:
    return Course(
        options.size,
        options.rate,
        options.parts,
        options.scales,
        options.scale_range[0],
        options.scale_range[1],
        options.draw_steps,
        options.guidance,
        options.gradient_checkpointing,
    )


def _check(lesson: AttributeLesson, samples: Samples) -> None:
    """Every prompt now, and not after hours. Raises ValueError for one that is too long."""
    log.info("%d prompts from %d pairs", samples.combinations, len(samples.pairs))
    lesson.rows([samples.prompts(n) for n in range(samples.combinations)])


def _watchers(options: argparse.Namespace, lesson: AttributeLesson) -> list[Every]:
    look = _samples(options, seed=2022)
    shown = [look.prompts(n) for n in range(min(options.samples, look.combinations))]

    def draw(path: Path) -> dict[str, float]:
        return draw_grid(lesson, shown, path)

    return run.watching(lesson, look, options.validation_batches, options, draw)


def _settings(options: argparse.Namespace, learn: Samples, precision: str) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    kept = ("name", "size", "batch", "parts", "scales", "draw_steps", "guidance", "rate")
    recipe = [text for pair in learn.pairs for text in (pair.positive, pair.negative, pair.neutral)]
    return {
        **{key: getattr(options, key) for key in kept},
        "scale_range": list(options.scale_range),
        "precision": precision,
        "prompts": number(*recipe, *learn.prefixes),
    }
