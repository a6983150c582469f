"""The loop by itself, with a lesson of four numbers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from training import checkpoints
from training.loop import Diverged, Every, Lesson, Plan, train
from training.trackers import Trackers, read_log


class Line(Lesson):
    """Learns to multiply by 3; dropout makes it depend on the global generator."""

    parts = 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 4)
        self.alone = nn.Linear(4, 4).requires_grad_(False)
        self.dropout = nn.Dropout(0.25)

    def trained(self) -> dict[str, nn.Parameter]:
        return {f"layer.{name}": value for name, value in self.layer.named_parameters()}

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        return [{"params": list(self.trained().values()), "lr": 0.01 * effective_batch}]

    def prepare_batch(self, batch: torch.Tensor, source: torch.Generator) -> torch.Tensor:
        return batch + 0.01 * torch.randn(batch.shape, generator=source)

    def forward(self, prepared: torch.Tensor, part: int) -> torch.Tensor:
        return ((self.layer(self.dropout(prepared)) - 3 * prepared) ** 2).mean()


def batches(first: int) -> Iterator[torch.Tensor]:
    while True:
        yield torch.randn(2, 4, generator=torch.Generator().manual_seed(first))
        first += 1


def learn(folder: Path, steps: int, source: Any = batches, watchers: Any = (), **settings: Any) -> Line:
    lesson = Line()
    plan = Plan(folder, steps, pictures=2, save_every=settings.pop("save_every", 5), keep=2)
    train(lesson, source, plan, Accelerator(cpu=True), settings, watchers)
    return lesson


def same(one: Path, other: Path) -> bool:
    a, b = (checkpoints.read(checkpoints.latest(folder / "checkpoints")) for folder in (one, other))
    assert a.step == b.step
    states = [saved.optimiser["state"] for saved in (a, b)]
    averages = [(s[i][key], states[1][i][key]) for s in states[:1] for i in s for key in s[i]]
    assert len(averages) == 6
    return all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors) and all(
        torch.equal(x, y) for x, y in averages
    )


def test_it_learns_and_moves_nothing_else(tmp_path: Path) -> None:
    before = Line()
    lesson = learn(tmp_path, 60)
    losses = [line["loss"] for line in read_log(tmp_path)]
    assert len(losses) == 60 and sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert torch.equal(lesson.alone.weight, before.alone.weight)


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    learn(tmp_path, 17)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_00000015", "step_00000017"]


def test_going_on_is_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    learn(tmp_path / "whole", 12)
    learn(tmp_path / "parts", 7)
    learn(tmp_path / "parts", 12)
    assert same(tmp_path / "whole", tmp_path / "parts")
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")


def test_what_came_after_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    learn(tmp_path / "whole", 12)

    def breaks(first: int) -> Iterator[torch.Tensor]:
        for n, batch in enumerate(batches(first)):
            if n == 8:
                raise OSError("the disk is gone")
            yield batch

    with pytest.raises(OSError, match="the disk is gone"):
        learn(tmp_path / "broken", 12, breaks)
    assert [line["step"] for line in read_log(tmp_path / "broken")] == list(range(1, 9))
    learn(tmp_path / "broken", 12)
    assert same(tmp_path / "whole", tmp_path / "broken")
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "broken")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_first(tmp_path: Path, kind: signal.Signals) -> None:
    learn(tmp_path / "whole", 12)

    def interrupted(first: int) -> Iterator[torch.Tensor]:
        for n, batch in enumerate(batches(first)):
            if n == 2:
                os.kill(os.getpid(), kind)
            yield batch

    before = signal.getsignal(kind)
    learn(tmp_path / "stopped", 12, interrupted)
    assert signal.getsignal(kind) is before
    assert checkpoints.latest(tmp_path / "stopped" / "checkpoints").name == "step_00000003"
    learn(tmp_path / "stopped", 12)
    assert same(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_it(tmp_path: Path, value: float) -> None:
    def bad(first: int) -> Iterator[torch.Tensor]:
        for n, batch in enumerate(batches(first)):
            yield batch if n != 6 else torch.full_like(batch, value)

    with pytest.raises(Diverged, match=r"Step 7: the loss is (nan|inf)"):
        learn(tmp_path, 12, bad)
    assert checkpoints.latest(tmp_path / "checkpoints").name == "step_00000005"


def test_another_runs_folder_is_refused(tmp_path: Path) -> None:
    learn(tmp_path, 5, size=64)
    with pytest.raises(ValueError, match="size was 64, is 128"):
        learn(tmp_path, 10, size=128)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    learn(tmp_path, 5)
    file = tmp_path / "checkpoints" / "step_00000005" / "optimiser.pt"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"step_00000005 can't be read: delete its folder"):
        learn(tmp_path, 10)


def test_nothing_broken_is_saved(tmp_path: Path) -> None:
    tensors = {"fine": torch.zeros(2), "bad": torch.tensor([1.0, float("nan")])}
    with pytest.raises(ValueError, match="bad holds NaN or infinity at step 3"):
        checkpoints.save(tmp_path, 3, tensors, {}, {}, 1)
    assert not list(tmp_path.iterdir())


def test_watchers_are_called_every_so_often_and_change_nothing(tmp_path: Path) -> None:
    def look(step: int) -> dict[str, float]:
        torch.rand(step)  # draws from the global generator
        return {"seen": float(step)}

    learn(tmp_path / "plain", 9)
    learn(tmp_path / "watched", 9, watchers=[Every(4, look), Every(0, look)])
    assert [line["seen"] for line in read_log(tmp_path / "watched") if "seen" in line] == [4.0, 8.0]
    assert same(tmp_path / "plain", tmp_path / "watched")


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_tracker_that_is_not_there_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    import sys

    hidden = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, hidden, None)  # as if it were not installed
        with pytest.raises(ValueError, match=f"--log-to {name} needs a package: pip install {name}"):
            Trackers(tmp_path, [name])
