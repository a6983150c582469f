"""training.adapter in the drawn world: InstantID's keys and values learn another recogniser's vectors.

The committed networks, people drawn anew. What InstantID's file makes of vectors is forgotten first, so that
everybody is the same to it; some dozens of steps on a few people later, the error on people who were not
learnt from is less told who they are than told somebody else. As a row of the report it would be a stage of
its own, with as many steps as InstantID's, and its pictures judged like those.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from likeness.faces.align import align
from likeness.faces.recognise import open_recogniser
from likeness.faces.sessions import PROVIDERS
from proof.files import committed
from proof.networks import as_diffusers
from proof.networks.onnx_recogniser import onnx_file
from proof.training import running
from proof.training.lessons.eadapter import numbers, renamed
from proof.training.pictures import figure_of
from proof.world.draw import draw
from training.accelerator import open_accelerator
from training.adapter.faces import Known
from training.adapter.lesson import AdapterLesson, Course
from training.adapter.samples import Samples
from training.adapter.watch import told_apart
from training.batches import batches
from training.loop import Plan, train
from training.people import People, folders
from training.text_to_image import BaseModel

PEOPLE, EACH, UNSEEN, SIDE, STEPS = 48, 4, 12, 128, 60


@pytest.fixture
def accelerator() -> Any:
    AcceleratorState._reset_state(reset_partial_state=True)
    yield open_accelerator(SimpleNamespace(precision="fp32", cpu=True))
    AcceleratorState._reset_state(reset_partial_state=True)


def test_another_recogniser_is_learnt(host: Any, tmp_path: Path, accelerator: Any) -> None:
    made = running.results(["sdxl", "autoencoder", "second", "instantid"], committed())
    (tmp_path / "auraface.onnx").write_bytes(onnx_file(made["second"]))
    people, known = drawn(tmp_path / "people", tmp_path / "auraface.onnx")
    learning = Samples(people, people.train, known, 8, SIDE)
    unseen = Samples(people, people.validation, known, len(people.validation), SIDE, 2022, mirror=False)
    with torch.inference_mode(False), torch.enable_grad():
        lesson = AdapterLesson(base(made), start(made["instantid"]), Course(3e-4, face=4.0))
        before = told_apart(lesson, unseen, EACH)
        plan = Plan(tmp_path / "run", STEPS, 8)
        train(lesson, lambda first: batches(learning, first, STEPS, 0), plan, accelerator, {})
        after = told_apart(lesson, unseen, EACH)
    own, other, nobody = (f"loss, {who} face" for who in ("own", "another's", "no"))
    assert before[own] == pytest.approx(before[other], rel=1e-4) == pytest.approx(before[nobody], rel=1e-4)
    # A trunk that draws faces well gains little in so few steps: who it is must show, and nothing be lost.
    assert after[own] < 0.985 * after[other] and after[own] < 1.005 * before[own], (before, after)


def drawn(folder: Path, recogniser: Path) -> tuple[People, Known]:
    """People of the world, and what the recogniser says of each picture by its true five points."""
    describe, crops, boxes = open_recogniser("auraface", recogniser, PROVIDERS["CPU"]), {}, {}
    for number in range(PEOPLE * EACH):
        seen = draw(figure_of("unseen", number, EACH), SIDE)
        path = folder / f"person {number // EACH:02}" / f"{number % EACH}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(seen.picture).save(path)
        five, name = torch.from_numpy(seen.points[0]), path.relative_to(folder).as_posix()
        crops[name] = align(torch.from_numpy(seen.picture), five)
        low, high = five.amin(dim=0), five.amax(dim=0)
        boxes[name] = torch.cat([low - (high - low) / 2, high + (high - low) / 2]) / SIDE
    vectors = dict(zip(crops, describe(torch.stack(list(crops.values()))), strict=True))
    found = folders(folder)
    people = People(folder, tuple(found[UNSEEN:]), tuple(found[:UNSEEN]), {})
    return people, Known(vectors, boxes)


def base(made: Any) -> BaseModel:
    parts = as_diffusers.unet("sdxl", made["sdxl"]), as_diffusers.Autoencoder(made["autoencoder"])
    encoders = (as_diffusers.Encoder("sdxl"), as_diffusers.Encoder("sdxl"))
    return BaseModel(*parts, encoders, (as_diffusers.tokenizer(),) * 2, as_diffusers.scheduler())


def start(instantid: Any) -> dict[str, torch.Tensor]:
    """InstantID's file of the drawn world by the numbers of the layers that are alive, and zeros for its
    first matrix, which reads vectors."""
    tensors = renamed(instantid, {there: here for here, there in numbers("sdxl").items()})
    tensors["image_proj.proj_in.weight"] = torch.zeros_like(tensors["image_proj.proj_in.weight"])
    return tensors
