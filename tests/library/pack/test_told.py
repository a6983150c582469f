"""What nodes told the page is found again by the graph before them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from likeness.host import told

PROMPT: dict[str, Any] = {
    "1": {"class_type": "Load", "inputs": {"image": "a.png"}},
    "2": {"class_type": "Select", "inputs": {"faces": ["1", 0], "indices": "0"}},
}


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    told._told.clear()


def asked(prompt: Any, *nodes: str) -> dict[str, Any]:
    return told.recall({"prompt": prompt, "nodes": list(nodes)}, "")


def test_the_same_graph_finds_it_under_any_ids() -> None:
    told.remember(PROMPT, "2", {"faces": [1]})
    assert asked(PROMPT, "2", "1", "9") == {"2": {"faces": [1]}}
    renamed = {"7": PROMPT["1"], "8": {**PROMPT["2"], "inputs": {"faces": ["7", 0], "indices": "0"}}}
    assert asked(renamed, "8") == {"8": {"faces": [1]}}


@pytest.mark.parametrize(
    "node, name, value", [("1", "image", "b.png"), ("2", "indices", "1"), ("2", "faces", ["1", 1])]
)
def test_another_graph_does_not(node: str, name: str, value: Any) -> None:
    told.remember(PROMPT, "2", {"faces": [1]})
    other = copy.deepcopy(PROMPT)
    other[node]["inputs"][name] = value
    assert asked(other, "2") == {}


def test_the_oldest_goes() -> None:
    for number in range(told._MOST + 1):
        told.remember({"1": {"class_type": "A", "inputs": {"n": number}}}, "1", {"n": number})
    assert len(told._told) == told._MOST
    assert asked({"1": {"class_type": "A", "inputs": {"n": 0}}}, "1") == {}
    assert asked({"1": {"class_type": "A", "inputs": {"n": 1}}}, "1") == {"1": {"n": 1}}


@pytest.mark.parametrize(
    "prompt, sentence",
    [
        ([], "takes a prompt and a list of nodes"),
        ({"2": PROMPT["2"]}, "The graph has no node 1"),
        ({"2": "x"}, "The graph has no node 2"),
        ({"2": {"class_type": "A", "inputs": {"a": ["2", 0]}}}, "The graph has a circle"),
    ],
)
def test_what_is_no_graph_is_refused(prompt: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        asked(prompt, "2")
