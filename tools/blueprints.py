"""Write subgraphs/*.json, the chains that the page offers as one node, from workflows/api/*.json.

`python -m tools.blueprints`. blueprints.json says of each what comes in and goes out, which widgets show on
the node, and which values and links differ from the workflow's. Its nodes are those that the outputs need.
"""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

from . import node_sockets
from .subgraph import Part, Subgraph, stable_id
from .ui_graph import Prompt
from .ui_layout import arrange
from .ui_workflow import LAYOUTS, WORKFLOWS, api_files, read

FOLDER = WORKFLOWS.parent / "subgraphs"
DEFINITIONS = LAYOUTS.with_name("blueprints.json")
CATEGORY = "Likeness"


def definitions() -> dict[str, dict[str, Any]]:
    return read(DEFINITIONS)


def whole_prompt(definition: dict[str, Any]) -> Prompt:
    """The workflow that a definition cuts its chain from, with the definition's changes."""
    prompt = copy.deepcopy(read(api_files()[definition["workflow"]]))
    for i, changes in definition.get("change", {}).items():
        prompt[i]["inputs"].update(changes)
    for i, title in definition.get("titles", {}).items():
        prompt[i]["_meta"]["title"] = title
    return prompt


def part_of(name: str) -> Part:
    definition = definitions()[name]
    inputs, outputs = (
        {label: (i, slot) for label, (i, slot) in definition[side].items()} for side in ("inputs", "outputs")
    )
    widgets = {label: tuple((i, w) for i, w in pairs) for label, pairs in definition["widgets"].items()}
    return Part(name, whole_prompt(definition), inputs, widgets, outputs)


def layout_of(workflow: str, prompt: Prompt) -> dict[str, Any]:
    """The workflow's layout without its note and without the nodes that the prompt leaves out."""
    stacks = []
    for stack in read(LAYOUTS)[workflow]["stacks"]:
        groups = []
        for group in stack:
            columns = [[i for i in column if i in prompt] for column in group["columns"]]
            columns = [column for column in columns if column]
            if columns:
                groups.append({**group, "columns": columns})
        if groups:
            stacks.append(groups)
    return {"note": {"title": "", "text": "", "width": 0, "height": 0}, "stacks": stacks}


def build(name: str) -> str:
    """The text of subgraphs/NAME.json."""
    definition, part, nodes = definitions()[name], part_of(name), node_sockets.load()
    places, groups, _ = arrange(part.inner, nodes, layout_of(definition["workflow"], part.inner))
    made = Subgraph(part, nodes, places)
    content = {
        "id": stable_id(name, "file"),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [made.host()],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [made.content(groups, CATEGORY, definition["description"])]},
        "config": {},
        "extra": {
            "BlueprintDescription": definition["description"],
            "BlueprintSearchAliases": definition["aliases"],
        },
        "version": 0.4,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in definitions():
        (FOLDER / f"{name}.json").write_text(build(name), encoding="utf-8", newline="\n")
        sys.stdout.write(f"subgraphs/{name}.json\n")


if __name__ == "__main__":
    main()
