"""One graph in two forms: the prompt a server takes (API) and the file the page opens (UI, format 0.4)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from likeness.weights.wanted import file_of, page_entry

from .node_sockets import Input, Node

Prompt = dict[str, Any]
Place = tuple[list[int], list[int]]
NOTES = ("Note", "MarkdownNote")
#: Nodes that show their report as a table when they are told to: web/js/report_tables.js.
TABLES = ("LikenessScoreFaces", "LikenessAssignFaces", "LikenessRepairFaces")


#: The API wraps a list that is a value, because a bare list is a link.
WRAPPED = "__value__"


def plain(value: Any) -> Any:
    """A widget's value as the page has it."""
    return value[WRAPPED] if isinstance(value, dict) and WRAPPED in value else value


def is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def to_ui(
    prompt: Prompt,
    nodes: Mapping[str, Node],
    places: Mapping[str, Place],
    groups: Sequence[dict[str, Any]],
    notes: Sequence[dict[str, Any]],
    name: str,
) -> dict[str, Any]:
    """The UI file of an API prompt. places holds [x, y] and [width, height] by node id. Raises KeyError."""
    links: list[list[Any]] = []
    written = {
        int(i): ui_node(int(i), entry, nodes[entry["class_type"]], places[i]) for i, entry in prompt.items()
    }
    for order, i in enumerate(execution_order(prompt)):
        written[int(i)]["order"] = order
    for i, entry in prompt.items():
        target = written[int(i)]
        for slot, socket in enumerate(target["inputs"]):
            value = entry["inputs"].get(socket["name"])
            if not is_link(value):
                continue
            link = len(links) + 1
            source = written[int(value[0])]["outputs"][value[1]]
            links.append([link, int(value[0]), value[1], int(i), slot, source["type"]])
            socket["link"] = link
            source["links"].append(link)
    last = max(written)
    for number, note in enumerate(notes, last + 1):
        written[number] = _ui_note(number, note)
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"likeness/workflows/{name}")),
        "revision": 0,
        "last_node_id": max(written),
        "last_link_id": len(links),
        "nodes": list(written.values()),
        "links": links,
        "groups": list(groups),
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def ui_node(number: int, entry: dict[str, Any], node: Node, place: Place) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = []
    for slot in _grown(node.slots, entry["inputs"]):
        socket: dict[str, Any] = {"name": slot.name, "type": slot.type, "link": None}
        if slot.optional:
            socket["shape"] = 7
        if slot.widget:
            socket["widget"] = {"name": slot.name}
        inputs.append(socket)
    values: list[Any] = []
    for widget in node.widgets:
        value = entry["inputs"][widget.name]
        # A linked widget keeps its place in the list; what stands there is not used.
        values.append(None if is_link(value) else plain(value))
        if widget.extra is not None:
            values.append(widget.extra)
    return {
        "id": number,
        "type": entry["class_type"],
        "title": entry["_meta"]["title"],
        "pos": place[0],
        "size": place[1],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": [
            {"name": n, "type": t, "links": [], "slot_index": i} for i, (n, t) in enumerate(node.outputs)
        ],
        "properties": {"Node name for S&R": entry["class_type"], **_models(entry), **_open(entry)},
        "widgets_values": values,
    }


def _open(entry: dict[str, Any]) -> dict[str, Any]:
    return {"likeness.open": True} if entry["class_type"] in TABLES else {}


def _models(entry: dict[str, Any]) -> dict[str, Any]:
    """Where the page's dialog of missing models gets the files of a node, of those that it can get."""
    files = [file_of(entry["class_type"], name, value) for name, value in entry["inputs"].items()]
    found = [listed for file in files if file and (listed := page_entry(file))]
    return {"models": found} if found else {}


def _grown(slots: Sequence[Input], given: Mapping[str, Any]) -> list[Input]:
    """The sockets the page shows: a growing row has one for each link and a free one behind them."""
    shown: list[Input] = []
    for slot in slots:
        if slot.grows is None:
            shown.append(slot)
            continue
        start = f"{slot.name}.{slot.grows}"
        used = sum(name.startswith(start) for name in given)
        shown += [Input(f"{start}{n}", slot.type, False, n == used) for n in range(used + 1)]
    return shown


def _ui_note(number: int, note: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "MarkdownNote",
        "title": note["title"],
        "pos": note["pos"],
        "size": note["size"],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [note["text"]],
        # Dark: modern nodes write file names in blue.
        "color": "#2a2c31",
        "bgcolor": "#1d1e22",
    }


def execution_order(prompt: Prompt) -> list[str]:
    """Node ids, every one after those it needs; among equals as written."""
    done: list[str] = []
    waiting = list(prompt)
    while waiting:
        ready = [i for i in waiting if all(v[0] in done for v in prompt[i]["inputs"].values() if is_link(v))]
        if not ready:
            raise ValueError(f"The graph has a circle or a link to nowhere among the nodes {waiting}.")
        done += ready
        waiting = [i for i in waiting if i not in ready]
    return done
