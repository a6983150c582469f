"""The drawn world as somebody's own: people in folders, weights in a folder of models, graphs for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from installer import paths
from installer.paths import REPOSITORY
from likeness.weights.catalogue import catalogue
from proof import host_files
from proof.report.cases import Case, cases
from proof.training.command import MODELS
from proof.training.stages import Rooms
from support.links import link_file

PACK = REPOSITORY / "tests" / "tiny" / "likeness_drawn"
#: What InstantID is drawn by, and who judges.
FILES = ("sdxl", "instantid", "glintr100", "scrfd_10g_bnkps", "arcface", "auraface", "parser")
#: What turns workflows/api/instantid_basic.json into a graph for the drawn world: by titles, as users do.
SETTINGS: dict[str, dict[str, Any]] = {
    "SDXL Checkpoint": {"ckpt_name": "drawn_sdxl.safetensors"},
    "Load InstantID": {"file": "drawn_instantid.safetensors"},
    "Load Face Models": {"provider": "CPU"},
    "Negative Prompt": {"text": ""},
    "Apply InstantID": {"weight": 1.0},
    "Size": {"width": 128, "height": 128},
    "Sample": {"steps": 4, "cfg": 2.5, "sampler_name": "dpmpp_2m", "scheduler": "karras"},
}
PROMPTS: list[dict[str, Any]] = [
    {"name": "plain", "group": "plain", "text": "a neutral {who} with short brown hair, grey background"},
    {
        "name": "hat",
        "group": "attribute",
        "text": "a neutral {who} with short black hair and green hat, blue background",
        "attributes": {"hat": True, "glasses": False},
    },
    {
        "name": "laughing",
        "group": "expression",
        "text": "a smiling {who} with long brown hair and open mouth, pink background",
        "expression": {"mouth open": [0.12, 2.0], "mouth corners up": [0.05, 1.0]},
    },
]


def people_into(folder: Path, count: int, photos: int = 3) -> list[Case]:
    """A folder for each of so many people whom no network has seen, with so many pictures of each."""
    made = cases(count)
    for case in made:
        room = folder / f"person {case.number}"
        room.mkdir(parents=True)
        pictures = [case.truth_drawing.picture, *case.more(photos - 2)]
        Image.fromarray(case.reference_drawing.picture).save(room / "reference.png")
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(room / f"truth {number}.png")
        about = {"words": "person", "labels": {"half": "even" if case.number % 2 == 0 else "odd"}}
        (room / "person.json").write_text(json.dumps(about), encoding="utf-8")
    return made


def models_into(cache: Path) -> Path:
    """The drawn world's files and SFace, as ComfyUI's folder of models."""
    rooms = Rooms(MODELS, cache)
    for name in FILES:
        host_files.write(name, rooms)
    models = host_files.folder(rooms)
    sface = models / catalogue()["embedded/sface"].place
    if not sface.exists():
        sface.parent.mkdir(parents=True)
        link_file(paths.shared_models() / catalogue()["embedded/sface"].place, sface)
    return models


def graph_without_pose(folder: Path) -> Path:
    """instantid_basic without its ControlNet, which would take half of the time."""
    nodes = json.loads((REPOSITORY / "workflows" / "api" / "instantid_basic.json").read_text("utf-8"))
    for node in nodes.values():
        for socket in ("control_net", "keypoints"):
            node["inputs"].pop(socket, None)
    path = folder / "instantid_free.json"
    path.write_text(json.dumps(nodes), encoding="utf-8")
    return path
