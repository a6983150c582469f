"""Where the nodes of a workflow stand on the page: in groups, left to right, nothing over anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .node_sockets import Node
from .ui_graph import TABLES, Place, Prompt

TITLE, ROW, WIDGET, GAP, PADDING, HEADING = 32, 22, 28, 36, 24, 40
#: Nodes that show a picture or a long text are wider or taller than their sockets ask for.
SIZES = {
    "LoadImage": (300, 340),
    "PreviewImage": (300, 320),
    "SaveImage": (460, 520),
    "ImageCompare": (460, 520),
    "CLIPTextEncode": (380, 170),
    "CheckpointLoaderSimple": (340, 110),
    "ControlNetLoader": (340, 70),
    "LikenessLoadArc2Face": (400, 140),
    "LikenessEditKeypoints": (420, 720),
    "LikenessLoadIdentity": (300, 330),
    "LikenessSaveIdentity": (300, 390),
    "PreviewAny": (340, 240),
    "BatchImagesNode": (220, 110),
    "LikenessAttributePrompt": (420, 500),  # three sliders
    "LikenessEditWPlus": (420, 370),  # its two sliders
}
WIDTH = 300
#: Units for a list of several choices or a text of several lines.
TALLER = {
    "LikenessParseFaces": 50,
    "LikenessPVAPrompt": 60,
    "LikenessEncodeConsistentID": 50,
    "LikenessConsistentIDPrompt": 120,
    "LikenessProjectOut": 120,
    "LikenessStoryPrompt": 140,
    "LikenessApplyAttribute": 110,
    "LikenessLoadWPlusDirection": WIDGET,  # the page offers names of directions
    "PrimitiveStringMultiline": 90,
    # The row of a drawer, and its table, which is open in our workflows.
    "LikenessSelectFaces": 34,
    **dict.fromkeys(TABLES, 264),
}
#: A row that the page's modern nodes have for the pack's name.
BADGE = 26
#: Units kept free below a node whose list of choices makes it higher than its size among modern nodes.
BELOW = {"LikenessFreeCureSample": 120, "LikenessHoldIdentity": 120}


def node_size(node: Node, class_type: str) -> tuple[int, int]:
    """Width and height in page units, title bar not counted."""
    if class_type in SIZES:
        return SIZES[class_type]
    extras = sum(w.extra is not None for w in node.widgets)
    # A growing row shows two links and a free socket in our workflows.
    inputs = sum(3 if i.grows else 1 for i in node.inputs if not i.widget)
    sockets = max(inputs, len(node.outputs))
    height = 16 + ROW * sockets + WIDGET * (len(node.widgets) + extras) + TALLER.get(class_type, 0)
    return WIDTH, height + (BADGE if class_type.startswith("Likeness") else 0)


def arrange(
    prompt: Prompt, nodes: Mapping[str, Node], layout: dict[str, Any]
) -> tuple[dict[str, Place], list[dict[str, Any]], list[dict[str, Any]]]:
    """Places by node id, groups and notes, for a layout of columns of groups of columns of node ids."""
    places: dict[str, Place] = {}
    groups: list[dict[str, Any]] = []
    note = layout["note"]
    notes = [
        {
            "title": note["title"],
            "text": note["text"],
            "pos": [0, TITLE],
            "size": [note["width"], note["height"]],
        }
    ]
    x = note["width"] + 2 * GAP
    for stack in layout["stacks"]:
        y, widest = 0, 0
        for group in stack:
            left, bottom = x + PADDING, 0
            for column in group["columns"]:
                top, width = y + HEADING + TITLE, 0
                for i in column:
                    size = node_size(nodes[prompt[i]["class_type"]], prompt[i]["class_type"])
                    places[i] = ([left, top], list(size))
                    top += size[1] + TITLE + GAP + BELOW.get(prompt[i]["class_type"], 0)
                    width = max(width, size[0])
                left += width + GAP
                bottom = max(bottom, top - TITLE - GAP)
            bounds = [x, y, left - GAP + PADDING - x, bottom + PADDING - y]
            groups.append(_group(len(groups) + 1, group, bounds))
            widest = max(widest, bounds[2])
            y = bottom + PADDING + GAP
        x += widest + GAP
    return places, groups, notes


def _group(number: int, group: dict[str, Any], bounds: list[int]) -> dict[str, Any]:
    return {
        "id": number,
        "title": group["title"],
        "bounding": bounds,
        "color": group.get("color", "#3f789e"),
        "font_size": 24,
        "flags": {},
    }
