"""W+ Adapter and e4e files with deterministic weights, in the published layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from .fill import fill

Tensors = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]
#: Width of prompt tokens, and of the tiny networks' layers.
CONTEXT, HIDDEN = 64, 32
#: Of a tiny encoder: stem and four stages.
WIDTHS = (4, 4, 6, 8, 8)
_UNITS = (3, 4, 14, 3)


def projection_shapes(width: int = CONTEXT) -> Shapes:
    shapes: Shapes = {f"proj_{n}.weight": (width, size) for n, size in enumerate((2048, 2048, 2048, 3072))}
    return shapes | {"norm.weight": (width,), "norm.bias": (width,)}


def layer_shapes(hidden: Iterable[int], width: int = CONTEXT) -> Shapes:
    shapes: Shapes = {}
    for n, wide in enumerate(hidden):
        shapes |= {f"{2 * n + 1}.to_{part}_wplus.weight": (wide, width) for part in "kv"}
        shapes[f"{2 * n + 1}.to_q_wplus.weight"] = (wide, wide)
    return shapes


def tiny(hidden: Iterable[int] = (HIDDEN,) * 16, width: int = CONTEXT) -> dict[str, Tensors]:
    """A nested adapter file's content, filled as the golden's."""
    parts = {"w_proj": projection_shapes(width), "wplus_adapter": layer_shapes(hidden, width)}
    return {
        part: {key: fill(f"wplus.{part}.{key}", shape) for key, shape in shapes.items()}
        for part, shapes in parts.items()
    }


def flat(nested: dict[str, Tensors]) -> Tensors:
    return {f"{part}.{key}": value for part, tensors in nested.items() for key, value in tensors.items()}


def encoder_value(key: str, shape: Sequence[int]) -> torch.Tensor:
    """A tensor of the encoder, as the golden's metadata (`weights`) says."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    value = fill(f"e4e.encoder.{key}", shape)
    if key.endswith("running_var"):
        return 1 + 2 * value.abs()
    if key.endswith(("input_layer.2.weight", "res_layer.2.weight")):
        return 0.25 + 0.5 * (value - 1)
    if ".linear.weight" in key:
        return 512**0.5 * value
    return value


def encoder_shapes(widths: Sequence[int] = WIDTHS) -> Shapes:
    stem, wide = widths[0], widths[-1]
    shapes: Shapes = {"input_layer.0.weight": (stem, 3, 3, 3), **_norm("input_layer.1", stem)}
    shapes["input_layer.2.weight"] = (stem,)
    number = 0
    for stage, count in enumerate(_UNITS):
        inside, outside = widths[stage : stage + 2]
        for unit in range(count):
            source = outside if unit else inside
            layer = f"body.{number}.res_layer"
            if source != outside:
                shapes[f"body.{number}.shortcut_layer.0.weight"] = (outside, source, 1, 1)
                shapes |= _norm(f"body.{number}.shortcut_layer.1", outside)
            shapes |= {**_norm(f"{layer}.0", source), f"{layer}.1.weight": (outside, source, 3, 3)}
            shapes |= {f"{layer}.2.weight": (outside,), f"{layer}.3.weight": (outside, outside, 3, 3)}
            narrow = max(1, outside // 16)
            shapes |= {**_norm(f"{layer}.4", outside), f"{layer}.5.fc1.weight": (narrow, outside, 1, 1)}
            shapes[f"{layer}.5.fc2.weight"] = (outside, narrow, 1, 1)
            number += 1
    for i in range(18):
        for conv in range(4 if i < 3 else 5 if i < 7 else 6):
            shapes[f"styles.{i}.convs.{2 * conv}.weight"] = (wide, wide, 3, 3)
            shapes[f"styles.{i}.convs.{2 * conv}.bias"] = (wide,)
        shapes |= {f"styles.{i}.linear.weight": (512, wide), f"styles.{i}.linear.bias": (512,)}
    for name, source in (("latlayer1", widths[3]), ("latlayer2", widths[2])):
        shapes |= {f"{name}.weight": (wide, source, 1, 1), f"{name}.bias": (wide,)}
    return shapes


def _norm(name: str, wide: int) -> Shapes:
    vectors = dict.fromkeys(
        (f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")), (wide,)
    )
    return {**vectors, f"{name}.num_batches_tracked": ()}


def encoder(widths: Sequence[int] = WIDTHS) -> Tensors:
    return {key: encoder_value(key, shape) for key, shape in encoder_shapes(widths).items()}


def encoder_file(widths: Sequence[int] = WIDTHS) -> dict[str, Any]:
    """A whole file as published: with a decoder and settings beside it."""
    state = {f"encoder.{key}": value for key, value in encoder(widths).items()}
    average = fill("average", (18, 512)) * 8
    return {
        "state_dict": {**state, "decoder.style.1.weight": torch.ones(2, 2)},
        "latent_avg": average,
        "opts": {},
    }


def write(models: Path) -> None:
    """Under a folder of models: an adapter for the tiny SD1.5, an encoder, directions and a code."""
    from safetensors.torch import save_file

    file = encoder_file()
    state = {key: value for key, value in file["state_dict"].items() if key.startswith("encoder.")}
    directions = {name: fill(f"direction.{name}", (18, 512)) * 8 for name in ("smile", "age80", "eyeglasses")}
    code = {"codes": fill("code", (1, 18, 512)) * 10}
    for place, tensors, metadata in (
        ("wplus/tiny_wplus", flat(tiny()), {}),
        ("e4e/tiny_e4e", {**state, "latent_avg": file["latent_avg"]}, {}),
        ("wplus_directions/tiny_directions", directions, {}),
        ("wplus_codes/tiny_code", code, {"format": "likeness-wplus/1", "source": "tiny"}),
    ):
        path = models / f"{place}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata)
