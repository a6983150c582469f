"""The templates with attributes on a booted server: several pictures in one run."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.workflow_runs import node_of, pictures, small, upload_inputs

from installer.server import Server
from tools.ui_workflow import api_files, read


@pytest.fixture(scope="module")
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)


def drawn(server: Server, name: str) -> list[np.ndarray]:
    prompt = small(read(api_files()[name]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success" and entry["status"]["completed"]
    return list(pictures(server, entry, node_of(prompt, "SaveImage")))


def test_every_scale_draws_another_picture(server: Server) -> None:
    found = drawn(server, "attribute_grid")
    assert len(found) == 5
    for one, after in pairwise(found):
        assert not np.array_equal(one, after)


def test_a_person_a_slider_and_a_story_in_one_graph(server: Server, inputs: None) -> None:
    found = drawn(server, "identity_with_sliders")
    assert len(found) == 3 and all(picture.std() > 1 for picture in found)


def test_an_attribute_is_learned_saved_and_there_for_the_next_graph(server: Server) -> None:
    prompt = small(read(api_files()["attribute_learn"]))
    entry = server.run(prompt)
    (told,) = entry["outputs"][node_of(prompt, "PreviewAny")]["text"]
    assert told.startswith("wet_hair: mean of ") and "spread" in told
    (saved,) = entry["outputs"][node_of(prompt, "LikenessSaveAttribute")]["text"]
    assert "wet_hair_0000" in saved
