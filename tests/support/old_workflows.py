"""Graphs as people made them for two other packs, and the sockets of those packs' nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools import node_sockets
from tools.ui_graph import to_ui
from tools.ui_workflow import read

from .workflow_runs import small

DATA = Path(__file__).resolve().parents[1] / "data"
OLD_NODES = node_sockets.load_stored(DATA / "old_nodes.json")
#: The folder of photos that the workflow arc2face names.
PEOPLE = "one_person"
_STEPS = 2
_STAND_INS: dict[str, dict[str, Any]] = {
    "InstantIDModelLoader": {"instantid_file": "tiny_instantid_glintr100.safetensors"},
    "Arc2FaceUNetLoader": {"model_path": "tiny_arc2face.safetensors"},
    "Arc2FaceEncoderLoader": {"encoder_path": "tiny_arc2face_encoder.safetensors"},
    "Arc2FaceGenerator": {"num_inference_steps": _STEPS},
    "Arc2FaceImg2ImgGenerator": {"num_inference_steps": _STEPS},
}


def old_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted((DATA / "old_workflows").glob("*.json"))}


def old_workflow(name: str) -> dict[str, Any]:
    return read(old_files()[name])


def small_old(name: str) -> dict[str, Any]:
    """The API prompt on the tiny files."""
    prompt = small(old_workflow(name))
    for node in prompt.values():
        node["inputs"].update(_STAND_INS.get(node["class_type"], {}))
    return prompt


def without_meta(prompt: dict[str, Any]) -> dict[str, Any]:
    """As scripts write prompts by hand."""
    return {i: {k: v for k, v in node.items() if k != "_meta"} for i, node in prompt.items()}


def old_ui(name: str, object_info: dict[str, Any]) -> dict[str, Any]:
    """The tiny graph for the page, as the pages of that time saved it: without sockets for widgets.

    object_info is a running host's, for the nodes that are its own.
    """
    prompt = small_old(name)
    stock = {node["class_type"] for node in prompt.values()} - set(OLD_NODES)
    nodes = {**OLD_NODES, **{i: node_sockets.from_object_info(object_info[i]) for i in stock}}
    places = {i: ([300 * (n % 6), 420 * (n // 6)], [270, 300]) for n, i in enumerate(sorted(prompt, key=int))}
    ui = to_ui(prompt, nodes, places, groups=[], notes=[], name=f"old/{name}")
    for node in ui["nodes"]:
        node["inputs"] = [socket for socket in node["inputs"] if "widget" not in socket]
    return ui
