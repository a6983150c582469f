"""What the workflow tools must know of each node: its sockets, its widgets and those the page adds.

The host's nodes are kept in node_sockets.json, ours are taken from their contract (node_contract.py), so
that workflows are written and checked without a server; a server test compares both with a running host.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import node_contract

STORE = Path(__file__).with_name("node_sockets.json")
OURS = "Likeness"
GROWING = "COMFY_AUTOGROW_V3"
WIDGET_TYPES = {
    *("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR"),
    *("COMFY_DYNAMICCOMBO_V3", "IMAGECOMPARE"),
}


@dataclass(frozen=True)
class Input:
    """extra is the value of a widget that the page puts behind this one and that no prompt holds, or None.

    grows: for an input that stands for a growing row of sockets of this type, what their names begin
    with: NAME.GROWS0, NAME.GROWS1, ...
    """

    name: str
    type: str
    widget: bool
    optional: bool
    extra: str | None = None
    grows: str | None = None


@dataclass(frozen=True)
class Node:
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, str], ...]

    @property
    def widgets(self) -> tuple[Input, ...]:
        return tuple(i for i in self.inputs if i.widget)

    @property
    def slots(self) -> tuple[Input, ...]:
        """Inputs in the order of the page: sockets first, then those that are widgets."""
        return tuple(sorted(self.inputs, key=lambda i: i.widget))


def from_object_info(info: dict[str, Any]) -> Node:
    """A Node from one entry of the host's /object_info."""
    inputs = []
    for kind in ("required", "optional"):
        specs = info["input"].get(kind, {})
        for name in info.get("input_order", {}).get(kind) or list(specs):
            inputs.append(_input(name, specs[name], kind == "optional"))
    names = info.get("output_name") or info["output"]
    return Node(tuple(inputs), tuple(zip(names, info["output"], strict=True)))


def _input(name: str, spec: list[Any], optional: bool) -> Input:
    options = spec[1] if len(spec) > 1 and spec[1] else {}
    if spec[0] == GROWING:
        ((inner, *_),) = options["template"]["input"]["required"].values()
        return Input(name, inner, False, optional, grows=options["template"]["prefix"])
    kind = "COMBO" if isinstance(spec[0], list) else spec[0]
    extra = None
    # The page's own rule: a number called seed gets the widget unless the node says no.
    control = options.get("control_after_generate")
    if control is None:
        control = kind == "INT" and name in ("seed", "noise_seed")
    if control:
        extra = "fixed"
    if options.get("image_upload"):
        extra = "image"
    return Input(name, kind, kind in WIDGET_TYPES and not options.get("forceInput"), optional, extra)


def load() -> dict[str, Node]:
    """Ours and the host's."""
    ours = {name: from_contract(node) for name, node in node_contract.load().items()}
    return {**ours, **load_stored(STORE)}


def from_contract(node: dict[str, Any]) -> Node:
    """A Node from one entry of our contract."""
    inputs = [
        _input(part["name"], [part["type"], part["options"]], part["optional"]) for part in node["inputs"]
    ]
    return Node(tuple(inputs), tuple((part["name"], part["type"]) for part in node["outputs"]))


def load_stored(path: Path) -> dict[str, Node]:
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Node(tuple(Input(**i) for i in node["inputs"]), tuple((n, t) for n, t in node["outputs"]))
        for name, node in stored.items()
    }


def save(nodes: dict[str, Node], path: Path = STORE) -> None:
    """The host's of these nodes: ours are in their contract."""
    stored = {
        name: {"inputs": [vars(i) for i in node.inputs], "outputs": [list(o) for o in node.outputs]}
        for name, node in sorted(nodes.items())
        if not name.startswith(OURS)
    }
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8", newline="\n")
