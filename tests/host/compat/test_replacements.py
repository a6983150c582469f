"""What the host and a prompt are told about the nodes of two other packs."""

from __future__ import annotations

import copy
import logging
from types import ModuleType
from typing import Any

import pytest
from support.old_workflows import OLD_NODES, old_files, old_workflow, without_meta

from tools.ui_graph import is_link

PROMPT = {
    "1": {"class_type": "InstantIDFaceAnalysis", "inputs": {"provider": "ROCM"}},
    "2": {"class_type": "FaceKeypointsPreprocessor", "inputs": {"faceanalysis": ["1", 0], "image": ["3", 0]}},
    "3": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
}
#: Nodes for new graphs do these.
LOADERS = {"InstantIDModelLoader", "InstantIDFaceAnalysis"}
AFTER_SEED = "control_after_generate"
STOCK = {
    node["class_type"]
    for name in old_files()
    for node in old_workflow(name).values()
    if node["class_type"] not in OLD_NODES
}


@pytest.fixture(scope="module")
def table(pack: Any) -> Any:
    return pack.module("nodes.compat.replacements")


@pytest.fixture(scope="module")
def by_id(table: Any) -> dict[str, dict[str, Any]]:
    return {r.old_node_id: r.as_dict() for r in table.REPLACEMENTS}


def test_the_old_graphs_show_every_stand_in(pack: Any, table: Any) -> None:
    shown = set()
    for name in old_files():
        prompt = old_workflow(name)
        table.replace_nodes(prompt)
        shown |= {node["class_type"] for node in prompt.values()}
    ids = {node.GET_SCHEMA().node_id for node in pack.module("nodes").NODES}
    stand_ins = {node_id for node_id in ids if node_id.startswith("LikenessCompat")}
    assert stand_ins and stand_ins <= shown


def schema(pack: Any, node_id: str) -> Any:
    return pack.node(node_id).GET_SCHEMA()


def test_every_old_node_has_one_of_ours(pack: Any, by_id: Any) -> None:
    assert set(by_id) == set(OLD_NODES)
    assert all(pack.node(entry["new_node_id"]) for entry in by_id.values())


@pytest.mark.parametrize("old", sorted(OLD_NODES))
def test_every_input_and_output_goes_to_one_that_is_there(pack: Any, by_id: Any, old: str) -> None:
    entry, node = by_id[old], OLD_NODES[old]
    ours = schema(pack, entry["new_node_id"])
    after = {AFTER_SEED} if any(slot.extra for slot in node.inputs) else set()
    mapping = {m["old_id"]: m["new_id"] for m in entry["input_mapping"] if "old_id" in m}
    assert set(mapping) == {slot.name for slot in node.inputs} | after
    assert {m["new_id"] for m in entry["input_mapping"]} <= {socket.id for socket in ours.inputs} | after
    assert entry["output_mapping"] == [{"new_idx": i, "old_idx": i} for i in range(len(node.outputs))]
    assert len(ours.outputs) == len(node.outputs)


@pytest.mark.parametrize("old", sorted(OLD_NODES))
def test_values_of_saved_widgets_are_counted_as_the_page_saved_them(by_id: Any, old: str) -> None:
    saved = []
    for widget in OLD_NODES[old].widgets:
        saved += [widget.name, *([AFTER_SEED] if widget.extra else [])]
    assert by_id[old]["old_widget_ids"] == saved


@pytest.mark.parametrize("old", sorted(set(OLD_NODES) - LOADERS))
def test_our_stand_ins_have_the_old_sockets_and_are_out_of_the_way(pack: Any, by_id: Any, old: str) -> None:
    ours = schema(pack, by_id[old]["new_node_id"])
    assert ours.node_id.startswith("LikenessCompat")
    old_names = [slot.name for slot in OLD_NODES[old].inputs]
    assert [socket.id for socket in ours.inputs if socket.id != "vae"] == old_names
    assert [socket.id for socket in ours.outputs] == [name for name, _ in OLD_NODES[old].outputs]
    optional = {slot.name for slot in OLD_NODES[old].inputs if slot.optional} | {"vae"}
    assert all(socket.optional == (socket.id in optional) for socket in ours.inputs)
    assert ours.is_deprecated and ours.category == "Likeness/Compatibility"


@pytest.mark.parametrize("name", sorted(old_files()))
def test_links_between_ours_have_one_type_at_both_ends(pack: Any, table: Any, name: str) -> None:
    prompt = without_meta(old_workflow(name))
    table.replace_nodes(prompt)
    ours = {i: schema(pack, n["class_type"]) for i, n in prompt.items() if n["class_type"] not in STOCK}
    assert all(node_schema.node_id.startswith("Likeness") for node_schema in ours.values())
    for i, node_schema in ours.items():
        types = {socket.id: socket.get_io_type() for socket in node_schema.inputs}
        for socket, value in prompt[i]["inputs"].items():
            if is_link(value) and value[0] in ours:
                assert types[socket] == ours[value[0]].outputs[value[1]].get_io_type()


def test_a_prompt_is_replaced_in_place_and_logged(table: Any, caplog: pytest.LogCaptureFixture) -> None:
    prompt = copy.deepcopy(PROMPT)
    with caplog.at_level(logging.INFO):
        table.replace_nodes(prompt)
    assert prompt["1"] == {
        "class_type": "LikenessLoadFaceModels",
        "inputs": {"provider": "ROCM", "pack": "antelopev2"},
        "_meta": {"title": "InstantIDFaceAnalysis"},
    }
    assert prompt["2"]["class_type"] == "LikenessCompatFaceKeypoints"
    assert prompt["2"]["inputs"] == PROMPT["2"]["inputs"]
    assert prompt["3"] == PROMPT["3"]
    assert "InstantIDFaceAnalysis by LikenessLoadFaceModels" in caplog.text


def test_a_title_is_kept_and_what_is_left_out_stays_out(table: Any) -> None:
    prompt = {"1": {"class_type": "ApplyInstantID", "inputs": {"weight": 1.0}, "_meta": {"title": "mine"}}}
    table.replace_nodes(prompt)
    assert prompt["1"]["inputs"] == {"weight": 1.0} and prompt["1"]["_meta"] == {"title": "mine"}


def test_nothing_is_replaced_while_the_old_pack_is_there(
    pack: Any, host: ModuleType, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = pack.node("LikenessDrawFaces")
    monkeypatch.setitem(host.NODE_CLASS_MAPPINGS, "FaceKeypointsPreprocessor", there)
    prompt = copy.deepcopy(PROMPT)
    table.replace_nodes(prompt)
    assert prompt["2"] == PROMPT["2"]
    assert prompt["1"]["class_type"] == "LikenessLoadFaceModels"


def test_what_is_no_node_is_left_to_the_host(table: Any) -> None:
    prompt: dict[str, Any] = {"1": "text", "2": {"inputs": {}}, "3": {"class_type": ["x"]}, "4": None}
    before = copy.deepcopy(prompt)
    table.replace_nodes(prompt)
    assert prompt == before


@pytest.mark.parametrize("inputs", [None, [1], "text"])
def test_a_node_without_proper_inputs_does_not_stop_the_others(table: Any, inputs: Any) -> None:
    broken = {"class_type": "ApplyInstantID", "inputs": inputs}
    prompt = {"0": copy.deepcopy(broken), **copy.deepcopy(PROMPT)}
    table.replace_nodes(prompt)
    assert prompt["0"] == broken
    assert prompt["2"]["class_type"] == "LikenessCompatFaceKeypoints"


def test_the_host_replaces_by_the_same_table(table: Any, host: ModuleType) -> None:
    """The host's own code makes the same prompt of one that it can take: whole, and with _meta."""
    from app.node_replace_manager import NodeReplaceManager

    manager = NodeReplaceManager()
    for replacement in table.REPLACEMENTS:
        manager.register(replacement)
    for name in old_files():
        theirs, ours = old_workflow(name), old_workflow(name)
        for prompt in (theirs, ours):
            for node in prompt.values():
                if node["class_type"] in OLD_NODES:
                    slots = {slot.name: None for slot in OLD_NODES[node["class_type"]].inputs}
                    node["inputs"] = {**slots, AFTER_SEED: "fixed", **node["inputs"]}
        manager.apply_replacements(theirs)
        table.replace_nodes(ours)
        assert theirs == ours
