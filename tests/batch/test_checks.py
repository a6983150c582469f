"""Each row against what the host says it takes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batch.checks import Checker, Fault
from batch.values import Row

INFO: dict[str, Any] = {
    "Take": {
        "input": {
            "required": {
                "text": ["STRING", {}],
                "steps": ["INT", {"min": 1, "max": 100}],
                "seed": ["INT", {"min": 0, "max": 2**64 - 1, "control_after_generate": True}],
                "strength": ["FLOAT", {"min": 0.0, "max": 1.0}],
                "on": ["BOOLEAN", {}],
                "way": [["fast", "slow", 3], {}],
                "new_way": ["COMBO", {"options": ["fast", "slow"]}],
                "ways": ["COMBO", {"options": ["a", "b"], "multiselect": True}],
                "model": [["one.safetensors"], {}],
                "photo": [["old.png"], {"image_upload": True}],
                "image": ["IMAGE", {}],
                "forced": ["INT", {"forceInput": True}],
            },
            "optional": {"more": ["STRING", {}]},
        },
        "output_node": True,
    }
}
GRAPH: dict[str, dict[str, Any]] = {
    "1": {
        "class_type": "Take",
        "inputs": {
            "text": "x",
            "steps": 5,
            "seed": 0,
            "strength": 0.5,
            "on": True,
            "way": "fast",
            "new_way": "fast",
            "ways": ["a"],
            "model": "one.safetensors",
            "photo": "p.png",
            "image": ["1", 0],
            "forced": ["1", 0],
        },
        "_meta": {"title": "T"},
    }
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    (tmp_path / "note.png").write_text("no picture")
    return tmp_path


def check(folder: Path, *rows: dict[str, Any], graph: Any = GRAPH) -> tuple[list[Any], list[Fault]]:
    checker = Checker(graph, INFO, folder, [folder])
    return checker.rows([Row(number, row) for number, row in enumerate(rows, 1)])


@pytest.mark.parametrize(
    "column, given, taken",
    [
        ("text", 5, "5"),
        ("steps", "20", 20),
        ("steps", 20.0, 20),
        ("seed", str(2**64 - 1), 2**64 - 1),
        ("strength", "0.25", 0.25),
        ("strength", 1, 1.0),
        ("on", "No", False),
        ("on", "1", True),
        ("way", "slow", "slow"),
        ("way", "3", 3),
        ("new_way", "slow", "slow"),
        ("ways", ["a", "b"], ["a", "b"]),
        ("model", "one.safetensors", "one.safetensors"),
    ],
)
def test_values_become_what_the_input_takes(folder: Path, column: str, given: Any, taken: Any) -> None:
    (row,), faults = check(folder, {f"T.{column}": given})
    assert not faults
    value = row.settings()[f"T.{column}"]
    assert (value, type(value)) == (taken, type(taken))


@pytest.mark.parametrize(
    "column, given, said",
    [
        ("T.text", {"a": 1}, "it takes text, not a list or an object."),
        ("T.steps", "many", "'many' is no number."),
        ("T.steps", "1.5", "'1.5' is no whole number."),
        ("T.steps", True, "True is no whole number."),
        ("T.steps", "nan", "'nan' is no number."),
        ("T.steps", 0, "0 is below the least, 1."),
        ("T.steps", "101", "101 is above the most, 100."),
        ("T.seed", -1, "-1 is below the least, 0."),
        ("T.strength", "1,5", "'1,5' is no number."),
        ("T.strength", 1.5, "1.5 is above the most, 1.0."),
        ("T.on", "perhaps", "'perhaps' is neither true nor false."),
        ("T.way", "sideways", "'sideways' is no choice. There are: 'fast', 'slow', 3."),
        ("T.new_way", "sideways", "'sideways' is no choice. There are: 'fast', 'slow'."),
        ("T.ways", ["a", "c"], "'c' is no choice. There are: 'a', 'b'."),
        (
            "T.model",
            "two.safetensors",
            "the host has no model 'two.safetensors'. There are: 'one.saf",
        ),
        ("T.photo", "none.png", "there is no file 'none.png' (looked in"),
        ("T.photo", "~$p.png", "there is no file '~$p.png' (looked in"),
        ("T.photo", "a woman, " * 100, "there is no file 'a woman, a woman,"),
        ("T.photo", "note.png", "'note.png' is no picture that can be read."),
        ("T.photo", 5, "it takes the path of a file, not 5."),
        ("T.image", "x", "'image' of 'T' comes from 'T' over a wire: set it there."),
        ("T.nothing", "x", "'T' has no input 'nothing'."),
        ("U.text", "x", "No node is called 'U'."),
        ("text", "x", "names no input"),
    ],
)
def test_values_that_cannot_be(folder: Path, column: str, given: Any, said: str) -> None:
    good, (fault,) = check(folder, {column: given})
    assert not good
    assert (fault.row, fault.column) == (1, column)
    assert said in fault.sentence


def test_an_input_that_only_takes_wires(folder: Path) -> None:
    graph = copy.deepcopy(GRAPH)
    graph["1"]["inputs"] |= {"forced": 3}
    _, faults = check(folder, {"T.forced": 1}, graph=graph)
    assert [fault.sentence for fault in faults] == ["it takes a wire of the kind INT, not a value."]


def test_a_widget_of_a_kind_of_its_own_takes_what_is_given(folder: Path) -> None:
    info = {**INFO, "Take": {**INFO["Take"], "input": {"required": {"colour": ["COLOR", {}]}}}}
    graph = {"1": {**GRAPH["1"], "inputs": {"colour": "#ff0000"}}}
    checker = Checker(graph, info, folder)
    assert checker.workflow() == ({}, [])
    (row,), faults = checker.rows([Row(1, {"T.colour": "#00ff00"})])
    assert not faults and row.settings() == {"T.colour": "#00ff00"}


def test_every_fault_is_told_and_good_rows_stay(folder: Path) -> None:
    good, faults = check(folder, {"T.steps": 0, "T.on": "x"}, {"T.steps": 5}, {"T.way": "y"})
    assert [row.number for row in good] == [2]
    assert [(fault.row, fault.column) for fault in faults] == [(1, "T.steps"), (1, "T.on"), (3, "T.way")]
    assert str(faults[0]) == "row 1, T.steps: 0 is below the least, 1."


def test_a_photo_is_called_by_what_is_in_it(folder: Path) -> None:
    (folder / "same.png").write_bytes((folder / "p.png").read_bytes())
    good, _ = check(folder, {"T.photo": "p.png"}, {"T.photo": str(folder / "same.png")})
    names = [row.settings()["T.photo"] for row in good]
    assert names[0] == names[1]
    assert names[0].endswith(".png")
    assert good[0].contents() == good[1].contents()


def workflow(folder: Path, graph: Any, rows: list[Row] | None = None) -> list[str]:
    return [str(fault) for fault in Checker(graph, INFO, folder, [folder]).workflow(rows or [])[1]]


def test_faults_of_the_workflow_itself(folder: Path) -> None:
    assert workflow(folder, GRAPH) == []
    graph = copy.deepcopy(GRAPH)
    graph["1"]["inputs"] |= {"steps": 0, "photo": "gone.png"}
    del graph["1"]["inputs"]["text"]
    said = workflow(folder, graph)
    assert said[0] == "the workflow, T.text: the node needs it, and the workflow has nothing there."
    assert said[1] == "the workflow, T.steps: 0 is below the least, 1."
    assert said[2].startswith("the workflow, T.photo: there is no file 'gone.png'")
    assert workflow(folder, graph, [Row(1, {"T.steps": 1, "T.photo": "p.png"})]) == said[:1]


def test_a_node_that_the_host_does_not_have(folder: Path) -> None:
    graph = {**GRAPH, "2": {"class_type": "Foreign", "inputs": {}, "_meta": {"title": "F"}}}
    said = "the workflow: the host has no node 'Foreign' ('F'). Install its pack, or leave it out."
    assert workflow(folder, graph) == [said]


def test_a_workflow_that_saves_nothing(folder: Path) -> None:
    info = {**INFO, "Take": {**INFO["Take"], "output_node": False}}
    (fault,) = Checker(GRAPH, info, folder, [folder]).workflow()[1]
    assert str(fault) == "the workflow: it saves nothing. Add a node such as Save Image."


def test_which_inputs_take_a_seed(folder: Path) -> None:
    assert list(Checker(GRAPH, INFO, folder).seeds()) == ["T.seed"]


@pytest.mark.parametrize("fed, seeds", [(["seed"], ["N.value"]), (["steps"], []), (["seed", "steps"], [])])
def test_a_number_of_its_own_node_is_a_seed_where_it_goes_into_seeds_alone(
    folder: Path, fed: list[str], seeds: list[str]
) -> None:
    """The host's own such node counts up by itself, whatever its number is for."""
    info = {**INFO, "Number": {"input": {"required": {"value": ["INT", {"control_after_generate": True}]}}}}
    graph = copy.deepcopy(GRAPH)
    graph["2"] = {"class_type": "Number", "inputs": {"value": 512}, "_meta": {"title": "N"}}
    graph["1"]["inputs"] |= {name: ["2", 0] for name in fed}
    found = Checker(graph, info, folder).seeds()
    assert [column for column in found if column.startswith("N.")] == seeds


def test_a_file_that_the_page_marks_as_one_of_its_input_folder(folder: Path) -> None:
    graph = copy.deepcopy(GRAPH)
    graph["1"]["inputs"]["photo"] = "p.png [input]"
    assert workflow(folder, graph) == []
