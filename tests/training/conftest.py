"""A tiny base model, face encoder and data set for all tests of training/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
from support import pva_training as tiny

from training.pva.lesson import PVALesson
from training.pva.trainer import main


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("pva training")
    people = tiny.write_people(folder / "people")
    return SimpleNamespace(
        base=tiny.write_base(folder / "base"),
        face_encoder=tiny.write_face_encoder(folder / "face_encoder.pth"),
        people=people,
        boxes=tiny.write_boxes(people, folder / "boxes.json"),
    )


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """accelerate remembers the precision of a process's first run."""
    from accelerate.state import AcceleratorState

    torch.set_num_threads(1)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


Train = Callable[..., PVALesson]


@pytest.fixture
def train(files: SimpleNamespace) -> Train:
    return lambda output, **options: main(tiny.command(files, output, **options))
