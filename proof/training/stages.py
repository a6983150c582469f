"""What a stage is, all of them in order, and what each is made from."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Scale:
    """How much of a stage is done. quick: a smaller one that shows that all fits together, for tests."""

    steps: int
    pictures: int
    batch: int


@dataclass(frozen=True)
class Rooms:
    """Where things lie. models: finished files; cache: pictures and unfinished runs, both of this scale."""

    models: Path
    cache: Path


class Lesson(Protocol):
    """One stage at work. All randomness of step n comes from (seed, n): nothing else must be kept."""

    optimiser: Any

    def trained(self) -> Mapping[str, torch.Tensor]:
        """Everything that changes while it learns, averages as well, under stable names."""

    def step(self, number: int) -> float:
        """Learns once; returns the loss."""

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """What is kept as file, and figures measured on what it has not seen."""


@dataclass(frozen=True)
class Stage:
    """module: of `lessons`, with a function begin(scale, seed, rooms, made) -> Lesson; made: earlier results
    by name. minutes: about how long on one core of the machine it was made on. delicate: beginnings of names
    of tensors that 8 bits would spoil; trunk: the stage from whose tensors this one's are stored as
    differences; bits: of each number that is none of those."""

    name: str
    module: str
    needs: tuple[str, ...]
    seed: int
    full: Scale
    quick: Scale
    minutes: float
    about: str
    delicate: tuple[str, ...] = ()
    trunk: str = ""
    bits: int = 8

    def begin(self, scale: Scale, rooms: Rooms, made: Mapping[str, Tensors]) -> Lesson:
        module = importlib.import_module(f"proof.training.lessons.{self.module}")
        lesson: Lesson = module.begin(scale, self.seed, rooms, made)
        return lesson


STAGES: tuple[Stage, ...] = (
    Stage(
        *("autoencoder", "autoencoder", ()),
        seed=11,
        full=Scale(steps=2000, pictures=12000, batch=6),
        quick=Scale(steps=20, pictures=128, batch=4),
        minutes=15,
        about="pictures to latents and back, in TAESD's layout",
        delicate=("taesd_encoder.",),
    ),
    Stage(
        *("recogniser", "recogniser", ()),
        seed=12,
        full=Scale(steps=700, pictures=12000, batch=64),
        quick=Scale(steps=20, pictures=128, batch=16),
        minutes=16,
        about="who it is, as 512 numbers that networks are conditioned with",
    ),
    Stage(
        *("judge", "judge", ()),
        seed=13,
        full=Scale(steps=700, pictures=12000, batch=64),
        quick=Scale(steps=20, pictures=128, batch=16),
        minutes=11,
        about="who it is, by another network on other people, which only judges",
    ),
    Stage(
        *("second", "second", ()),
        seed=44,
        full=Scale(steps=900, pictures=12000, batch=64),
        quick=Scale(steps=20, pictures=128, batch=16),
        minutes=10,
        about="who it is, by a third network on other people, for the nodes that judge",
        bits=4,
    ),
    Stage(
        *("classifier", "classifier", ("autoencoder",)),
        seed=14,
        full=Scale(steps=700, pictures=12000, batch=48),
        quick=Scale(steps=20, pictures=128, batch=16),
        minutes=9,
        about="what is to be seen: attributes and expression",
    ),
    Stage(
        *("reader", "reader", ("autoencoder", "recogniser")),
        seed=18,
        full=Scale(steps=900, pictures=12000, batch=96),
        quick=Scale(steps=6, pictures=128, batch=8),
        minutes=6,
        about="who latents show, for adapters of identity to learn from",
        bits=4,
    ),
    Stage(
        *("expression_reader", "expression_reader", ("autoencoder",)),
        seed=19,
        full=Scale(steps=900, pictures=12000, batch=96),
        quick=Scale(steps=6, pictures=128, batch=8),
        minutes=6,
        about="what a face does in latents, for adapters of expression to learn from",
        bits=4,
    ),
    Stage(
        *("sd15", "trunk", ("autoencoder",)),
        seed=15,
        full=Scale(steps=900, pictures=12000, batch=32),
        quick=Scale(steps=6, pictures=128, batch=4),
        minutes=38,
        about="the SD1.5-shaped network that follows a prompt",
    ),
    Stage(
        *("sdxl", "trunk_sdxl", ("autoencoder", "recogniser", "reader", "sd15")),
        seed=16,
        full=Scale(steps=600, pictures=12000, batch=32),
        quick=Scale(steps=6, pictures=128, batch=4),
        minutes=19,
        about="the SDXL-shaped network, begun as the SD1.5-shaped one",
    ),
    Stage(
        *("sd2_inpaint", "trunk_inpaint", ("autoencoder", "sd15")),
        seed=17,
        full=Scale(steps=220, pictures=12000, batch=32),
        quick=Scale(steps=6, pictures=128, batch=4),
        minutes=10,
        about="the SD2-inpainting-shaped network, begun as the SD1.5-shaped one",
        trunk="sd15",
    ),
    Stage(
        *("smirk", "smirk", ()),
        seed=18,
        full=Scale(steps=900, pictures=12000, batch=32),
        quick=Scale(steps=6, pictures=128, batch=8),
        minutes=8,
        about="a reader of expressions, in SMIRK's layout",
        bits=6,
    ),
    Stage(
        *("vision", "vision", ()),
        seed=45,
        full=Scale(steps=3000, pictures=12000, batch=128),
        quick=Scale(steps=6, pictures=128, batch=8),
        minutes=10,
        about="a CLIP vision model that sees what a face does, for adapters of expression",
        bits=6,
    ),
    # Adapters, and what else begins from a trunk.
    Stage(
        *("instantid", "instantid", ("autoencoder", "recogniser", "reader", "sdxl")),
        seed=32,
        full=Scale(steps=600, pictures=12000, batch=32),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="InstantID's adapter: who it is, beside a prompt",
    ),
    Stage(
        *(
            "instantid_copying",
            "instantid_copying",
            ("autoencoder", "recogniser", "reader", "sdxl", "instantid"),
        ),
        seed=43,
        full=Scale(steps=600, pictures=12000, batch=32),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=6,
        about="the same, taught to copy: it takes what the prompt asks for, for FreeCure to give back",
        trunk="instantid",
    ),
    Stage(
        *("arc2face", "arc2face", ("autoencoder", "recogniser", "reader", "sd15")),
        seed=31,
        full=Scale(steps=320, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="Arc2Face's network and encoder, whose prompt is a face",
        bits=4,
        trunk="sd15",
    ),
    Stage(
        *(
            "arc2face_expression",
            "arc2face_expression",
            ("autoencoder", "recogniser", "reader", "smirk", "expression_reader", "arc2face"),
        ),
        seed=41,
        full=Scale(steps=240, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=7,
        about="Arc2Face's expression adapter, told by the reader of expressions",
    ),
    Stage(
        *("identitynet", "identitynet", ("autoencoder", "recogniser", "sdxl", "instantid")),
        seed=33,
        full=Scale(steps=320, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="InstantID's ControlNet: a face where five points are",
        trunk="sdxl",
    ),
    Stage(
        *("eadapter", "eadapter", ("autoencoder", "expression_reader", "sd15", "vision")),
        seed=34,
        full=Scale(steps=400, pictures=12000, batch=32),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="an EmojiDiff-style expression adapter for SD1.5, by our trainer",
        bits=4,
    ),
    Stage(
        *(
            "emojidiff_sdxl",
            "eadapter_sdxl",
            ("autoencoder", "recogniser", "reader", "expression_reader", "sdxl", "instantid", "vision"),
        ),
        seed=40,
        full=Scale(steps=400, pictures=12000, batch=32),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="the same for SDXL, beside InstantID, by our trainer",
        bits=4,
    ),
    Stage(
        *("arcface", "arcface", ("recogniser",)),
        seed=35,
        full=Scale(steps=300, pictures=12000, batch=64),
        quick=Scale(steps=4, pictures=128, batch=16),
        minutes=6,
        about="PVA's face encoder, in ArcFace's layout",
        bits=4,
    ),
    Stage(
        *("pva", "pva", ("autoencoder", "recogniser", "reader", "sd2_inpaint", "arcface")),
        seed=36,
        full=Scale(steps=400, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=12,
        about="PVA for the SD2-inpainting shape, by our trainer",
        bits=4,
    ),
    Stage(
        *("parser", "parser", ("autoencoder",)),
        seed=37,
        full=Scale(steps=300, pictures=12000, batch=8),
        quick=Scale(steps=6, pictures=128, batch=4),
        minutes=6,
        about="which part of a face each pixel shows, in BiSeNet's layout",
    ),
    Stage(
        *("arc2face_pose", "arc2face_pose", ("autoencoder", "recogniser", "arc2face")),
        seed=38,
        full=Scale(steps=280, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=8,
        about="Arc2Face's ControlNet: its face where five points are",
        trunk="arc2face",
    ),
    Stage(
        *("arc2face_reference", "arc2face_reference", ("autoencoder", "recogniser", "arc2face")),
        seed=39,
        full=Scale(steps=240, pictures=12000, batch=24),
        quick=Scale(steps=4, pictures=128, batch=4),
        minutes=8,
        about="Arc2Face's reference LoRA: hair, clothes and background of another picture",
    ),
    Stage(
        *("attribute", "attribute", ("autoencoder", "sdxl")),
        seed=42,
        full=Scale(steps=60, pictures=0, batch=2),
        quick=Scale(steps=4, pictures=0, batch=1),
        minutes=3,
        about="a direction of smiling for the SDXL shape, by our trainer",
    ),
)


def stage(name: str) -> Stage:
    """Raises ValueError naming the stages there are."""
    for one in STAGES:
        if one.name == name:
            return one
    raise ValueError(f"No stage is named {name!r}. There are: {', '.join(one.name for one in STAGES)}.")
