"""Stages for a few steps: they learn, and a run that was broken off ends as an unbroken one."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch

from proof import packing
from proof.training import running
from proof.training.stages import STAGES, Rooms, Scale, Stage, stage

#: Of each stage here, unless it needs more.
_SMALL = Scale(steps=4, pictures=128, batch=2)
_SCALES = {
    "autoencoder": Scale(steps=6, pictures=128, batch=2),
    "recogniser": Scale(steps=6, pictures=128, batch=16),
    "judge": Scale(steps=6, pictures=128, batch=16),
    "classifier": Scale(steps=6, pictures=128, batch=8),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, host: ModuleType) -> Path:
    """Pictures once, and what later stages need."""
    folder = tmp_path_factory.mktemp("proof") / "quick"
    needed = {name for one in STAGES for name in one.needs}
    for one in STAGES:
        if one.name in needed:
            assert running.run(one, _scale(one.name), Rooms(folder / "models", folder))
    return folder


def _scale(name: str) -> Scale:
    return _SCALES.get(name, _SMALL)


def _rooms(cache: Path, folder: Path) -> Rooms:
    """Models of their own, with what later stages need in them."""
    shutil.copytree(cache / "models", folder)
    return Rooms(folder, cache)


@pytest.mark.parametrize("one", STAGES, ids=lambda one: one.name)
def test_a_resumed_run_ends_bit_for_bit_as_an_unbroken_one(one: Stage, cache: Path, tmp_path: Path) -> None:
    scale = _scale(one.name)
    whole, broken = _rooms(cache, tmp_path / "whole"), _rooms(cache, tmp_path / "broken")
    assert running.run(one, scale, whole)
    half = iter([False] * (scale.steps // 2 - 1) + [True])
    assert not running.run(one, scale, broken, lambda: next(half))
    assert running.run(one, scale, broken)
    first, second = (packing.read(running.file_of(one, rooms)) for rooms in (whole, broken))
    assert set(first) == set(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("one", STAGES, ids=lambda one: one.name)
def test_the_same_step_again_and_again_lowers_its_loss(one: Stage, cache: Path, tmp_path: Path) -> None:
    rooms = _rooms(cache, tmp_path / "models")
    lesson = one.begin(_scale(one.name), rooms, running.results(one.needs, rooms))
    lesson.optimiser.scale(0.3)
    losses = [lesson.step(0) for _ in range(10)]
    assert losses[-1] < 0.9 * losses[0]


def test_a_stage_names_the_one_it_lacks(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--only autoencoder"):
        running.run(stage("sd15"), _SMALL, Rooms(tmp_path, cache))


def test_another_scale_does_not_go_on_with_a_run(cache: Path, tmp_path: Path) -> None:
    rooms = Rooms(tmp_path / "models", tmp_path)
    one = stage("recogniser")
    assert not running.run(one, _SCALES["recogniser"], rooms, lambda: True)
    with pytest.raises(ValueError, match="other settings"):
        running.run(one, Scale(steps=7, pictures=128, batch=16), rooms)


def test_unknown_stages_are_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="autoencoder, recogniser"):
        stage("sd3")


def test_every_stage_comes_after_what_it_needs() -> None:
    seen: set[str] = set()
    for one in STAGES:
        assert set(one.needs) <= seen
        seen.add(one.name)
