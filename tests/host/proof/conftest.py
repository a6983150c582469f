"""The drawn world's stages, a few steps of each, in a folder that all tests of this room share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from support.drawn_stages import scale_of

from proof.networks import hosted
from proof.training import running
from proof.training.stages import Rooms, Tensors, stage


@pytest.fixture(scope="session")
def rooms(tmp_path_factory: pytest.TempPathFactory, host: ModuleType) -> Rooms:
    hosted.register()
    folder = tmp_path_factory.mktemp("proof") / "quick"
    return Rooms(folder / "models", folder)


@pytest.fixture(scope="session")
def drawn(rooms: Rooms) -> Callable[[str], Tensors]:
    """What a stage makes, with all that it needs."""

    def made(name: str) -> Tensors:
        one = stage(name)
        if not running.done(one, rooms):
            for needed in one.needs:
                made(needed)
            with torch.inference_mode(False), torch.enable_grad():
                assert running.run(one, scale_of(name), rooms)
        return running.results([name], rooms)[name]

    return made


@pytest.fixture
def own_rooms(rooms: Rooms, drawn: Callable[[str], Tensors], tmp_path: Path) -> Callable[[str, str], Rooms]:
    """Rooms of their own for a stage's results, with what the stage needs in them."""

    def made(folder: str, name: str) -> Rooms:
        (tmp_path / folder).mkdir()
        for need in running.needed([name]):
            drawn(need)
            file = running.file_of(stage(need), rooms)
            (tmp_path / folder / file.name).write_bytes(file.read_bytes())
        return Rooms(tmp_path / folder, rooms.cache)

    return made
