"""Every workflow runs on a booted ComfyUI, on tiny checkpoints; the stored sockets are the host's."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from support.workflow_runs import node_of, pictures, small, upload_inputs

from installer.server import Server
from tools import node_sockets
from tools.ui_workflow import api_files, fetch_sockets, read

#: arc2face_mix saves twice: test_arc2face.py looks at it.
GENERATING = sorted(set(api_files()) - {"faces_inspect", "arc2face_mix"})


@pytest.fixture(scope="module")
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)


@pytest.fixture(scope="module")
def saved(server: Server, inputs: None) -> dict[str, Any]:
    """The history of faces_inspect, which also writes the identity that identity_reuse loads."""
    return server.run(small(read(api_files()["faces_inspect"])))


@pytest.mark.parametrize("name", GENERATING)
def test_workflow_draws_a_picture(server: Server, saved: dict[str, Any], name: str) -> None:
    prompt = small(read(api_files()[name]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success" and entry["status"]["completed"]
    size = prompt[node_of(prompt, "EmptyLatentImage")]["inputs"]
    (picture,) = pictures(server, entry, node_of(prompt, "SaveImage"))
    assert picture.shape == (size["height"], size["width"], 3)
    # NaN latents become one flat colour in a PNG.
    assert picture.std() > 1
    shown = {i for i, node in prompt.items() if node["class_type"] == "PreviewImage"}
    assert shown <= set(entry["outputs"])


def test_inspect_shows_faces_keypoints_and_mask(server: Server, saved: dict[str, Any]) -> None:
    prompt = read(api_files()["faces_inspect"])
    assert saved["status"]["status_str"] == "success"
    by_title = {node["_meta"]["title"]: i for i, node in prompt.items()}
    for title in ("All Faces, Numbered", "Keypoints", "Mask"):
        (picture,) = pictures(server, saved, by_title[title])
        assert picture.shape == (512, 512, 3)
    (mask,) = pictures(server, saved, by_title["Mask"])
    assert mask[127, 221].min() > 250 and mask[400, 60].max() < 5  # the nose of the astronaut; her sleeve
    (keypoints,) = pictures(server, saved, by_title["Keypoints"])
    assert tuple(keypoints[106, 202]) == (255, 0, 0)


def test_saved_identity_can_be_chosen(server: Server, saved: dict[str, Any]) -> None:
    wanted = read(api_files()["identity_reuse"])["1"]["inputs"]["file"]
    spec = server.object_info("LikenessLoadIdentity")["LikenessLoadIdentity"]["input"]["required"]["file"]
    options = spec[0] if isinstance(spec[0], list) else spec[1]["options"]
    assert wanted in options


def test_second_run_of_the_same_graph_is_from_the_cache(server: Server, saved: dict[str, Any]) -> None:
    prompt = small(read(api_files()["instantid_basic"]))
    server.run(prompt)
    messages = dict(server.run(prompt)["status"]["messages"])
    assert set(messages["execution_cached"]["nodes"]) == set(prompt)


def test_each_person_acts_in_their_half(server: Server, saved: dict[str, Any]) -> None:
    prompt = small(read(api_files()["instantid_two_people"]))
    save = node_of(prompt, "SaveImage")
    (both,) = pictures(server, server.run(prompt), save)
    by_title = {node["_meta"]["title"]: i for i, node in prompt.items()}
    changes = []
    for side in ("Left", "Right"):
        without = copy.deepcopy(prompt)
        without[by_title[f"Apply InstantID: {side}"]]["inputs"].update(weight=0.0, controlnet_strength=0.0)
        (one,) = pictures(server, server.run(without), save)
        change = np.abs(one.astype(float) - both).mean(axis=(0, 2))
        half = len(change) // 2
        changes.append((change[:half].mean(), change[half:].mean()))
    (left_left, left_right), (right_left, right_right) = changes
    assert left_left > left_right and right_right > right_left


def test_stored_sockets_are_the_hosts(server: Server) -> None:
    assert node_sockets.load() == fetch_sockets(server.object_info()), (
        "The nodes changed. Run: python -m tools.ui_workflow --sockets URL"
    )


def test_templates_are_listed(server: Server) -> None:
    listed = json.loads(server.get("/api/workflow_templates"))
    (names,) = [names for names in listed.values() if "instantid_basic" in names]
    assert sorted(names) == sorted(api_files())
