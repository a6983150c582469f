"""Stages for a few steps: they learn, and a run that was broken off ends as an unbroken one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch

from proof import packing
from proof.files import unpack
from proof.networks import hosted
from proof.training import running
from proof.training.pictures import couples, words
from proof.training.stages import STAGES, Rooms, Scale, Stage, stage
from proof.world.draw import draw

_ADAPTERS = (
    *("instantid", "identitynet", "eadapter", "emojidiff_sdxl", "pva"),
    *("arc2face_expression", "arc2face_pose", "arc2face_reference"),
)
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
    # An adapter changes little of what a network of a few steps does.
    assert losses[-1] < (1.0 if one.name in _ADAPTERS else 0.9) * losses[0]


def test_a_stage_names_the_one_it_lacks(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--only autoencoder"):
        running.run(stage("sd15"), _SMALL, Rooms(tmp_path, cache))


def test_another_scale_does_not_go_on_with_a_run(cache: Path, tmp_path: Path) -> None:
    rooms = Rooms(tmp_path / "models", tmp_path)
    one = stage("recogniser")
    assert not running.run(one, _SCALES["recogniser"], rooms, lambda: True)
    with pytest.raises(ValueError, match="other settings"):
        running.run(one, Scale(steps=7, pictures=128, batch=16), rooms)


def test_a_warm_start_goes_on_from_the_file(cache: Path, tmp_path: Path) -> None:
    rooms, one = _rooms(cache, tmp_path / "models"), stage("judge")
    first = Scale(steps=6, pictures=128, batch=16)
    assert running.run(one, first, rooms)
    before = packing.read(running.file_of(one, rooms))
    assert running.run(one, Scale(steps=1, pictures=128, batch=16), rooms, warm=True)
    after = packing.read(running.file_of(one, rooms))
    fresh = one.begin(first, rooms, {}).trained()
    name = "body.0.weight"
    assert (after[name] - before[name]).norm() < 0.5 * (after[name] - fresh[name]).norm()
    facts = json.loads((rooms.models / "judge.json").read_text(encoding="utf-8"))
    assert (facts["steps"], facts["steps_before"]) == (1, 6)


def test_what_is_done_is_unpacked_for_the_hosts_loader(cache: Path, tmp_path: Path) -> None:
    import comfy.sd

    hosted.register()
    rooms = Rooms(cache / "models", cache)
    files = unpack(tmp_path, rooms, only=["checkpoints/drawn_sd15"])
    assert [file.name for file in files] == ["drawn_sd15.safetensors"]
    model, *_ = comfy.sd.load_checkpoint_guess_config(str(files[0]), output_vae=False, output_clip=False)
    known = packing.read(cache / "models" / "sd15.safetensors")
    loaded = model.model.diffusion_model.state_dict()
    assert set(known) == set(loaded)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in known.items())


def test_two_people_stand_where_the_recipe_says(tmp_path: Path) -> None:
    made = couples(tmp_path, 3)
    assert made.batch(torch.tensor([2, 0])).shape == (2, 3, 128, 256)
    scene = made.scenes(1)
    points = draw(scene, (128, 256)).points
    assert len(scene.figures) == 2
    assert points[0, :, 0].max() < 128 < points[1, :, 0].min()
    assert words(scene, 4).startswith("two people, a ")


def test_unknown_stages_are_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="autoencoder, recogniser"):
        stage("sd3")


def test_every_stage_comes_after_what_it_needs() -> None:
    seen: set[str] = set()
    for one in STAGES:
        assert set(one.needs) <= seen
        seen.add(one.name)
