"""The templates that repair people run on a booted server; tiny networks draw noise, which is never kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.workflow_runs import PHOTOS, pictures, small, titled, two_people, upload_inputs

from installer.server import Server
from tools.ui_workflow import api_files, read


@pytest.fixture(scope="module")
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)


@pytest.fixture(scope="module")
def repaired(server: Server, inputs: None) -> tuple[dict[str, Any], dict[str, Any]]:
    """repair_people and its history, which also writes the cast that edit_rounds loads."""
    prompt = small(read(api_files()["repair_people"]))
    return prompt, server.run(prompt)


def test_people_who_are_right_come_back_as_they_were(
    server: Server, repaired: Any, photos: dict[str, np.ndarray]
) -> None:
    prompt, entry = repaired
    assert entry["status"]["status_str"] == "success"
    (picture,) = pictures(server, entry, titled(prompt, "Save Picture"))
    assert np.array_equal(picture, two_people(photos))
    (mask,) = pictures(server, entry, titled(prompt, "What Was Changed"))
    assert not mask.any()
    (table,) = entry["outputs"][titled(prompt, "Who Is Right Now")]["text"]
    assert table.startswith("passed: 2 of 2 people right") and "sface" in table


def test_rounds_of_edits_load_the_cast_that_was_saved(server: Server, repaired: Any) -> None:
    prompt = small(read(api_files()["edit_rounds"]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    (picture,) = pictures(server, entry, titled(prompt, "Save Picture"))
    assert picture.shape == (512, 1024, 3)


@pytest.mark.parametrize("name", ["repair_any_model", "repair_pva"])
def test_what_a_tiny_network_draws_of_a_stranger_is_not_kept(
    server: Server, inputs: None, photos: dict[str, np.ndarray], name: str
) -> None:
    prompt = small(read(api_files()[name]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    (picture,) = pictures(server, entry, titled(prompt, "Save Picture"))
    assert np.array_equal(picture, photos[PHOTOS["picture_1.png"]])
    (table,) = entry["outputs"][titled(prompt, "Who Is Right Now")]["text"]
    assert table.startswith("not passed") and "left as it was" in table


def test_frames_of_a_clip_come_back_all(server: Server, inputs: None) -> None:
    prompt = small(read(api_files()["repair_video_frames"]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    assert len(pictures(server, entry, titled(prompt, "Save Frames"))) == 3
