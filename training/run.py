"""What the commands of all trainers do: say what can't be used, estimate, learn, look, write the file."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .batches import batches
from .loop import Diverged, Every, Lesson, Plan, train
from .memory import TooLittleMemory, check, estimate, unet_features
from .watch import Batches, held_out_loss

log = logging.getLogger(__name__)
L = TypeVar("L", bound=Lesson)


def told(program: str, run: Callable[[argparse.Namespace], L], options: argparse.Namespace) -> L:
    """run(options), its log on stderr. Exits with one sentence for what can't be used."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return run(options)
    except (ValueError, Diverged, TooLittleMemory) as error:
        raise SystemExit(f"{program}: {error}") from error


def learn(
    lesson: Any,
    samples: Any,
    options: argparse.Namespace,
    accelerator: Any,
    settings: Mapping[str, Any],
    watchers: Sequence[Every],
    pictures: int,
    further: int = 0,
) -> int:
    """Train as the options say; returns the step reached.

    settings: what must be the same when a run goes on. pictures: that go through the network at once;
    further: bytes that are kept for the way back beside the U-Net's. Raises ValueError, loop.Diverged,
    TooLittleMemory.
    """
    bytes_each = 2 if accelerator.mixed_precision == "bf16" else 4
    shape = pictures, options.size // 8, bytes_each, options.gradient_checkpointing
    check(estimate(lesson, unet_features(lesson.unet.config, *shape) + further), accelerator.device)
    plan = Plan(
        Path(options.output),
        options.steps,
        pictures,
        options.seed,
        options.save_every,
        options.keep,
        options.log_every,
        warm_up=getattr(options, "warm_up", 0),
    )

    def from_step(first: int) -> Any:
        return batches(samples, first, options.steps, options.workers)

    return train(lesson, from_step, plan, accelerator, settings, watchers, options.log_to)


def watching(
    lesson: Lesson,
    look: Batches,
    there: int,
    options: argparse.Namespace,
    draw: Callable[[Path], Mapping[str, float]],
) -> list[Every]:
    """The loss on the first of `there` batches not learnt from, and draw(file), which may measure."""

    def validate(step: int) -> dict[str, float]:
        loss = held_out_loss(lesson, look, min(there, options.validation_batches))
        log.info("step %d, held-out loss %.4f", step, loss)
        return {"held-out loss": loss}

    def pictures(step: int) -> Mapping[str, float]:
        return draw(Path(options.output) / "samples" / f"step_{step:08}.png")

    return [Every(options.validate_every, validate), Every(options.sample_every, pictures)]


def write(accelerator: Any, name: str, export: Callable[[Path], object], options: Any, where: str) -> None:
    """The trained file into the run's folder, by the main process; where: it goes, for the log."""
    if accelerator.is_main_process:
        file = Path(options.output) / name
        export(file)
        log.info("Wrote %s: put it into %s.", file, where)
    accelerator.wait_for_everyone()
