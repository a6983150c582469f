"""A booted host of the smallest graph, and the options that make `python -m batch` boot it too."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from support.booted import ATTENTION

from installer import tiny

#: The smallest picture that a real host draws: one step of a tiny SD1.5.
SMALLEST: dict[str, dict[str, Any]] = {
    "1": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "tiny_sd15.safetensors"},
        "_meta": {"title": "Model"},
    },
    "2": {
        "class_type": "CLIPTextEncode",
        "inputs": {"text": "a person", "clip": ["1", 1]},
        "_meta": {"title": "Prompt"},
    },
    "3": {
        "class_type": "CLIPTextEncode",
        "inputs": {"text": "", "clip": ["1", 1]},
        "_meta": {"title": "Not"},
    },
    "4": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 128, "height": 128, "batch_size": 1},
        "_meta": {"title": "Size"},
    },
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 1,
            "steps": 1,
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
        },
        "_meta": {"title": "Sampler"},
    },
    "6": {
        "class_type": "VAEDecode",
        "inputs": {"samples": ["5", 0], "vae": ["1", 2]},
        "_meta": {"title": "Decode"},
    },
    "7": {
        "class_type": "SaveImage",
        "inputs": {"filename_prefix": "batch", "images": ["6", 0]},
        "_meta": {"title": "Save"},
    },
}


@pytest.fixture
def smallest(tmp_path: Path) -> Path:
    """The smallest workflow, as a file."""
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(SMALLEST), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def host_options(comfyui: Path, base: Path) -> list[str]:
    """What makes `python -m batch run` boot the tiny host of the tests."""
    packs = " ".join(shlex.quote(name) for name in ("any name-1", tiny.PACK.name))
    arguments = f"--disable-api-nodes --disable-all-custom-nodes --whitelist-custom-nodes {packs} "
    arguments += " ".join(ATTENTION)
    options = ["--comfyui", str(comfyui), "--python", sys.executable, "--base", str(base), "--cpu"]
    return [*options, "--threads", "1", f"--host-arguments={arguments}"]
