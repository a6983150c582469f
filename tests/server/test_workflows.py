"""Every workflow runs on a booted ComfyUI, on tiny checkpoints; the stored sockets are the host's."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from support.workflow_runs import node_of, pictures, small, titled, two_people, upload_inputs

from installer.comfyui import PINNED
from installer.server import Server
from tools import node_sockets
from tools.ui_workflow import api_files, fetch_sockets, read

#: These save twice, have the size of their photo, or draw nothing: other tests look at them.
OTHERS = {
    "arc2face_mix",
    "attribute_grid",
    "cast_two_people",
    "expression_sequence",
    "face_detailer",
    "faces_exchange",
    "faces_inspect",
    "identity_with_sliders",
    "keypoints_edit",
    "pva_convert",
    "edit_rounds",
    "pva_tune",
    "repair_any_model",
    "repair_people",
    "repair_pva",
    "repair_video_frames",
    "score_expression",
    "score_pictures",
    "story",
}
GENERATING = sorted(set(api_files()) - OTHERS)


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


def test_faces_go_to_the_hosts_nodes_and_back(server: Server, inputs: None) -> None:
    prompt = small(read(api_files()["faces_exchange"]))
    entry = server.run(prompt)
    by_title = {node["_meta"]["title"]: i for i, node in prompt.items()}
    shown = {
        title: pictures(server, entry, by_title[title])[0]
        for title in ("Mask", "From Landmarks", "Boxes", "From Boxes")
    }
    assert shown["Mask"][127, 221].min() > 250 and shown["Mask"][400, 60].max() < 5
    # Both ways back find the face: what is drawn on the photo lies around it, and nowhere else.
    for title in ("From Landmarks", "From Boxes"):
        drawn = np.abs(shown[title].astype(float) - shown["Boxes"]).max(axis=2) > 30
        assert drawn[60:200, 150:300].any() and not drawn[300:].any(), title


def test_saved_identity_can_be_chosen(server: Server, saved: dict[str, Any]) -> None:
    wanted = read(api_files()["identity_reuse"])["1"]["inputs"]["file"]
    spec = server.object_info("LikenessLoadIdentity")["LikenessLoadIdentity"]["input"]["required"]["file"]
    options = spec[0] if isinstance(spec[0], list) else spec[1]["options"]
    assert wanted in options


def test_a_saved_identity_shows_its_face_in_the_page(server: Server, saved: dict[str, Any]) -> None:
    inspected = read(api_files()["faces_inspect"])
    (kept,) = pictures(server, saved, node_of(inspected, "LikenessSaveIdentity"))
    file = read(api_files()["identity_reuse"])["1"]["inputs"]["file"]
    facts = json.loads(server.get(f"/view_metadata/identities?filename={file}"))
    assert facts["recogniser"] == "sface"
    assert facts["modelspec.thumbnail"].startswith("data:image/jpeg;base64,")
    load = {"class_type": "LikenessLoadIdentity", "inputs": {"file": file}, "_meta": {"title": "Load"}}
    (shown,) = pictures(server, server.run({"1": load, "2": _compare("1"), "3": _show("2")}), "1")
    assert shown.shape == kept.shape == (192, 192, 3)
    assert np.abs(shown.astype(float) - kept).mean() < 5  # once through JPEG


def _compare(identity: str) -> dict[str, Any]:
    inputs = {"identity_a": [identity, 0], "identity_b": [identity, 0]}
    return {"class_type": "LikenessCompareIdentities", "inputs": inputs, "_meta": {"title": "Compare"}}


def _show(source: str) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": [source, 1]}, "_meta": {"title": "Report"}}


def test_score_pictures_saves_the_one_most_like_the_person(
    server: Server, inputs: None, photos: dict[str, np.ndarray]
) -> None:
    prompt = small(read(api_files()["score_pictures"]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    (table,) = entry["outputs"][node_of(prompt, "PreviewAny")]["text"]
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[-3:]}
    biden, *him = (float(rows[str(place)][0]) for place in range(3))
    assert biden <= 0.4 and min(him) >= 0.6
    best = "1" if him[0] > him[1] else "2"
    assert rows[best] == [f"{max(him):.3f}", "1", "1", "at", "least", "125"]
    assert table.startswith(f"similarity {max(him):.3f} (cosine): picture {best}, the best of 3")
    (sheet,) = pictures(server, entry, node_of(prompt, "PreviewImage"))
    assert sheet.shape == (2 * 288, 2 * 256, 3)
    (picture,) = pictures(server, entry, node_of(prompt, "SaveImage"))
    assert picture.shape == photos["biden"].shape  # the first decides the size of the batch
    assert np.abs(picture.astype(float) - photos["biden"]).mean() > 20


def test_cast_two_people_knows_who_is_who(server: Server, inputs: None) -> None:
    prompt = read(api_files()["cast_two_people"])
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    (table,) = entry["outputs"][node_of(prompt, "PreviewAny")]["text"]
    assert table.startswith("2 of 2 people found, 0 missing, 0 strangers")
    (shown,) = pictures(server, entry, node_of(prompt, "PreviewImage"))
    assert shown.shape == (512, 1024, 3)
    # One list of masks, one for each: the first person stands in the left half, the second in the right.
    masks = pictures(server, entry, node_of(prompt, "SaveImage"))
    assert [mask.shape for mask in masks] == [(512, 1024, 3)] * 2
    for mask, inside, outside in zip(
        masks, (slice(0, 512), slice(512, None)), ((512, None), (0, 512)), strict=True
    ):
        assert mask[:, inside].max() > 250 and mask[:, slice(*outside)].max() == 0
    saved = entry["outputs"][node_of(prompt, "LikenessSaveCast")]["text"]
    name = saved[0].replace("\\", "/").rpartition("models/identities/")[2]
    load = {"class_type": "LikenessLoadCast", "inputs": {"file": name}, "_meta": {"title": "Load"}}
    again = {**prompt, "10": load}
    again[node_of(prompt, "LikenessAssignFaces")]["inputs"]["cast"] = ["10", 0]
    (told,) = server.run(again)["outputs"][node_of(prompt, "PreviewAny")]["text"]
    assert told == table


def test_score_expression_saves_the_nearest_that_is_still_the_person(
    server: Server, inputs: None, photos: dict[str, np.ndarray]
) -> None:
    prompt = small(read(api_files()["score_expression"]))
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    (table,) = entry["outputs"][node_of(prompt, "PreviewAny")]["text"]
    assert table.startswith("expression distance 0.")
    assert "Measure: ratios" in table and "Judge: sface" in table
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[-3:]}
    another, same, himself = (float(rows[str(place)][0]) for place in range(3))
    assert same < min(another, himself)  # the photo that is the template, batched to another size
    assert rows["1"][2] == "1" and float(rows["0"][1]) <= 0.4 <= float(rows["1"][1])
    assert "below min_similarity 0.4" in table
    (picture,) = pictures(server, entry, node_of(prompt, "SaveImage"))
    assert picture.shape == photos["biden"].shape


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


def test_a_sequence_draws_each_picture_with_its_own_expression(server: Server, inputs: None) -> None:
    """All have the same noise: a sequence that stands still draws one picture, this one does not."""
    prompt = small(read(api_files()["expression_sequence"]))
    shown = pictures(server, server.run(prompt), node_of(prompt, "SaveImage"))
    assert len(shown) == 6
    still = copy.deepcopy(prompt)
    still[node_of(prompt, "LikenessBlendExpressions")]["inputs"]["amount"] = 0.0
    same = pictures(server, server.run(still), node_of(prompt, "SaveImage"))
    apart = [np.abs(picture.astype(float) - shown[0]).mean() for picture in shown]
    together = [np.abs(picture.astype(float) - same[0]).mean() for picture in same]
    assert max(together) < 0.5 < apart[-1]
    assert all(np.abs(a.astype(float) - b).mean() < 0.5 for a, b in zip(shown[:1], same[:1], strict=True))
    assert apart == sorted(apart)


def test_face_detailer_draws_each_face_anew_and_nothing_else(
    server: Server, inputs: None, photos: dict[str, np.ndarray]
) -> None:
    prompt = small(read(api_files()["face_detailer"]))
    save = node_of(prompt, "SaveImage")
    (after,) = pictures(server, server.run(prompt), save)
    before = two_people(photos)
    changed = np.abs(after.astype(int) - before).max(axis=2) > 1
    assert after.shape == before.shape
    left, right = (124, 223), (219, 823)  # their noses
    for row, column in (left, right):
        assert changed[row - 20 : row + 20, column - 20 : column + 20].mean() > 0.9
    assert 0.02 < changed.mean() < 0.2
    assert not changed[:, 400:600].any() and not changed[420:].any() and not changed[:20].any()
    without = copy.deepcopy(prompt)
    without[titled(prompt, "Draw the Left Face")]["inputs"]["seed"] += 1
    (other,) = pictures(server, server.run(without), save)
    redrawn = np.abs(after.astype(int) - other).max(axis=2) > 1
    assert redrawn[:, :512].any() and not redrawn[:, 512:].any()


def test_stored_sockets_are_the_hosts(server: Server) -> None:
    stored, served = node_sockets.load(), fetch_sockets(server.object_info())
    if json.loads(server.get("/system_stats"))["system"]["comfyui_version"] != PINNED.version:
        # Other releases' own nodes may have other sockets: the oldest's Save Image has no output.
        stored, served = (
            {name: node for name, node in nodes.items() if name.startswith("Likeness")}
            for nodes in (stored, served)
        )
    assert stored == served, (
        "The nodes changed. Run: python -m tools.node_contract --write, and for those of the host "
        "python -m tools.ui_workflow --sockets URL"
    )


def test_templates_are_listed(server: Server) -> None:
    listed = json.loads(server.get("/api/workflow_templates"))
    (names,) = [names for names in listed.values() if "instantid_basic" in names]
    assert sorted(names) == sorted(api_files())
