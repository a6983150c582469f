"""Batches in tests: the smallest workflow, the command, what it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from batch import command

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


def batch(*arguments: object) -> int:
    """`python -m batch ARGUMENTS` in this process: its exit status."""
    return command.main([str(argument) for argument in arguments])


def lines(folder: Path) -> list[dict[str, Any]]:
    """The manifest of a batch."""
    text = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def drawn(folder: Path) -> dict[str, bytes]:
    """Every picture of a batch, by name."""
    return {path.name: path.read_bytes() for path in (folder / "pictures").iterdir()}
