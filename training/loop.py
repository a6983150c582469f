"""The loop of every trainer: steps, several processes, checkpoints, going on where it stopped.

All randomness of step n comes from (seed, n, process), so a run that was broken off goes on exactly as if it
had not been: there is no state of generators or of the data's order to keep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoints
from .chance import generator, number
from .interrupts import Interrupts
from .trackers import Trackers

log = logging.getLogger(__name__)

#: The batch of a step, for this process.
Batches = Callable[[int], Iterable[Any]]


class Lesson(nn.Module):
    """What is learnt. One step is `parts` forward passes, whose gradients are averaged."""

    parts = 1

    def trained(self) -> dict[str, nn.Parameter]:
        """Everything that learns, by the names it is saved under."""
        raise NotImplementedError

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        """The optimiser's groups; effective_batch: pictures x processes x parts."""
        raise NotImplementedError

    def prepare_batch(self, batch: Any, source: torch.Generator) -> Any:
        """Once a step and without gradients: latents, noise, tokens."""
        raise NotImplementedError

    def forward(self, prepared: Any, part: int) -> torch.Tensor:
        """The loss of one part."""
        raise NotImplementedError


@dataclass(frozen=True)
class Plan:
    """How long, and how often to save. pictures: of one process in one step. warm_up: steps in which the
    learning rates grow from nothing to theirs."""

    folder: Path
    steps: int
    pictures: int = 1
    seed: int = 0
    save_every: int = 1000
    keep: int = 3
    log_every: int = 10
    weight_decay: float = 0.01
    warm_up: int = 0


@dataclass(frozen=True)
class Every:
    """Something to do every so many steps, by the main process alone; it may give numbers to log."""

    steps: int
    do: Callable[[int], Mapping[str, float]]


class Diverged(RuntimeError):
    """The loss or its gradient is NaN or infinite."""


def train(
    lesson: Lesson,
    batches: Batches,
    plan: Plan,
    accelerator: Any,
    settings: Mapping[str, Any],
    watchers: Sequence[Every] = (),
    trackers: Sequence[str] = (),
) -> int:
    """Learn until plan.steps, or until Ctrl-C; both save. Goes on from the folder's last checkpoint.

    batches(first step) gives the batches from that step on. Returns the step reached. Raises ValueError when
    the folder's run had other settings, Diverged.
    """
    effective = plan.pictures * accelerator.num_processes * lesson.parts
    optimiser = torch.optim.AdamW(lesson.groups(effective), weight_decay=plan.weight_decay)
    rates = [group["lr"] for group in optimiser.param_groups]
    asked = {**settings, "seed": plan.seed, "effective batch": effective}
    start, state = _resume(lesson, plan, asked)
    network, optimiser = accelerator.prepare(lesson, optimiser)
    if state is not None:
        optimiser.load_state_dict(state)
    run = _Run(lesson, network, optimiser, plan, accelerator, asked, rates)
    tracked = Trackers(plan.folder, trackers, asked, start) if accelerator.is_main_process else None
    try:
        with Interrupts() as interrupts:
            return _steps(run, start, batches, watchers, tracked, interrupts)
    finally:
        if tracked is not None:
            tracked.close()


@dataclass(frozen=True, eq=False)
class _Run:
    lesson: Lesson
    network: Any
    optimiser: Any
    plan: Plan
    accelerator: Any
    settings: Mapping[str, Any]
    rates: Sequence[float]

    def warm(self, step: int) -> None:
        """Set the rates of a step, which a resumed run finds as they were at its last one."""
        share = min(1.0, step / self.plan.warm_up) if self.plan.warm_up else 1.0
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = share * rate

    def save(self, step: int) -> None:
        if self.accelerator.is_main_process:
            tensors, folder = self.lesson.trained(), self.plan.folder / "checkpoints"
            state = self.optimiser.state_dict()
            where = checkpoints.save(folder, step, tensors, state, self.settings, self.plan.keep)
            log.info("Saved %s", where)
        self.accelerator.wait_for_everyone()


def _resume(lesson: Lesson, plan: Plan, asked: Mapping[str, Any]) -> tuple[int, Mapping[str, Any] | None]:
    last = checkpoints.latest(plan.folder / "checkpoints")
    if last is None:
        return 0, None
    saved = checkpoints.read(last)
    checkpoints.check_same(saved.settings, asked)
    with torch.no_grad():
        for name, parameter in lesson.trained().items():
            parameter.copy_(saved.tensors[name])
    log.info("Going on from %s", last)
    return saved.step, saved.optimiser


def _steps(
    run: _Run,
    start: int,
    batches: Batches,
    watchers: Sequence[Every],
    tracked: Trackers | None,
    interrupts: Interrupts,
) -> int:
    """Steps start+1 .. plan.steps; step n is the one that makes the n-th change."""
    plan, began, step = run.plan, time.monotonic(), start
    if start >= plan.steps:
        log.info("Step %d of %d is done already.", start, plan.steps)
        return start
    run.lesson.train()
    for step, batch in zip(range(start + 1, plan.steps + 1), batches(start), strict=False):
        values, stop = _step(run, step, batch, interrupts.asked)
        if tracked is not None:
            for watcher in watchers:
                if watcher.steps and step % watcher.steps == 0:
                    values |= watcher.do(step)
            tracked.log(step, values)
            if step % plan.log_every == 0 or step == plan.steps:
                pace = (time.monotonic() - began) / (step - start)
                log.info("step %d of %d, loss %.4f, %.2f s a step", step, plan.steps, values["loss"], pace)
        if stop or step == plan.steps or step % plan.save_every == 0:
            run.save(step)
        if stop:
            log.info("Stopped at step %d, as asked. The same command goes on from here.", step)
            break
    return step


def _step(run: _Run, step: int, batch: Any, asked_to_stop: bool) -> tuple[dict[str, float], bool]:
    """One change of the weights: (what to log, whether any process was asked to stop)."""
    parts, accelerator = run.lesson.parts, run.accelerator
    process = accelerator.process_index
    torch.manual_seed(number("dropout", run.plan.seed, step, process))
    source = generator("noise", run.plan.seed, step, process)
    with torch.no_grad():
        prepared = run.lesson.prepare_batch(batch, source)
    total = torch.zeros((), device=accelerator.device)
    for part in range(parts):
        last = part == parts - 1
        with nullcontext() if last else accelerator.no_sync(run.network):
            loss = run.network(prepared, part) / parts
            accelerator.backward(loss)
        total = total + loss.detach().float()
    mine = torch.stack([total, total.new_tensor(float(asked_to_stop))])
    means = accelerator.gather(mine).reshape(-1, 2).mean(dim=0).tolist()
    trained = run.lesson.trained().values()
    gradient = float(nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None]))
    if not all(map(_finite, (means[0], gradient))):
        raise Diverged(
            f"Step {step}: the loss is {means[0]}, its gradient {gradient}. Nothing was changed or saved. "
            "Look at the last pictures and curves, or use --precision fp32, and start again: it goes on "
            "from the last checkpoint."
        )
    run.warm(step)
    run.optimiser.step()
    run.optimiser.zero_grad(set_to_none=True)
    return {"loss": means[0], "gradient": gradient}, means[1] > 0


def _finite(value: float) -> bool:
    return value - value == 0
