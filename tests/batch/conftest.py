"""A booted host of the smallest graph, and the options that make `python -m batch` boot it too."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from support import stub_comfyui
from support.batches import SMALLEST
from support.booted import ATTENTION

from installer import tiny


@pytest.fixture
def smallest(tmp_path: Path) -> Path:
    """The smallest workflow, as a file."""
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(SMALLEST), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def host_options(comfyui: Path, base: Path) -> list[str]:
    """What makes `python -m batch run` boot the tiny host of the tests."""
    packs = " ".join(shlex.quote(name) for name in ("any name-1", tiny.PACK.name))
    arguments = f"--disable-api-nodes --disable-all-custom-nodes --whitelist-custom-nodes {packs} "
    arguments += " ".join(ATTENTION)
    options = ["--comfyui", str(comfyui), "--python", sys.executable, "--base", str(base), "--cpu"]
    return [*options, "--threads", "1", f"--host-arguments={arguments}"]


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that make `python -m batch run` boot the stub host: it answers at once."""
    folder = stub_comfyui.write(tmp_path_factory.mktemp("stub") / "ComfyUI")
    marks = tmp_path_factory.mktemp("marks")
    options = ["--local", "--cpu", "--comfyui", str(folder), "--python", sys.executable]
    return [*options, f"--host-arguments=--marks {shlex.quote(str(marks))}"]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """table("a", "b"): a table whose prompts these are."""

    def write(*texts: str, **columns: Sequence[object]) -> Path:
        path = tmp_path / "rows.jsonl"
        rows = [{"Prompt.text": text} for text in texts]
        for column, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[column.replace("__", ".")] = value  # type: ignore[assignment]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def photo_workflow(tmp_path: Path) -> Path:
    """A photo, loaded and saved."""
    path = tmp_path / "photo.json"
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}, "_meta": {"title": "Photo"}},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"filename_prefix": "p", "images": ["1", 0]},
            "_meta": {"title": "Save"},
        },
    }
    path.write_text(json.dumps(graph), encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two pictures and a note."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (16, 16), colour).save(folder / f"{name}.png")
    (folder / "note.txt").write_text("no picture")
    return folder
