"""A stage trained once more from another seed."""

from __future__ import annotations

from pathlib import Path

import torch

from proof.training import running
from proof.training.stages import Rooms, stage
from training import checkpoints


def test_another_seed_learns_something_else_in_a_run_of_its_own(rooms: Rooms, tmp_path: Path) -> None:
    begun = []
    for seed in (3, 4):
        with torch.inference_mode(False), torch.enable_grad():
            # It is stopped after a step, and saved.
            assert not running.train(
                Rooms(tmp_path, rooms.cache), ["recogniser"], minutes=0, quick=True, seed=seed
            )
        own = stage("recogniser").seed + 1000 * seed
        latest = checkpoints.latest(rooms.cache / "runs" / f"recogniser-{own}")
        assert latest is not None
        begun.append(checkpoints.read(latest))
        assert begun[-1].settings["seed"] == own
    first, second = (saved.tensors for saved in begun)
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert not any(tmp_path.iterdir())
