"""Edit Keypoints over HTTP: a script sets the points as a text, and the page is told what to show."""

from __future__ import annotations

import copy
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.workflow_runs import pictures, titled, upload_inputs

from installer.server import Server, ServerError
from tools.ui_workflow import api_files, read

FIVE = [[300, 300], [380, 300], [340, 350], [310, 390], [370, 390]]


@pytest.fixture(scope="module")
def prompt(server: Server, photos: dict[str, np.ndarray]) -> dict[str, Any]:
    upload_inputs(server, photos)
    return read(api_files()["keypoints_edit"])


def with_text(prompt: dict[str, Any], text: str) -> dict[str, Any]:
    changed = copy.deepcopy(prompt)
    changed[titled(prompt, "Edit Keypoints")]["inputs"]["keypoints"] = text
    return changed


def test_the_workflow_draws_the_points_that_were_found(server: Server, prompt: dict[str, Any]) -> None:
    entry = server.run(prompt)
    (drawn,) = pictures(server, entry, titled(prompt, "Keypoints"))
    assert drawn.shape == (512, 512, 3) and tuple(drawn[106, 202]) == (255, 0, 0)
    told = entry["outputs"][titled(prompt, "Edit Keypoints")]
    (page,) = told["likeness_faces"]
    assert (page["width"], page["height"]) == (512, 512) and page["found"] == page["placed"]
    shown = Image.open(io.BytesIO(server.image(told["likeness_pictures"][0])))
    assert shown.size == (512, 512)


def test_a_script_sets_the_points(server: Server, prompt: dict[str, Any]) -> None:
    entry = server.run(with_text(prompt, json.dumps([{"face": 0, "points": FIVE}])))
    (drawn,) = pictures(server, entry, titled(prompt, "Keypoints"))
    assert tuple(drawn[300, 300]) == (255, 0, 0) and tuple(drawn[350, 340]) == (0, 0, 255)
    assert not drawn[90:160, 180:260].any()
    (page,) = entry["outputs"][titled(prompt, "Edit Keypoints")]["likeness_faces"]
    assert page["placed"] == [FIVE] != page["found"]


def test_a_wrong_text_is_told_to_the_script(server: Server, prompt: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match=r"node 5 \(LikenessEditKeypoints\) failed: .*five are needed"):
        server.run(with_text(prompt, json.dumps([{"points": FIVE[:3]}])))


def test_the_page_files_are_listed(server: Server) -> None:
    listed = json.loads(server.get("/extensions"))
    ours = [name.rpartition("/js/")[2] for name in listed if "/js/" in name and "name-1" in name]
    assert "edit_keypoints.js" in ours and "keypoints/editor.js" in ours
