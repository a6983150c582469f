"""Columns and the inputs they mean; workflows that are none."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from support.batches import SMALLEST

from batch.graph import WorkflowError, locate, read_workflow, set_inputs


def test_columns_set_inputs_of_a_copy() -> None:
    before = copy.deepcopy(SMALLEST)
    done = set_inputs(SMALLEST, {"Prompt.text": "new", "Sampler.seed": 5})
    assert (done["2"]["inputs"]["text"], done["5"]["inputs"]["seed"]) == ("new", 5)
    assert before == SMALLEST


def test_titles_and_inputs_may_have_dots() -> None:
    graph = {
        "1": {"class_type": "A", "inputs": {"x.y": 1, "y": 2}, "_meta": {"title": "Nr. 1"}},
        "2": {"class_type": "B", "inputs": {"z": 1}, "_meta": {"title": "Nr"}},
    }
    assert locate(graph, "Nr. 1.x.y") == ("1", "x.y")
    assert locate(graph, "Nr. 1.y") == ("1", "y")
    assert locate(graph, "Nr.z") == ("2", "z")


@pytest.mark.parametrize(
    "column, said",
    [
        ("text", "The column 'text' names no input: columns are called TITLE.INPUT"),
        (".text", "names no input"),
        ("Prompt.", "names no input"),
        ("Nobody.text", "No node is called 'Nobody'"),
        ("Prompt.words", "'Prompt' has no input 'words'. It has: text"),
        ("Prompt.clip", "'clip' of 'Prompt' comes from 'Model' over a wire"),
    ],
)
def test_columns_that_mean_nothing(column: str, said: str) -> None:
    with pytest.raises(WorkflowError) as raised:
        locate(SMALLEST, column)
    assert said in str(raised.value)


def test_a_title_that_two_nodes_have() -> None:
    graph = copy.deepcopy(SMALLEST)
    graph["3"]["_meta"]["title"] = "Prompt"
    with pytest.raises(WorkflowError, match=r"Several nodes are called 'Prompt'. Say which: 'Prompt #2'"):
        locate(graph, "Prompt.text")
    assert locate(graph, "Prompt #3.text") == ("3", "text")


@pytest.mark.parametrize(
    "content, said",
    [
        ("{", "is not JSON"),
        ('{"nodes": [], "links": []}', "as the page saves it. Save it with Workflow > Export"),
        ("[]", "is no workflow in API form"),
        ("{}", "is no workflow in API form"),
        ('{"1": {"inputs": {}}}', "is no workflow in API form"),
    ],
)
def test_files_that_are_no_workflow(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "workflow.json"
    path.write_text(content)
    with pytest.raises(WorkflowError, match=said):
        read_workflow(path)
    with pytest.raises(WorkflowError, match="can't be read"):
        read_workflow(tmp_path / "none.json")


def test_a_workflow(smallest: Path) -> None:
    assert read_workflow(smallest) == json.loads(smallest.read_text())
