"""The drawn world's networks as files that the host's loader nodes and ours take, in a folder of models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .training.stages import Rooms, Tensors

#: How a file is made from stages' results by name: its tensors, or its bytes.
Maker = Callable[[Mapping[str, Tensors]], Tensors | bytes]


@dataclass(frozen=True)
class File:
    """path: below the folder of models. stages: whose results it is made from."""

    path: str
    stages: tuple[str, ...]
    make: Maker
    metadata: Mapping[str, str] = field(default_factory=dict)


def _checkpoint(kind: str) -> File:
    def make(made: Mapping[str, Tensors]) -> Tensors:
        from .networks import hosted

        return hosted.checkpoint(kind, made[kind], made["autoencoder"])

    return File(f"checkpoints/drawn_{kind}.safetensors", (kind, "autoencoder"), make)


def _emojidiff(stage: str, base: str) -> File:
    facts = {"format": "emojidiff-style/1", "base": base, "clip": "drawn", "template": "aligned-masked-v1"}
    path = f"emojidiff/drawn_emojidiff_{base}.safetensors"
    return File(path, (stage,), lambda made: made[stage], {**facts, "layers": "all"})


def _pva(made: Mapping[str, Tensors]) -> Tensors:
    from .training.lessons.pva import whole

    return whole(made["pva"], made["arcface"])


def _vision(made: Mapping[str, Tensors]) -> Tensors:
    from .networks import vision

    return vision.tensors(made["vision"])


def _parser(made: Mapping[str, Tensors]) -> Tensors:
    from .networks import parser

    return parser.whole(made["parser"])


def _smirk(made: Mapping[str, Tensors]) -> Tensors:
    from .networks import smirk

    return smirk.padded(made["smirk"])


def _expression(made: Mapping[str, Tensors]) -> Tensors:
    from .networks import expression_adapter

    return expression_adapter.whole(made["arc2face_expression"])


def _arc2face(part: int) -> Maker:
    """Its network, or its encoder."""

    def make(made: Mapping[str, Tensors]) -> Tensors:
        from .networks import arc2face

        return arc2face.files(made["arc2face"])[part]

    return make


def _attribute(made: Mapping[str, Tensors]) -> Tensors:
    return made["attribute"]


_ATTRIBUTE = {
    "format": "likeness-attribute-deltas/1",
    "names": "smile",
    "kind": "learned",
    "base_model": "drawn SDXL",
}


def _pose(made: Mapping[str, Tensors]) -> Tensors:
    from .networks import arc2face, controlnet

    net = controlnet.of_arc2face(arc2face.files(made["arc2face"])[0])
    return controlnet.whole("arc2face", made["arc2face_pose"], net)


FILES: tuple[File, ...] = (
    *(_checkpoint("sd15"), _checkpoint("sdxl"), _checkpoint("sd2_inpaint")),
    File("instantid/drawn_instantid.safetensors", ("instantid",), lambda made: made["instantid"]),
    File(
        "instantid/drawn_instantid_copying.safetensors",
        ("instantid_copying",),
        lambda made: made["instantid_copying"],
    ),
    File("controlnet/drawn_identitynet.safetensors", ("identitynet",), lambda made: made["identitynet"]),
    *(_emojidiff("eadapter", "sd15"), _emojidiff("emojidiff_sdxl", "sdxl")),
    File("pva/drawn_pva.safetensors", ("pva", "arcface"), _pva, {"format": "likeness-pva/1"}),
    File("smirk/drawn_smirk.safetensors", ("smirk",), _smirk),
    File("clip_vision/drawn_clip_vision.safetensors", ("vision",), _vision),
    File("diffusion_models/drawn_arc2face.safetensors", ("arc2face",), _arc2face(0)),
    File("text_encoders/drawn_arc2face_encoder.safetensors", ("arc2face",), _arc2face(1)),
    File("controlnet/drawn_arc2face_pose.safetensors", ("arc2face_pose", "arc2face"), _pose),
    File("attributes/drawn_smile.safetensors", ("attribute",), _attribute, _ATTRIBUTE),
    File(
        "loras/drawn_arc2face_reference.safetensors",
        ("arc2face_reference",),
        lambda made: made["arc2face_reference"],
    ),
    File("face_parsing/drawn_parser.safetensors", ("parser",), _parser),
    File("ipadapter/drawn_arc2face_expression.safetensors", ("arc2face_expression",), _expression),
)


def committed() -> Rooms:
    """Where the repository keeps them."""
    from .training.command import CACHE, MODELS

    return Rooms(MODELS, CACHE / "full")


def unpack(to: Path, rooms: Rooms | None = None, only: Iterable[str] = ()) -> list[Path]:
    """Writes every file whose stages are done, below `to`; returns them. What was there is replaced.

    only: beginnings of paths. The host must know the networks, `networks.hosted.register()`, to load them.
    """
    from .training.running import file_of, results
    from .training.stages import stage

    rooms = rooms or committed()
    starts = tuple(only) or ("",)
    written = []
    for file in FILES:
        done = all(file_of(stage(name), rooms).is_file() for name in file.stages)
        if not done or not file.path.startswith(starts):
            continue
        path = to / file.path
        save(file.make(results(file.stages, rooms)), path, file.metadata)
        written.append(path)
    return written


def save(made: Tensors | bytes, path: Path, metadata: Mapping[str, str]) -> None:
    """There whole or not at all. metadata: of a safetensors file."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    if isinstance(made, bytes):
        part.write_bytes(made)
    else:
        apart: dict[str, torch.Tensor] = {name: tensor.contiguous().clone() for name, tensor in made.items()}
        save_file(apart, part, dict(metadata) or None)
    os.replace(part, path)
