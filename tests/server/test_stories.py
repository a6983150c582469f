"""The template of stories on a booted ComfyUI: a picture for each frame, one after another."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from support.workflow_runs import node_of, pictures, small

from installer.server import Server
from tools.ui_workflow import api_files, read

STORY = small(read(api_files()["story"]))


@pytest.fixture(scope="module")
def drawn(server: Server) -> dict[str, Any]:
    return server.run(STORY)


def test_there_is_a_picture_for_each_frame_and_no_two_are_alike(
    server: Server, drawn: dict[str, Any]
) -> None:
    frames = STORY[node_of(STORY, "LikenessStoryPrompt")]["inputs"]["frames"].splitlines()
    assert drawn["status"]["status_str"] == "success"
    made = pictures(server, drawn, node_of(STORY, "SaveImage"))
    assert len(made) == len(frames) == 4
    assert all(picture.std() > 1 for picture in made)
    assert not any(np.array_equal(made[0], other) for other in made[1:])
    (text, *_) = drawn["outputs"][node_of(STORY, "PreviewAny")]["text"]
    assert all(frame in text for frame in frames)


def test_without_holding_the_identity_they_are_others(server: Server, drawn: dict[str, Any]) -> None:
    plain = copy.deepcopy(STORY)
    plain[node_of(plain, "LikenessHoldIdentity")]["inputs"]["strength"] = 0.0
    save = node_of(STORY, "SaveImage")
    without = pictures(server, server.run(plain), save)
    held = pictures(server, drawn, save)
    assert len(without) == len(held)
    assert not any(np.array_equal(one, other) for one, other in zip(without, held, strict=True))
