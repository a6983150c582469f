"""Runs stages: in order, from where a broken-off run stopped, each result written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from training import checkpoints
from training.interrupts import Interrupts

from .stages import STAGES, Lesson, Rooms, Scale, Stage, Tensors, stage

log = logging.getLogger(__name__)

SAVE_EVERY, LOG_EVERY = 100, 20
#: Of the names under which a lesson keeps its weights' running average beside them.
AVERAGE = "average."
#: Folder of the cache with finished stages as they were before packing: the report says what that costs.
UNPACKED = "unpacked"
#: From one seed of a command to the next, so that no two stages come to share one.
_SEEDS_APART = 1000


class Clock:
    """Whether the allowed minutes are over, by the wall: what is not done is saved and goes on later."""

    def __init__(self, minutes: float | None) -> None:
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


def train(
    rooms: Rooms,
    only: Iterable[str] = (),
    minutes: float | None = None,
    quick: bool = False,
    again: bool = False,
    warm: bool = False,
    steps: int | None = None,
    seed: int = 0,
) -> bool:
    """Runs the stages that have no file yet; returns whether all asked for are done.

    minutes: of all together, after which the stage at work is saved. again: trains finished ones anew; warm:
    from where their files stand. seed: 0 is each stage's own. Raises ValueError for an unknown stage, or when
    a stage needs one that is not done.
    """
    chosen = [stage(name) for name in only] or list(STAGES)
    chosen = [replace(one, seed=one.seed + _SEEDS_APART * seed) for one in chosen]
    clock = Clock(minutes)
    with Interrupts() as interrupts:
        for one in chosen:
            if done(one, rooms) and not (again or warm):
                log.info("%s: done before.", one.name)
                continue
            scale = one.quick if quick else one.full
            scale = scale if steps is None else replace(scale, steps=steps)
            if not run(one, scale, rooms, lambda: clock.over() or interrupts.asked, warm):
                return False
    return True


def file_of(one: Stage, rooms: Rooms) -> Path:
    return rooms.models / f"{one.name}.safetensors"


def unpacked_file(one: Stage, rooms: Rooms) -> Path:
    """Beside it, in a file .of, stands the sum of the packed one."""
    return rooms.cache / UNPACKED / f"{one.name}.safetensors"


def needed(names: Iterable[str]) -> set[str]:
    """The stages whose files are read to train these: what they need, and the trunks of what holds
    differences."""
    found: set[str] = set()
    ahead = {need for name in names for need in stage(name).needs}
    while ahead:
        found |= ahead
        ahead = {stage(name).trunk for name in ahead} - found - {""}
    return found


def borrow(names: Iterable[str], of: Rooms, rooms: Rooms) -> None:
    """Puts what stages need beside what is trained of another seed; a report's file tells the two apart."""
    rooms.models.mkdir(parents=True, exist_ok=True)
    for need in sorted(needed(names) - set(names)):
        own = file_of(stage(need), rooms)
        if not own.with_suffix(".json").is_file() and done(stage(need), of):
            shutil.copyfile(file_of(stage(need), of), own)


def done(one: Stage, rooms: Rooms) -> bool:
    return file_of(one, rooms).is_file()


def results(names: Iterable[str], rooms: Rooms) -> dict[str, Tensors]:
    """Earlier stages' tensors. Raises ValueError when one is not there."""
    from ..packing import read

    made = {}
    for name in names:
        file = file_of(stage(name), rooms)
        if not file.is_file():
            raise ValueError(f"{file} is missing: run `python -m proof world train --only {name}` first.")
        made[name] = read(file, trunk=lambda trunk: results([trunk], rooms)[trunk])
    return made


def run(
    one: Stage, scale: Scale, rooms: Rooms, stop: Callable[[], bool] = lambda: False, warm: bool = False
) -> bool:
    """One stage to its end and its file, or until `stop()` is true; returns whether it ended."""
    torch.set_num_threads(1)  # small operations on several threads mostly wait for each other
    lesson = one.begin(scale, rooms, results(one.needs, rooms))
    settings = {"stage": one.name, "seed": one.seed, "scale": list(vars(scale).values())}
    before = _start_from(lesson, file_of(one, rooms), rooms) if warm and done(one, rooms) else 0
    if before:
        settings["warm"] = before
    usual = one.seed == stage(one.name).seed
    folder = rooms.cache / "runs" / (one.name if usual else f"{one.name}-{one.seed}")
    first = _resume(lesson, folder, settings)
    began, last = time.monotonic(), first
    losses: list[float] = []
    for number in range(first, scale.steps):
        _rate(lesson, number, scale.steps)
        losses.append(lesson.step(number))
        if not math.isfinite(losses[-1]):
            raise RuntimeError(f"{one.name}: the loss is not a number at step {number}.")
        last = number + 1
        if last % LOG_EVERY == 0 or last == scale.steps:
            mean = sum(losses[-LOG_EVERY:]) / len(losses[-LOG_EVERY:])
            left = (time.monotonic() - began) / (last - first) * (scale.steps - last) / 60
            log.info(
                "%s: step %d of %d, loss %.4f, %.1f minutes left", one.name, last, scale.steps, mean, left
            )
        halt = stop() and last < scale.steps
        if last % SAVE_EVERY == 0 or halt or last == scale.steps:
            _save(lesson, folder, last, settings)
        if halt:
            return False
    tensors, figures = lesson.finish()
    facts = {"seconds": round(time.monotonic() - began, 1), "steps": last, "steps_before": before}
    _write(one, rooms, tensors, {**figures, **facts})
    log.info("%s: done, %s", one.name, figures)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _start_from(lesson: Lesson, file: Path, rooms: Rooms) -> int:
    """Takes what the finished file has, of differences what they are from its trunk as that is now; returns
    after how many steps it was made."""
    from ..packing import read

    found = read(file, trunk=lambda trunk: results([trunk], rooms)[trunk], moved=True)
    with torch.no_grad():
        for name, tensor in lesson.trained().items():
            known = found.get(name.removeprefix(AVERAGE))
            if known is not None and known.shape == tensor.shape:
                tensor.copy_(known)
    report = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return int(report["steps"] + report.get("steps_before", 0))


def _rate(lesson: Lesson, number: int, steps: int) -> None:
    """A short rise, a plateau, and the last third down to nothing."""
    rise = min(1.0, (number + 1) / max(1, min(50, steps // 10)))
    fall = min(1.0, (steps - number) / max(1, steps / 3))
    lesson.optimiser.scale(rise * fall)


def _save(lesson: Lesson, folder: Path, step: int, settings: dict[str, object]) -> None:
    checkpoints.save(folder, step, lesson.trained(), lesson.optimiser.state_dict(), settings, keep=1)


def _resume(lesson: Lesson, folder: Path, settings: dict[str, object]) -> int:
    latest = checkpoints.latest(folder)
    if latest is None:
        return 0
    saved = checkpoints.read(latest)
    checkpoints.check_same(saved.settings, settings)
    lesson.optimiser.load_state_dict(saved.optimiser)
    with torch.no_grad():
        for name, tensor in lesson.trained().items():
            tensor.copy_(saved.tensors[name])
    log.info("Going on at step %d.", saved.step)
    return saved.step


def _write(one: Stage, rooms: Rooms, tensors: Tensors, figures: dict[str, float]) -> None:
    from ..packing import write

    rooms.models.mkdir(parents=True, exist_ok=True)
    trunk = results([one.trunk], rooms)[one.trunk] if one.trunk else None
    write(file_of(one, rooms), tensors, True, trunk, one.trunk, one.delicate, one.bits)
    if one.seed == stage(one.name).seed:
        whole = unpacked_file(one, rooms)
        whole.parent.mkdir(parents=True, exist_ok=True)
        write(whole, tensors, packed=False)
        sum_of = hashlib.sha256(file_of(one, rooms).read_bytes()).hexdigest()
        whole.with_suffix(".of").write_text(sum_of, encoding="utf-8")
    report = rooms.models / f"{one.name}.json"
    part = report.with_suffix(".json.part")
    part.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, report)
    write_sums(rooms.models)


def write_sums(folder: Path) -> None:
    """SHA256SUMS of the finished files, as `sha256sum -c` reads it."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.glob("*.safetensors"))
    ]
    part = folder / "SHA256SUMS.part"
    part.write_text("".join(lines), encoding="utf-8")
    os.replace(part, folder / "SHA256SUMS")
