"""What distinguishes an E-adapter's file from its relatives, and what it says about itself.

Spec: pva_freecure_emojidiff.md C.1; instantid_arc2face.md 2.5.2 (layouts of the IP-Adapter family).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...adapters.describe import describe
from ...adapters.layers import LAYER

EMOJIDIFF = "emojidiff-style/"
FORMAT, TEMPLATE = f"{EMOJIDIFF}1", "aligned-masked-v1"
#: Numbers of a FLAME expression: those of Arc2Face's expression adapter.
FLAME_NUMBERS = 55
#: Cross-attention layers of the models an adapter can be made for.
BASES: Mapping[str, int] = {"sd15": 16, "sdxl": 70}
_INSTANTID_NUMBERS = 512
_ALL = "all"

Tensors = Mapping[str, torch.Tensor]


def refusal(content: Mapping[str, Any], image_proj: Tensors, layers: Tensors) -> str | None:
    """What a file is, when it is no E-adapter, IP-Adapter-Plus or expression adapter; None when it is one."""
    if not image_proj or not layers:
        return describe(content)
    if _inputs(image_proj, "proj.weight", "proj.0.weight") == FLAME_NUMBERS:
        return None
    if "perceiver_resampler.proj_in.weight" in image_proj:
        return "an IP-Adapter FaceID Plus, which carries who somebody is: load it with an IP-Adapter node"
    if "proj.weight" in image_proj:
        return "a plain IP-Adapter, which sees a picture as one vector: use an IP-Adapter Plus"
    if "proj.3.weight" in image_proj:
        return "an IP-Adapter Full: use an IP-Adapter Plus"
    if "proj.0.weight" in image_proj or any("lora" in key for key in layers):
        return "an IP-Adapter FaceID, which carries who somebody is: load it with an IP-Adapter node"
    if _inputs(image_proj, "proj_in.weight") == _INSTANTID_NUMBERS:
        return "an InstantID adapter: load it with Load InstantID"
    return None


def _inputs(tensors: Tensors, *names: str) -> int | None:
    """How many numbers the first of these linear layers that is there takes."""
    return next((int(tensors[name].shape[-1]) for name in names if name in tensors), None)


def layer_numbers(layers: Tensors) -> str:
    """What a file's metadata calls its layers: `1,3,5`, in ascending order."""
    numbers = {int(match[1]) for key in layers if (match := LAYER.fullmatch(key))}
    return ",".join(str(number) for number in sorted(numbers))


def layer_count(base: str | None) -> int | None:
    """How many layers the model has that a file was made for, if it names one."""
    return None if base is None else BASES.get(base)


def check_facts(facts: Mapping[str, str], layers: Tensors, name: str) -> None:
    """Raises ValueError when what a file of our format says of itself is not so, or not understood."""
    found = facts.get("format", FORMAT)
    if found != FORMAT:
        raise ValueError(f"file {name} has the format {found}; this version of the pack reads {FORMAT}.")
    template = facts.get("template", TEMPLATE)
    if template != TEMPLATE:
        raise ValueError(
            f"file {name} was trained on templates {template}; Expression Template makes {TEMPLATE}."
        )
    base, said = facts.get("base"), facts.get("layers", _ALL)
    if base is not None and base not in BASES:
        raise ValueError(f"file {name} was made for {base}; known are {', '.join(BASES)}.")
    there = layer_numbers(layers)
    if base is not None and said == _ALL:
        said = ",".join(str(2 * n + 1) for n in range(BASES[base]))
    if said not in (_ALL, there):
        raise ValueError(
            f"file {name} is incomplete: it says that its layers are {_short(said)}, but it holds "
            f"{_short(there)}."
        )


def described_layers(layers: Tensors, base: str) -> str:
    """The metadata's word for these layers: `all`, or their numbers."""
    numbers = layer_numbers(layers)
    return _ALL if len(numbers.split(",")) == BASES[base] else numbers


def _short(numbers: str) -> str:
    listed = numbers.split(",")
    return numbers if len(listed) <= 8 else f"{', '.join(listed[:4])}, ... ({len(listed)} of them)"
