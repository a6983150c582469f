"""The helper of the examples that sets inputs by the titles of nodes."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.patience import PATIENCE

from installer.paths import REPOSITORY
from workflows.examples.parameters import node_names, set_inputs, settable

EXAMPLES = REPOSITORY / "workflows" / "examples"
PROMPT: dict[str, dict[str, Any]] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "Photo"}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}, "_meta": {"title": "Preview"}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "sizes": [1, 2], "model": ["1", 0]}},
    "4": {"class_type": "PreviewText", "inputs": {"text": "x"}, "_meta": {"title": "Preview"}},
}


def test_inputs_are_set_by_title_in_a_copy() -> None:
    before = copy.deepcopy(PROMPT)
    changed = set_inputs(PROMPT, {"Photo": {"image": "me.jpg"}, "KSampler": {"seed": 5, "sizes": [3, 4]}})
    assert before == PROMPT
    assert changed["1"]["inputs"] == {"image": "me.jpg"}
    assert changed["3"]["inputs"] == {"seed": 5, "sizes": [3, 4], "model": ["1", 0]}
    assert set_inputs(PROMPT, {"Preview #4": {"text": "y"}})["4"]["inputs"] == {"text": "y"}


@pytest.mark.parametrize(
    "parameters, message",
    [
        (
            {"Foto": {}},
            r"No node is called 'Foto'\. There are: 'Photo', 'Preview #2', 'KSampler'",
        ),
        (
            {"Preview": {"text": "y"}},
            r"Several nodes are called 'Preview'\. Say which: .*#2', .*#4'\.",
        ),
        ({"KSampler": {"sead": 5}}, r"'KSampler' has no input 'sead'\. It has: seed, sizes\."),
        ({"KSampler": {"model": 5}}, r"'model' of 'KSampler' comes from 'Photo' over a wire: set it there\."),
        ({"KSampler": 5}, r"'KSampler' needs its inputs and their values in braces, not 5\."),
    ],
)
def test_what_cannot_be_set_is_named_with_the_choices(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        set_inputs(PROMPT, parameters)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "workflows" / "api").glob("*.json")), ids=lambda path: path.stem
)
def test_every_input_of_every_workflow_can_be_set(path: Path) -> None:
    prompt = json.loads(path.read_text(encoding="utf-8"))
    names = node_names(prompt)
    assert len(set(names.values())) == len(prompt)
    every = {names[i]: settable(node["inputs"]) for i, node in prompt.items()}
    assert set_inputs(prompt, every) == prompt
    marked = {name: dict.fromkeys(values, "marked") for name, values in every.items()}
    changed = set_inputs(prompt, marked)
    assert {names[i]: settable(node["inputs"]) for i, node in changed.items()} == marked


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(EXAMPLES / "parameters.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_the_command_shows_and_sets(tmp_path: Path) -> None:
    workflow, settings = tmp_path / "workflow.json", tmp_path / "settings.json"
    workflow.write_text(json.dumps(PROMPT), encoding="utf-8")
    shown = json.loads(run(str(workflow)).stdout)
    assert shown == {
        "Photo": {"image": "a.png"},
        "KSampler": {"seed": 1, "sizes": [1, 2]},
        "Preview #4": {"text": "x"},
    }
    shown["KSampler"]["seed"] = 9
    settings.write_text(json.dumps(shown), encoding="utf-8")
    for parameters in (str(settings), json.dumps(shown)):
        assert json.loads(run(str(workflow), parameters).stdout)["3"]["inputs"]["seed"] == 9
    for wrong in ('{"Photo": ', '{"Nobody": {}}', str(tmp_path / "nowhere.json")):
        done = run(str(workflow), wrong)
        assert done.returncode == 1 and done.stderr and "Traceback" not in done.stderr
    assert "python parameters.py WORKFLOW.json" in run().stderr


def test_no_folder_hides_the_templates() -> None:
    """ComfyUI takes each of these for templates, serves the first it finds, and 404 for `workflows`."""
    for name in ("example_workflows", "example", "examples", "workflow"):
        assert not (REPOSITORY / name).exists()
    assert (REPOSITORY / "workflows").is_dir() and not list(EXAMPLES.glob("*.json"))
