"""Sets the inputs of a workflow by its nodes' titles. Standard library only.

python parameters.py WORKFLOW.json                                     what can be set, as JSON
python parameters.py WORKFLOW.json '{"Sample": {"seed": 5}}'           the workflow with that set
python parameters.py WORKFLOW.json settings.json                       the same, out of a file
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Prompt = dict[str, dict[str, Any]]


def set_inputs(prompt: Prompt, parameters: Mapping[str, Mapping[str, Any]]) -> Prompt:
    """A copy of a workflow in API form with {"title": {"input": value}} in it.

    Where several nodes share a title, "title #id" names one. Raises ValueError for a title or an input that
    is not there, a title that several nodes have, and an input that another node fills.
    """
    prompt = copy.deepcopy(prompt)
    names = node_names(prompt)
    for wanted, values in parameters.items():
        inputs = prompt[_find(wanted, names)]["inputs"]
        if not isinstance(values, Mapping):
            raise ValueError(f"{wanted!r} needs its inputs and their values in braces, not {values!r}.")
        for name, value in values.items():
            if name not in inputs:
                there = ", ".join(settable(inputs)) or "none that can be set"
                raise ValueError(f"{wanted!r} has no input {name!r}. It has: {there}.")
            if _is_wire(inputs[name]):
                source = names[inputs[name][0]]
                raise ValueError(f"{name!r} of {wanted!r} comes from {source!r} over a wire: set it there.")
            inputs[name] = value
    return prompt


def node_names(prompt: Prompt) -> dict[str, str]:
    """What each node is called, by its id: its title, with its id where others have the same."""
    titles = {i: node.get("_meta", {}).get("title") or node["class_type"] for i, node in prompt.items()}
    shared = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    return {i: f"{title} #{i}" if title in shared else title for i, title in titles.items()}


def settable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that hold a value, not a wire from another node."""
    return {name: value for name, value in inputs.items() if not _is_wire(value)}


def _is_wire(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _find(wanted: str, names: Mapping[str, str]) -> str:
    for node, name in names.items():
        if name == wanted:
            return node
    several = [name for node, name in names.items() if name == f"{wanted} #{node}"]
    if several:
        raise ValueError(f"Several nodes are called {wanted!r}. Say which: {', '.join(map(repr, several))}.")
    raise ValueError(f"No node is called {wanted!r}. There are: {', '.join(map(repr, names.values()))}.")


def read(text: str) -> Any:
    """JSON out of a file, or the text itself where it begins with a brace. Raises ValueError, OSError."""
    source = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8")
    try:
        return json.loads(source)
    except ValueError as error:
        raise ValueError(f"{text} is not JSON: {error}") from error


def main(workflow: str, parameters: str = "") -> None:
    prompt = read(workflow)
    if parameters:
        shown: Any = set_inputs(prompt, read(parameters))
    else:
        names = node_names(prompt)
        shown = {names[i]: values for i, node in prompt.items() if (values := settable(node["inputs"]))}
    print(json.dumps(shown, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except TypeError:
        sys.exit(__doc__)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
