"""What the page exports of a workflow file that it opens: the way back of tools.ui_graph.to_ui."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.node_sockets import Node
from tools.ui_graph import NOTES, WRAPPED, Prompt


def to_api(ui: dict[str, Any], nodes: Mapping[str, Node]) -> Prompt:
    """The API prompt of a UI file, as the page exports it. Raises ValueError for values left over."""
    sources = {link[0]: [str(link[1]), link[2]] for link in ui["links"]}
    prompt: Prompt = {}
    for entry in ui["nodes"]:
        if entry["type"] in NOTES:
            continue
        node, inputs = nodes[entry["type"]], {}
        values = list(entry["widgets_values"])
        for widget in node.widgets:
            value = values.pop(0)
            inputs[widget.name] = {WRAPPED: value} if isinstance(value, list) else value
            if widget.extra is not None:
                values.pop(0)
        if values:
            raise ValueError(
                f"Node {entry['id']} ({entry['type']}) has widget values that no widget takes: {values}."
            )
        for socket in entry["inputs"]:
            if socket["link"] is not None:
                inputs[socket["name"]] = sources[socket["link"]]
        prompt[str(entry["id"])] = {
            "class_type": entry["type"],
            "inputs": inputs,
            "_meta": {"title": entry["title"]},
        }
    return prompt
