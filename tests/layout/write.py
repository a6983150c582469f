"""Files of the published size that hold random numbers here and there, and nothing (zeros) between.

Each tensor has numbers of its own at its beginning and its end: so a loader that swaps, drops or leaves out
one is found out, and a file of gigabytes costs next to no disk.
"""

from __future__ import annotations

import json
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any

import torch

from .shapes import Layout, is_counter, width

#: Numbers at either end of a tensor that are not zero.
SAMPLE = 16
_DTYPES = {"F32": torch.float32, "F16": torch.float16}


def sample(name: str, shape: tuple[int, ...], dtype: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(the first, the last) numbers of a tensor: fixed by its name, small enough to compute with."""
    count = min(SAMPLE, prod(shape))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    first, last = torch.randn(2, count, generator=generator) * 0.01
    if prod(shape) < 2 * SAMPLE:
        last = first[:0]  # the ends would overlap
    return first.to(_DTYPES[dtype]), last.to(_DTYPES[dtype])


def write(layout: Layout, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if layout.nested is None:
        _write_safetensors(layout, path)
    else:
        _write_archive(layout, path)


def _write_safetensors(layout: Layout, path: Path) -> None:
    """As the safetensors library lays tensors out: the wider first, then by name; a head of whole words."""
    shapes = layout.read()
    order = sorted(shapes, key=lambda name: (-width(name, layout.dtype), name))
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    places, end = {}, 0
    for name in order:
        begin, end = end, end + prod(shapes[name]) * width(name, layout.dtype)
        kind = "I64" if is_counter(name) else layout.dtype
        head[name] = {"dtype": kind, "shape": list(shapes[name]), "data_offsets": [begin, end]}
        places[name] = (begin, end)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        start = file.tell()
        file.truncate(start + end)
        for name, (begin, after) in places.items():
            first, last = _stored(name, shapes[name], layout.dtype)
            file.seek(start + begin)
            file.write(first)
            file.seek(start + after - len(last))
            file.write(last)


def _stored(name: str, shape: tuple[int, ...], dtype: str) -> tuple[bytes, bytes]:
    if is_counter(name):
        return torch.arange(prod(shape)).numpy().tobytes(), b""
    first, last = sample(name, shape, dtype)
    return first.numpy().tobytes(), last.numpy().tobytes()


def _write_archive(layout: Layout, path: Path) -> None:
    content: dict[str, Any] = {part: {} for part in layout.nested or ()}
    for name, shape in layout.read().items():
        tensor = torch.arange(prod(shape)).view(shape) if is_counter(name) else _tensor(name, shape, layout)
        part, _, rest = name.partition(".")
        if part in content:
            content[part][rest] = tensor
        else:
            content[name] = tensor
    torch.save(content, path)


def _tensor(name: str, shape: tuple[int, ...], layout: Layout) -> torch.Tensor:
    tensor = torch.zeros(shape, dtype=_DTYPES[layout.dtype])  # nothing until it is read
    first, last = sample(name, shape, layout.dtype)
    flat = tensor.view(-1)
    flat[: len(first)] = first
    flat[len(flat) - len(last) :] = last
    return tensor
