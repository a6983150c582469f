"""Bytes and contents of files, changed by what a seed says."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch

#: Numbers on which readers trip: lengths, counts and signs at the edges of their types.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 60, (1 << 64) - 1)
_WORDS = (b"[" * 3000, b"9" * 5000, b"NaN", b"1e999", b"null", b'"', b"{}", b"\x00", b"../../", b"-1", b",,")
#: Where most of what a reader interprets lies.
_HEAD = 4096


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """The content with one to five changes: bytes set, cut, doubled, moved, edges of numbers, odd words."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        place = draw.randrange(min(len(changed), _HEAD if draw.random() < 0.8 else 1 << 30) + 1)
        other = draw.randrange(len(changed) + 1)
        low, high = sorted((place, other))
        match draw.randrange(7):
            case 0:
                changed[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                number = draw.choice(_EDGES)
                width = draw.choice((1, 2, 4, 8))
                changed[place : place + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
            case 2:
                del changed[place : place + draw.choice((1, 2, 16, 1000))]
            case 3:
                changed[place:place] = draw.choice(_WORDS)
            case 4:
                del changed[place:]
            case 5:
                changed[place:place] = changed[low : min(high, low + 200)]
            case 6:
                bit = 1 << draw.randrange(8)
                changed[place : place + 1] = bytes(byte ^ bit for byte in changed[place : place + 1])
    return bytes(changed)


def mutate_content(content: Mapping[str, Any], draw: random.Random) -> dict[Any, Any]:
    """A file's content with one to three of its entries lost, renamed, moved or made something else.

    Tensors that are left alone are the given ones.
    """
    changed: dict[Any, Any] = dict(content)
    for _ in range(draw.choice((1, 1, 2, 3))):
        if not changed:
            break
        key = draw.choice(list(changed))
        value = changed[key]
        if isinstance(value, Mapping) and draw.random() < 0.8:
            changed[key] = mutate_content(value, draw)
            continue
        match draw.randrange(5):
            case 0:
                del changed[key]
            case 1:
                changed[_renamed(str(key), draw)] = changed.pop(key)
            case 2:
                changed[_renamed(str(key), draw)] = value
            case 3:
                changed[key] = draw.choice((None, 7, "text", [], {}, b"", float("nan"), True))
            case 4:
                changed[key] = _reshaped(value, draw)
    return changed


def _renamed(key: str, draw: random.Random) -> Any:
    parts = key.split(".")
    odd: Sequence[Any] = ("", "0", "-1", "999999999999", "٣", "01", "x" * 300, "\x00", "../..", "weight")
    parts[draw.randrange(len(parts))] = draw.choice(odd)
    return draw.choice((".".join(parts), ".".join(parts), key + ".weight", "module." + key, 3, ("a", "b")))


def _reshaped(value: Any, draw: random.Random) -> Any:
    tensor = value if isinstance(value, torch.Tensor) else torch.zeros(3)
    shapes = ((), (0,), (1,), (3, 0), (10**9, 0), (0, 10**12), (2, 2), (1, 1, 1, 1), (7, 5))
    wrong = draw.choice((torch.float16, torch.int8, torch.bool, torch.bfloat16, torch.float64))
    return draw.choice(
        (
            torch.zeros(draw.choice(shapes)),
            torch.zeros(draw.choice(shapes)),
            tensor.transpose(0, -1) if tensor.ndim else tensor,
            tensor[None],
            tensor.flatten(),
            tensor.to(wrong),
            torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor,
        )
    )
