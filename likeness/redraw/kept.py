"""What was drawn before somebody cancelled: the next run goes on from there.

An interrupt ends the node without a result, and that is what a person who cancels wants: nothing after it
runs. So tries are kept beside the redraw that made them, until a run comes to its end.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch

from .value import Redraw
from .who import is_right

#: Faces whose tries are kept for one redraw; the oldest go.
_MOST = 64


@dataclass(frozen=True, eq=False)
class Try:
    """A try that was better than the face it replaces. drawn [1, S, S, 3]: the crop. like: whose of the
    cast it is rather, or ""."""

    drawn: torch.Tensor
    number: int
    seed: int
    similarity: float
    like: str = ""

    def right(self, at_least: float) -> bool:
        return is_right(self.similarity, self.like, at_least)


@dataclass
class Tried:
    """How often a face was drawn, the best of it, and why the last that was refused was."""

    count: int = 0
    best: Try | None = None
    refused: str = ""


_TRIED: WeakKeyDictionary[Redraw, OrderedDict[str, Tried]] = WeakKeyDictionary()


def tried(redraw: Redraw, key: str) -> Tried:
    """What is known of a face, to be written on."""
    faces = _TRIED.setdefault(redraw, OrderedDict())
    known = faces.setdefault(key, Tried())
    while len(faces) > _MOST:
        faces.popitem(last=False)
    return known


def forget(redraw: Redraw, keys: list[str]) -> None:
    """A run came to its end: the host keeps its result."""
    for key in keys:
        _TRIED.get(redraw, OrderedDict()).pop(key, None)


def key_of(tensors: list[torch.Tensor], *facts: object) -> str:
    """Names a face and all that decides how it is drawn and judged."""
    digest = hashlib.sha256(repr(facts).encode())
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
