"""Which changes of a node's schema a minor release may bring."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools import node_contract, node_sockets
from tools.contract_changes import BREAKING, COMPATIBLE, PATCH, changes, level


def an_input(name: str, kind: str = "FLOAT", optional: bool = False, **options: Any) -> dict[str, Any]:
    return {"since": "1.0.0", "name": name, "type": kind, "optional": optional, "options": options}


def a_node() -> dict[str, Any]:
    return {
        "since": "1.0.0",
        "category": "Likeness/Faces",
        "deprecated": False,
        "experimental": False,
        "output_node": False,
        "inputs": [
            an_input("image", "IMAGE"),
            an_input("mode", "COMBO", options=["one", "two"]),
            an_input("seed", "INT", default=0, control_after_generate=True),
            an_input("weight", default=1.0, min=0.0, max=2.0),
            an_input("mask", "MASK", True),
        ],
        "outputs": [
            {"name": "faces", "type": "LIKENESS_FACES", "list": False},
            {"name": "count", "type": "INT", "list": False},
        ],
    }


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets one thing in a node: `inputs.3.options.max`."""

    def change(node: dict[str, Any]) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place: Any = node
        for part in way:
            place = place[part]
        place[last] = value

    return change


def inserted(where: int, part: dict[str, Any], room: str = "inputs") -> Callable[[dict[str, Any]], None]:
    return lambda node: node[room].insert(where, part)


def without(where: int, room: str = "inputs") -> Callable[[dict[str, Any]], None]:
    def change(node: dict[str, Any]) -> None:
        del node[room][where]

    return change


OUTPUT = {"name": "found", "type": "BOOLEAN", "list": False}


@pytest.mark.parametrize(
    "change, says, least",
    [
        (put("category", "Likeness/Masks"), "is in the menu 'Likeness/Masks'", COMPATIBLE),
        (put("deprecated", True), "is now deprecated", COMPATIBLE),
        (put("output_node", True), "is now an end of a graph", BREAKING),
        (without(4), "input 'mask' is gone", BREAKING),
        (put("inputs.0.name", "picture"), "input 'image' is gone", BREAKING),
        (put("inputs.0.type", "LATENT"), "input 'image' is of the type LATENT, was IMAGE", BREAKING),
        (put("inputs.4.optional", False), "input 'mask' is now required", BREAKING),
        (put("inputs.0.optional", True), "input 'image' is now optional", COMPATIBLE),
        (put("inputs.3.options.default", 0.8), "has the default 0.8, had 1.0", BREAKING),
        (put("inputs.3.options.max", 5.0), "has the max 5.0, had 2.0", COMPATIBLE),
        (put("inputs.3.options.max", 1.0), "has the max 1.0, had 2.0", BREAKING),
        (put("inputs.3.options.min", 0.5), "has the min 0.5, had 0.0", BREAKING),
        (put("inputs.3.options.step", 0.1), "has another step", COMPATIBLE),
        (put("inputs.1.options.options", ["one", "two", "three"]), "has the new choices 'three'", COMPATIBLE),
        (put("inputs.1.options.options", ["one"]), "has no more the choices 'two'", BREAKING),
        (put("inputs.1.options.options", ["two", "one"]), "begins with 'two', began with 'one'", BREAKING),
        (put("inputs.1.options.options", ["zero", "one", "two"]), "which is its default", BREAKING),
        (put("inputs.2.options.control_after_generate", False), "another control_after_generate", BREAKING),
        (inserted(5, an_input("new", default=1.0)), "new input 'new'", COMPATIBLE),
        (inserted(5, an_input("new")), "neither optional nor with a default", BREAKING),
        (inserted(2, an_input("new", default=1.0)), "new widget 'new' stands before older ones", BREAKING),
        (inserted(0, an_input("new", "MASK", True)), "new input 'new'", COMPATIBLE),
        (inserted(0, an_input("new", default=1, forceInput=True)), "new input 'new'", COMPATIBLE),
        (lambda node: node["inputs"].reverse(), "widgets stand in another order", BREAKING),
        (inserted(2, OUTPUT, "outputs"), "new output 'found', the last", COMPATIBLE),
        (inserted(0, OUTPUT, "outputs"), "output 0 is 'found' of the type BOOLEAN", BREAKING),
        (without(1, "outputs"), "output 'count' is gone", BREAKING),
        (put("outputs.1.name", "number"), "output 'count' is called 'number'", COMPATIBLE),
        (put("outputs.1.list", True), "output 1 is 'count'", BREAKING),
    ],
)
def test_each_change_is_told_with_what_may_bring_it(
    change: Callable[[dict[str, Any]], None], says: str, least: str
) -> None:
    old = {"LikenessX": a_node()}
    new = copy.deepcopy(old)
    change(new["LikenessX"])
    found = changes(old, new)
    told = [str(one) for one in found if says in one.what]
    assert told, [str(one) for one in found]
    assert level(found) == least
    may = "A minor release may do this." if least == COMPATIBLE else "A minor release may not do this"
    assert told[0].startswith("LikenessX: ") and may in told[0]


def test_nodes_that_come_and_go() -> None:
    node = {"LikenessX": a_node()}
    (gone,), (came,) = changes(node, {}), changes({}, node)
    assert "LikenessX: is gone" in str(gone) and gone.level == BREAKING
    assert str(came) == "LikenessX: is new. A minor release may do this."
    assert changes(node, copy.deepcopy(node)) == [] and level([]) == PATCH


def test_when_something_came_is_kept() -> None:
    old, new = {"LikenessX": a_node()}, {"LikenessX": a_node(), "LikenessY": a_node()}
    new["LikenessX"]["inputs"].append(an_input("new"))
    kept = node_contract.with_since(new, old)
    assert kept["LikenessX"]["since"] == "1.0.0" and kept["LikenessY"]["since"] == node_contract.UNRELEASED
    came = {part["name"]: part["since"] for part in kept["LikenessX"]["inputs"]}
    assert came["weight"] == "1.0.0" and came["new"] == node_contract.UNRELEASED


def test_the_stored_files_share_no_node_and_are_written_as_they_are() -> None:
    contract, host = node_contract.load(), node_sockets.load_stored(node_sockets.STORE)
    assert contract and all(name.startswith("Likeness") for name in contract)
    assert host and not any(name.startswith("Likeness") for name in host)
    assert node_contract.STORE.read_text(encoding="utf-8") == node_contract.text(contract)
    assert node_sockets.load().keys() == contract.keys() | host.keys()
