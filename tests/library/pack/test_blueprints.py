"""The blueprints as files: what the tool writes, with whole links and widgets."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tools.blueprints import DEFINITIONS, FOLDER, build, definitions, part_of
from tools.subgraph import INPUT, OUTPUT
from tools.ui_graph import is_link, plain
from tools.ui_workflow import read

NAMES = sorted(definitions())


def inside(name: str) -> dict[str, Any]:
    (graph,) = read(FOLDER / f"{name}.json")["definitions"]["subgraphs"]
    return graph


def test_there_is_a_file_for_each() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == NAMES
    assert NAMES == [
        "Attribute sliders",
        "ConsistentID portrait",
        "Draw until right",
        "FACT portrait",
        "Face detailer",
        "Identity portrait",
        "MasterWeaver portrait",
        "Portrait with W+ sliders",
        "Repair attributes",
        "Repair people",
        "Story in pictures",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_file_is_what_the_tool_writes(name: str) -> None:
    written = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == build(name), (
        f"{DEFINITIONS.name} or its workflow changed. Run: python -m tools.blueprints"
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_the_workflow_is_there(name: str) -> None:
    part, graph = part_of(name), inside(name)
    nodes = {str(node["id"]): node for node in graph["nodes"]}
    links = {link["id"]: link for link in graph["links"]}
    assert set(nodes) == set(part.inner)
    for i, node in part.inner.items():
        for socket in nodes[i]["inputs"]:
            value, link = node["inputs"].get(socket["name"]), links.get(socket["link"])
            promoted = (i, socket["name"]) in itertools.chain(*part.widgets.values())
            assert (link is not None) == (is_link(value) or promoted), f"{i} {socket['name']}"
            if link is None:
                continue
            assert link["target_id"] == int(i) and nodes[i]["inputs"][link["target_slot"]] is socket
            if is_link(value) and value[0] in part.inner:
                assert [str(link["origin_id"]), link["origin_slot"]] == value
            else:
                assert link["origin_id"] == INPUT
                assert link["id"] in graph["inputs"][link["origin_slot"]]["linkIds"]


@pytest.mark.parametrize("name", NAMES)
def test_ends_have_ids_of_their_own_and_lead_out(name: str) -> None:
    graph, part = inside(name), part_of(name)
    ends = [*graph["inputs"], *graph["outputs"]]
    assert len({end["id"] for end in ends}) == len(ends)
    links = {link["id"]: link for link in graph["links"]}
    for slot, (end, source) in enumerate(zip(graph["outputs"], part.outputs.values(), strict=True)):
        (link,) = (links[i] for i in end["linkIds"])
        assert (str(link["origin_id"]), link["origin_slot"]) == source
        assert (link["target_id"], link["target_slot"]) == (OUTPUT, slot)


@pytest.mark.parametrize("name", NAMES)
def test_widgets_of_one_name_have_one_value_in_the_workflow(name: str) -> None:
    part = part_of(name)
    (host,) = read(FOLDER / f"{name}.json")["nodes"]
    shown = [entry["name"] for entry in host["inputs"] if "widget" in entry]
    assert shown == list(part.widgets)
    for value, targets in zip(host["widgets_values"], part.widgets.values(), strict=True):
        assert all(plain(part.inner[i]["inputs"][widget]) == value for i, widget in targets)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    graph = inside(name)
    assert graph["name"] == name and graph["category"] == "Likeness"
    assert len(graph["description"]) > 60
    assert len(read(FOLDER / f"{name}.json")["extra"]["BlueprintSearchAliases"]) >= 3
