"""What `install.py --demo` does with a running server: three pictures and a report of every node's time."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installer import demo, tiny
from installer.output import Progress
from installer.server import Server, ServerError


@pytest.fixture
def photo(photos: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photos["astronaut"]).save(buffer, "PNG")
    return buffer.getvalue()


def tiny_prompt() -> dict:
    return tiny.for_tiny(json.loads(demo.WORKFLOW.read_text(encoding="utf-8")))


def test_the_demo_leaves_pictures_and_times(
    server: Server, photo: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = tiny_prompt()
    # Another seed than other tests use: a cached node would report no time.
    next(n for n in prompt.values() if n["class_type"] == "KSampler")["inputs"]["seed"] = 987_654
    report = demo.Report("tiny", [])
    demo.generate(server, prompt, photo, tmp_path, report, Progress())
    pictures = {path.name: np.asarray(Image.open(path).convert("RGB")) for path in tmp_path.iterdir()}
    assert set(pictures) == {"picture.png", "faces.png", "keypoints.png"}
    assert pictures["faces.png"].shape == (512, 512, 3)
    colours = {tuple(colour) for colour in pictures["keypoints.png"].reshape(-1, 3).tolist()}
    assert {(255, 0, 0), (0, 255, 0), (255, 255, 0), (255, 0, 255)} <= colours
    timed = {row["class_type"]: row["seconds"] for row in report.nodes}
    assert timed["KSampler"] > 0
    assert {"upload", "workflow", "pictures"} <= set(report.stages)
    assert f"step {tiny.STEPS} of {tiny.STEPS}" in capsys.readouterr().out


def test_a_workflow_without_previews_is_an_error(server: Server, photo: bytes, tmp_path: Path) -> None:
    prompt = tiny_prompt()
    for key in [k for k, node in prompt.items() if node["class_type"] == "PreviewImage"]:
        del prompt[key]
    with pytest.raises(ServerError, match=r"no picture for faces\.png, keypoints\.png"):
        demo.generate(server, prompt, photo, tmp_path, demo.Report("tiny", []), Progress())
