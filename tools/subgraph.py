"""A part of a graph as the page's subgraph (format 0.4): its nodes, what comes in and what goes out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .node_sockets import Node
from .ui_graph import Place, Prompt, execution_order, is_link, plain, ui_node
from .ui_layout import GAP

#: The page's ids of the two ends of a subgraph.
INPUT, OUTPUT = -10, -20
END_WIDTH, ROW, WIDGET, TITLE, WIDTH = 180, 20, 28, 60, 360
Source = tuple[str, int]
Target = tuple[str, str]


@dataclass(frozen=True)
class Part:
    """Nodes of a prompt that become a subgraph.

    whole: the prompt they are part of. inputs: what feeds them from outside, by the name it gets.
    widgets: [node, widget] pairs that one widget on the subgraph sets. outputs: what they give.
    """

    name: str
    whole: Prompt
    inputs: Mapping[str, Source]
    widgets: Mapping[str, tuple[Target, ...]]
    outputs: Mapping[str, Source]

    @property
    def inner(self) -> Prompt:
        """The nodes that the outputs need, up to the inputs."""
        outside, wanted, found = set(self.inputs.values()), [i for i, _ in self.outputs.values()], set()
        while wanted:
            i = wanted.pop()
            found.add(i)
            links = [tuple(value) for value in self.whole[i]["inputs"].values() if is_link(value)]
            wanted += [
                source for source, slot in links if (source, slot) not in outside and source not in found
            ]
        return {i: node for i, node in self.whole.items() if i in found}

    def targets(self, source: Source) -> list[Target]:
        """The inner sockets that a source from outside feeds."""
        return [
            (i, socket)
            for i, node in self.inner.items()
            for socket, value in node["inputs"].items()
            if is_link(value) and tuple(value) == source
        ]


def stable_id(name: str, part: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"likeness/subgraphs/{name}/{part}"))


class Subgraph:
    """The subgraph of a Part in the making."""

    def __init__(self, part: Part, nodes: Mapping[str, Node], places: Mapping[str, Place]) -> None:
        self._part, self._kinds = part, nodes
        self._links: list[dict[str, Any]] = []
        inner = part.inner
        self.nodes = {i: ui_node(int(i), n, nodes[n["class_type"]], places[i]) for i, n in inner.items()}
        alone = {
            i: {"inputs": {k: v for k, v in n["inputs"].items() if is_link(v) and v[0] in inner}}
            for i, n in inner.items()
        }
        for order, i in enumerate(execution_order(alone)):
            self.nodes[i]["order"] = order
        self.inputs = [self._input(name, part.targets(source)) for name, source in part.inputs.items()]
        for name, targets in part.widgets.items():
            self.inputs.append(self._input(name, list(targets), len(self.inputs)))
        for i, node in alone.items():
            for socket, (source, out) in node["inputs"].items():
                self._connect((source, out), i, socket)
        self.outputs = [
            self._output(slot, name, source) for slot, (name, source) in enumerate(part.outputs.items())
        ]

    def content(self, groups: list[dict[str, Any]], category: str, description: str) -> dict[str, Any]:
        left = min(group["bounding"][0] for group in groups)
        right = max(group["bounding"][0] + group["bounding"][2] for group in groups)
        return {
            "id": stable_id(self._part.name, "subgraph"),
            "version": 1,
            "state": {
                "lastGroupId": len(groups),
                "lastNodeId": max(map(int, self.nodes)),
                "lastLinkId": len(self._links),
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self._part.name,
            "category": category,
            "description": description,
            "inputNode": _end(INPUT, left - END_WIDTH - GAP, len(self.inputs)),
            "outputNode": _end(OUTPUT, right + GAP, len(self.outputs)),
            "inputs": self.inputs,
            "outputs": self.outputs,
            "widgets": [],
            "nodes": list(self.nodes.values()),
            "groups": groups,
            "links": self._links,
            "extra": {},
        }

    def host(self) -> dict[str, Any]:
        """The node that stands for the subgraph in a graph."""
        part, values, inputs = self._part, [], []
        for targets in part.widgets.values():
            i, widget = targets[0]
            values.append(plain(part.whole[i]["inputs"][widget]))
        for end in self.inputs:
            socket = {"label": end["label"], "name": end["name"], "type": end["type"], "link": None}
            if end["name"] in part.widgets:
                socket["widget"] = {"name": end["name"]}
            inputs.append(socket)
        rows = max(len(part.inputs), len(part.outputs))
        return {
            "id": 1,
            "type": stable_id(part.name, "subgraph"),
            "title": part.name,
            "pos": [0, 0],
            "size": [WIDTH, TITLE + ROW * rows + WIDGET * len(values)],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": inputs,
            "outputs": [
                {"label": end["label"], "name": end["name"], "type": end["type"], "links": []}
                for end in self.outputs
            ],
            "properties": {},
            "widgets_values": values,
        }

    def _input(self, name: str, targets: list[Target], slot: int | None = None) -> dict[str, Any]:
        slot = list(self._part.inputs).index(name) if slot is None else slot
        first, kind = len(self._links), ""
        for i, socket in targets:
            place = self._slot(i, socket)
            kind = self.nodes[i]["inputs"][place]["type"]
            self._link((INPUT, slot), (int(i), place), kind)
            self.nodes[i]["inputs"][place]["link"] = self._links[-1]["id"]
        return self._named("in", name, kind, first)

    def _output(self, slot: int, name: str, source: Source) -> dict[str, Any]:
        socket = self.nodes[source[0]]["outputs"][source[1]]
        self._link((int(source[0]), source[1]), (OUTPUT, slot), socket["type"])
        socket["links"].append(self._links[-1]["id"])
        return self._named("out", name, socket["type"], len(self._links) - 1)

    def _connect(self, source: Source, target: str, socket: str) -> None:
        out, place = self.nodes[source[0]]["outputs"][source[1]], self._slot(target, socket)
        self._link((int(source[0]), source[1]), (int(target), place), out["type"])
        out["links"].append(self._links[-1]["id"])
        self.nodes[target]["inputs"][place]["link"] = self._links[-1]["id"]

    def _slot(self, i: str, socket: str) -> int:
        return [entry["name"] for entry in self.nodes[i]["inputs"]].index(socket)

    def _link(self, origin: tuple[int, int], target: tuple[int, int], kind: str) -> None:
        link = {"id": len(self._links) + 1, "origin_id": origin[0], "origin_slot": origin[1]}
        self._links.append({**link, "target_id": target[0], "target_slot": target[1], "type": kind})

    def _named(self, side: str, name: str, kind: str, first_link: int) -> dict[str, Any]:
        return {
            "id": stable_id(self._part.name, f"{side}/{name}"),
            "name": name,
            "label": name.replace("_", " "),
            "type": kind,
            "linkIds": [link["id"] for link in self._links[first_link:]],
        }


def _end(number: int, x: int, rows: int) -> dict[str, Any]:
    return {"id": number, "bounding": [x, 0, END_WIDTH, 40 + ROW * rows]}
