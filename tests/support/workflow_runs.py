"""Running the workflow files on the tiny checkpoints: small copies, uploads, the pictures that come back."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from installer.server import Server
from installer.tiny import SIZES, for_tiny

LARGEST = 256
#: The photo that stands for each file name in the workflows.
PHOTOS = {
    "astronaut.png": "astronaut",
    "pose.png": "obama",
    "person_left.png": "astronaut",
    "person_right.png": "biden",
    "expression.png": "obama2",
    "person.png": "obama",
    "picture_1.png": "biden",
    "picture_2.png": "obama2",
    "picture_3.png": "obama3",
    "picture.png": "obama3",
    "reference_1.png": "obama",
    "reference_2.png": "obama2",
}
NORMAL_MAP, TWO_PEOPLE = "normal_map.png", "two_people.png"


def small(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt on the tiny files, all its sizes divided by one number, so that shapes still fit."""
    prompt = copy.deepcopy(prompt)
    sizes = [n["inputs"][k] for n in prompt.values() for k in SIZES if k in n["inputs"]]
    divisor = max(1.0, max(sizes, default=1) / LARGEST)
    for node in prompt.values():
        for key in SIZES:
            if node["inputs"].get(key):
                node["inputs"][key] = math.ceil(node["inputs"][key] / divisor / 8) * 8
    return for_tiny(prompt)


def fewest_steps(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt on the tiny files, to be run where what it draws does not matter.

    One step will do, but FreeCure's repair of expressions needs one in the second half of the noise.
    """
    prompt = for_tiny(prompt)
    repairs = any("gamma" in node["inputs"] for node in prompt.values())
    for node in prompt.values():
        if node["class_type"] != "LikenessBlendExpressions" and "steps" in node["inputs"]:
            node["inputs"]["steps"] = 3 if repairs else 1
    return prompt


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def normal_map(size: int = 512) -> np.ndarray:
    """A ball on mid-grey, [size, size, 3] uint8: directions -1..1 as 0..255, z towards us."""
    y, x = np.mgrid[-1.25 : 1.25 : size * 1j, -1.25 : 1.25 : size * 1j]
    inside = x**2 + y**2 < 1
    normals = np.stack([x, -y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))], axis=-1) * inside[..., None]
    return np.clip((normals * 0.5 + 0.5) * 255, 0, 255).astype(np.uint8)


def two_people(photos: dict[str, np.ndarray]) -> np.ndarray:
    """Two photos side by side, [512, 1024, 3] uint8: a face in the left half and one in the right."""
    right = (
        Image.fromarray(photos["biden"]).crop((0, 0, 970, 970)).resize((512, 512), Image.Resampling.LANCZOS)
    )
    return np.concatenate([photos["astronaut"], np.asarray(right)], axis=1)


def upload_inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    """Every picture that a workflow names, into the server's input folder."""
    for name, photo in PHOTOS.items():
        assert server.upload(png(photos[photo]), name) == name
    assert server.upload(png(normal_map()), NORMAL_MAP) == NORMAL_MAP
    assert server.upload(png(two_people(photos)), TWO_PEOPLE) == TWO_PEOPLE


def pictures(server: Server, entry: dict[str, Any], node: str) -> list[np.ndarray]:
    refs = entry["outputs"][node]["images"]
    return [np.asarray(Image.open(io.BytesIO(server.image(ref))).convert("RGB")) for ref in refs]


def node_of(prompt: dict[str, Any], class_type: str) -> str:
    (found,) = [i for i, node in prompt.items() if node["class_type"] == class_type]
    return found


def titled(prompt: dict[str, Any], title: str) -> str:
    (found,) = [i for i, node in prompt.items() if node["_meta"]["title"] == title]
    return found
