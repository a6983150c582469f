"""Stages for a few steps: they learn, and a run that was broken off ends as an unbroken one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.drawn_stages import scale_of

from proof import packing
from proof.files import unpack
from proof.training import running
from proof.training.pictures import couples, words
from proof.training.stages import STAGES, Rooms, Scale, Stage, Tensors, stage
from proof.world.draw import draw

_ADAPTERS = (
    *("instantid", "instantid_copying", "identitynet", "eadapter", "emojidiff_sdxl", "pva"),
    *("arc2face_expression", "arc2face_pose", "arc2face_reference", "attribute"),
)
Drawn = Callable[[str], Tensors]
OwnRooms = Callable[[str, str], Rooms]


@pytest.mark.parametrize("one", STAGES, ids=lambda one: one.name)
def test_a_resumed_run_ends_bit_for_bit_as_an_unbroken_one(
    one: Stage, drawn: Drawn, own_rooms: OwnRooms
) -> None:
    """The unbroken one is what all tests of this room share."""
    whole, broken, scale = drawn(one.name), own_rooms("broken", one.name), scale_of(one.name)
    half = iter([False] * (scale.steps // 2 - 1) + [True])
    assert not running.run(one, scale, broken, lambda: next(half))
    assert running.run(one, scale, broken)
    resumed = running.results([one.name], broken)[one.name]
    assert set(whole) == set(resumed)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("one", STAGES, ids=lambda one: one.name)
def test_the_same_step_again_and_again_lowers_its_loss(one: Stage, drawn: Drawn, rooms: Rooms) -> None:
    lesson = one.begin(scale_of(one.name), rooms, {name: drawn(name) for name in one.needs})
    lesson.optimiser.scale(0.3)
    # An adapter changes little of what a network of a few steps does.
    wanted = (1.0 if one.name in _ADAPTERS else 0.9) * lesson.step(0)
    assert any(lesson.step(0) < wanted for _ in range(9))


def test_a_stage_names_the_one_it_lacks(rooms: Rooms, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--only autoencoder"):
        running.run(stage("sd15"), scale_of("sd15"), Rooms(tmp_path, rooms.cache))


def test_another_scale_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    rooms, scale = Rooms(tmp_path / "models", tmp_path), Scale(steps=2, pictures=32, batch=8)
    one = stage("recogniser")
    assert not running.run(one, scale, rooms, lambda: True)
    with pytest.raises(ValueError, match="other settings"):
        running.run(one, replace(scale, steps=3), rooms)


def test_a_warm_start_goes_on_from_the_file(drawn: Drawn, rooms: Rooms, own_rooms: OwnRooms) -> None:
    own, one, first = own_rooms("warm", "judge"), stage("judge"), scale_of("judge")
    before = drawn("judge")
    for ending in (".safetensors", ".json"):
        (own.models / f"judge{ending}").write_bytes((rooms.models / f"judge{ending}").read_bytes())
    assert running.run(one, replace(first, steps=1), own, warm=True)
    after = packing.read(running.file_of(one, own))
    fresh = one.begin(first, own, {}).trained()
    name = "body.0.weight"
    assert (after[name] - before[name]).norm() < 0.7 * (after[name] - fresh[name]).norm()
    facts = json.loads((own.models / "judge.json").read_text(encoding="utf-8"))
    assert (facts["steps"], facts["steps_before"]) == (1, first.steps)


def test_a_warm_start_goes_on_though_its_trunk_has_learnt_on(
    drawn: Drawn, rooms: Rooms, own_rooms: OwnRooms
) -> None:
    own, one = own_rooms("moved", "sd2_inpaint"), stage("sd2_inpaint")
    before = drawn("sd2_inpaint")
    for ending in (".safetensors", ".json"):
        found = running.file_of(one, rooms).with_suffix(ending)
        running.file_of(one, own).with_suffix(ending).write_bytes(found.read_bytes())
    trunk = {name: 1.1 * tensor for name, tensor in drawn("sd15").items()}
    packing.write(running.file_of(stage("sd15"), own), trunk, packed=False)
    with pytest.raises(ValueError, match="another sd15"):
        running.results(["sd2_inpaint"], own)
    assert running.run(one, replace(scale_of(one.name), steps=1), own, warm=True)
    name = "middle_block.0.in_layers.2.weight"
    after = running.results(["sd2_inpaint"], own)["sd2_inpaint"][name]
    on = 0.1 * drawn("sd15")[name]
    assert (after - before[name] - on).norm() < 0.3 * on.norm()


def test_what_is_done_is_unpacked_for_the_hosts_loader(drawn: Drawn, rooms: Rooms, tmp_path: Path) -> None:
    import comfy.sd

    known = drawn("sd15")
    files = unpack(tmp_path, rooms, only=["checkpoints/drawn_sd15"])
    assert [file.name for file in files] == ["drawn_sd15.safetensors"]
    model, *_ = comfy.sd.load_checkpoint_guess_config(str(files[0]), output_vae=False, output_clip=False)
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
