"""A workflow's inputs by the titles of its nodes: the mechanism of workflows/examples/parameters.py.

That script is for users, by itself and without this package, so it holds the one copy and we load it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .values import Prompt

_SCRIPT = Path(__file__).resolve().parents[1] / "workflows" / "examples" / "parameters.py"


class WorkflowError(ValueError):
    """The workflow can't be used; the message says why and what to do."""


def _load() -> ModuleType:
    name = "batch._parameters"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def node_names(prompt: Prompt) -> dict[str, str]:
    """What each node is called, by its id: its title, with its id where others have the same."""
    names: dict[str, str] = _load().node_names(prompt)
    return names


def settable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that hold a value, not a wire from another node."""
    found: dict[str, Any] = _load().settable(inputs)
    return found


def set_inputs(prompt: Prompt, values: Mapping[str, Any]) -> Prompt:
    """A copy of the workflow with {"Title.input": value} in it. Raises WorkflowError if it can't be."""
    names = node_names(prompt)
    parameters: dict[str, dict[str, Any]] = {}
    for column, value in values.items():
        title, name = split(prompt, names, column)
        parameters.setdefault(title, {})[name] = value
    try:
        done: Prompt = _load().set_inputs(prompt, parameters)
    except ValueError as error:
        raise WorkflowError(str(error)) from error
    return done


def split(prompt: Prompt, names: Mapping[str, str], column: str) -> tuple[str, str]:
    """("Title", "input") of "Title.input". Both may have dots of their own: what is there decides.

    Raises WorkflowError for a column that can't mean an input.
    """
    by_name = {name: node for node, name in names.items()}
    for place in (place for place, letter in enumerate(column) if letter == "."):
        title, name = column[:place], column[place + 1 :]
        if title in by_name and name in prompt[by_name[title]]["inputs"]:
            return title, name
    title, dot, name = column.rpartition(".")
    if not dot or not title or not name:
        raise WorkflowError(
            f"The column {column!r} names no input: columns are called TITLE.INPUT, such as 'Prompt.text'."
        )
    return title, name


def locate(prompt: Prompt, column: str) -> tuple[str, str]:
    """(node id, input) that a column means. Raises WorkflowError when there is none that can be set."""
    set_inputs(prompt, {column: None})  # says what is wrong with it
    names = node_names(prompt)
    title, name = split(prompt, names, column)
    return next(node for node, called in names.items() if called == title), name


def read_workflow(path: Path) -> Prompt:
    """A workflow in API form. Raises WorkflowError."""
    try:
        read = _load().read(str(path))
    except OSError as error:
        raise WorkflowError(f"The workflow {path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise WorkflowError(f"The workflow {error}") from error
    if isinstance(read, dict) and isinstance(read.get("nodes"), list):
        raise WorkflowError(
            f"{path} is a workflow as the page saves it. Save it with Workflow > Export (API), and give that."
        )
    if not isinstance(read, dict) or not read or not all(map(_is_node, read.values())):
        raise WorkflowError(f"{path} is no workflow in API form: node ids with class_type and inputs.")
    return read


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and isinstance(value.get("inputs"), dict)
