"""Graphs made for two other packs run over the API, on our nodes; mistakes in them are told."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from support.old_workflows import OLD_NODES, PEOPLE, old_files, small_old, without_meta
from support.workflow_runs import node_of, pictures, png, upload_inputs

from installer.server import Server, ServerError

NAMES = sorted(old_files())


@pytest.fixture(scope="module", autouse=True)
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)
    folder = server.base / "input" / PEOPLE
    folder.mkdir(exist_ok=True)
    for name in ("astronaut", "obama", "obama2", "obama3"):
        (folder / f"{name}.png").write_bytes(png(photos[name]))


def changed(prompt: dict[str, Any], class_type: str, **inputs: Any) -> dict[str, Any]:
    prompt = copy.deepcopy(prompt)
    prompt[node_of(prompt, class_type)]["inputs"].update(inputs)
    return prompt


@pytest.mark.parametrize("name", NAMES)
def test_an_old_graph_draws_pictures_with_and_without_meta(server: Server, name: str) -> None:
    prompt = small_old(name)
    entry = server.run(without_meta(prompt))
    assert entry["status"]["status_str"] == "success"
    for i in (i for i, node in prompt.items() if node["class_type"] == "SaveImage"):
        assert pictures(server, entry, i)
        assert all(picture.ndim == 3 and picture.std() > 1 for picture in pictures(server, entry, i))
    # With it, the graph is the same: nothing is left to do.
    messages = dict(server.run(prompt)["status"]["messages"])
    assert set(messages["execution_cached"]["nodes"]) == set(prompt)


def test_the_page_is_told_of_every_old_node(server: Server) -> None:
    told = json.loads(server.get("/api/node_replacements"))
    known = server.object_info()
    for old in OLD_NODES:
        (replacement,) = told[old]
        assert replacement["new_node_id"] in known and old not in known


def test_what_is_left_out_of_a_prompt_is_told(server: Server) -> None:
    prompt = without_meta(small_old("instantid_basic"))
    apply = node_of(prompt, "ApplyInstantID")
    del prompt[apply]["inputs"]["model"], prompt[apply]["inputs"]["weight"]
    with pytest.raises(ServerError) as error:
        server.run(prompt)
    text = str(error.value)
    assert f"node {apply} (LikenessCompatApplyInstantID): Required input is missing: model" in text
    assert "Required input is missing: weight" in text


@pytest.mark.parametrize(
    ("name", "node", "inputs", "said"),
    [
        (
            "instantid_advanced",
            "ApplyInstantIDAdvanced",
            {"combine_embeds": "max"},
            r"not in list: combine",
        ),
        ("instantid_basic", "InstantIDFaceAnalysis", {"provider": "TPU"}, r"Unknown provider 'TPU'"),
        (
            "instantid_basic",
            "InstantIDModelLoader",
            {"instantid_file": "no.bin"},
            r"no\.bin is not in models",
        ),
        ("arc2face", "Arc2FaceImageGridGenerator", {"directory": "nowhere"}, r"'nowhere' is no folder"),
    ],
)
def test_a_wrong_value_is_told(
    server: Server, name: str, node: str, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(ServerError, match=said):
        server.run(changed(without_meta(small_old(name)), node, **inputs))


def test_nodes_that_nobody_has_are_named_as_ever(server: Server) -> None:
    prompt = without_meta(small_old("instantid_basic"))
    prompt["99"] = {"class_type": "ApplyPulid", "inputs": {}}
    with pytest.raises(ServerError, match=r"Node 'ApplyPulid' not found"):
        server.run(prompt)
