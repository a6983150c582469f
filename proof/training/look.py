"""`python -m proof world look STAGE FILE.png`: what a network makes of prompts, done or learning."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from training import checkpoints

from .running import AVERAGE, done, results
from .stages import Rooms, Tensors, stage

#: One row each; two rows are of two people.
PROMPTS: tuple[str, ...] = (
    "a smiling person with short red hair and round glasses, blue background",
    "a sad person with braided black hair, green background, light from left",
    "a neutral person with long blonde hair and red hat and open mouth, pink background",
    "a smiling person with curly brown hair and beard and closed eyes, yellow background",
    "a sad person with bob white hair and square glasses and blue hat, grey background",
)
COUPLE = (
    "two people, a smiling person with short black hair and round glasses, "
    "a sad person with long red hair and green hat, yellow background"
)


def add_to(commands: Any) -> None:
    command = commands.add_parser("look", help="draw what a network makes of some prompts")
    command.add_argument("stage", help="sd15 or sdxl")
    command.add_argument("file", type=Path, help="PNG to write")
    command.add_argument("--each", type=int, default=6, help="pictures of a prompt (default: %(default)s)")
    command.add_argument("--guidance", type=float, default=2.5, help="(default: %(default)s)")
    command.add_argument("--steps", type=int, default=16, help="(default: %(default)s)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..files import committed

    torch.set_num_threads(1)
    sheet = contact_sheet(options.stage, committed(), options.each, options.guidance, options.steps)
    if not cv2.imwrite(str(options.file), sheet[..., ::-1]):
        raise ValueError(f"{options.file} can't be written.")


def contact_sheet(
    name: str, rooms: Rooms, each: int = 6, guidance: float = 2.5, steps: int = 16
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """uint8 [H, W, 3]: a row for each prompt. Raises ValueError for a network that draws nothing by
    itself."""
    from ..networks import autoencoder, layouts
    from .lessons.trunk import samples

    if name not in ("sd15", "sdxl"):
        raise ValueError(f"{name!r} draws nothing from a prompt alone: take sd15 or sdxl.")
    network = layouts.unet(name, 0)
    network.load_state_dict(_weights(name, rooms))
    encoder, decoder = (
        layouts.text_encoder(),
        autoencoder.load(results(["autoencoder"], rooms)["autoencoder"]),
    )
    rows = []
    for seed, prompt in enumerate((*PROMPTS, COUPLE)):
        width = 256 if prompt is COUPLE else 128
        count = each * 128 // width
        made = samples(
            name, network, encoder, decoder, [prompt] * count, seed, guidance, steps, width
        ).movedim(1, 3)
        rows.append(torch.cat(list(made), dim=1))
    whole: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = (torch.cat(rows) * 255).round().byte().numpy()
    return whole


def _weights(name: str, rooms: Rooms) -> Tensors:
    """The averages of the run at work, if there is one, else of the file."""
    latest = checkpoints.latest(rooms.cache / "runs" / name)
    if latest is None and done(stage(name), rooms):
        return results([name], rooms)[name]
    if latest is None:
        raise ValueError(f"{name} has not begun: `python -m proof world train --only {name}`.")
    saved = checkpoints.read(latest).tensors
    return {key.removeprefix(AVERAGE): tensor for key, tensor in saved.items() if key.startswith(AVERAGE)}
