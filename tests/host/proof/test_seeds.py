"""A stage trained once more from another seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from proof.report import seeds
from proof.training import running
from proof.training.stages import Rooms, Tensors, stage


def test_another_seed_makes_another_file_and_leaves_the_usual_one(
    rooms: Rooms, drawn: Callable[[str], Tensors], tmp_path: Path
) -> None:
    usual = drawn("recogniser")
    file, whole = (of(stage("recogniser"), rooms) for of in (running.file_of, running.unpacked_file))
    before = file.read_bytes(), whole.read_bytes()
    other = Rooms(tmp_path / "3", rooms.cache)
    with torch.inference_mode(False), torch.enable_grad():
        assert running.train(other, ["recogniser"], quick=True, steps=2, seed=3)
    made = running.results(["recogniser"], other)["recogniser"]
    assert set(made) == set(usual) and any(not torch.equal(made[name], usual[name]) for name in made)
    assert (file.read_bytes(), whole.read_bytes()) == before
    assert set(seeds.trained(other.models, rooms)) == {"recogniser"}
