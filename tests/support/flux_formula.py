"""Flux's attention with FreeCure in it, in plain words: one row, head and query at a time."""

from __future__ import annotations

from typing import Any

import torch

from .flux_runs import GRID
from .tiny_flux import AXES, HEADS

SIZE = sum(AXES)


def rotated(x: torch.Tensor, text: int) -> torch.Tensor:
    """Flux's rotary positions in plain words: [rows, heads, tokens, size], text at place (0, 0, 0)."""
    places = torch.zeros(x.shape[2], 3, dtype=torch.float64)
    for y in range(GRID[0]):
        for column in range(GRID[1]):
            places[text + y * GRID[1] + column] = torch.tensor([0.0, y, column])
    out, start = torch.empty_like(x, dtype=torch.float64), 0
    for axis, width in enumerate(AXES):
        for pair in range(width // 2):
            angle = places[:, axis] * 10000 ** (-2 * pair / width)
            a, b = (x[..., start + 2 * pair + n].double() for n in (0, 1))
            out[..., start + 2 * pair] = angle.cos() * a - angle.sin() * b
            out[..., start + 2 * pair + 1] = angle.sin() * a + angle.cos() * b
        start += width
    return out


def formula(own: Any, other: Any, seen: torch.Tensor, mode: str, strength: float) -> torch.Tensor:
    """The block's attention, one row, head and query at a time; seen [rows, picture tokens] bool."""
    q, k, k_f = rotated(own.q, own.text), rotated(own.k, own.text), rotated(other.k, other.text)
    k_f, v_f = k_f[:, :, other.text :], other.v[:, :, other.text :].double()
    v = own.v.double()
    out = torch.empty(len(q), q.shape[2], HEADS * SIZE, dtype=torch.float64)
    for row in range(len(q)):
        for head in range(HEADS):
            for query in range(q.shape[2]):
                logits = k[row, head] @ q[row, head, query] / SIZE**0.5
                values = v[row, head]
                if query >= own.text:
                    theirs = k_f[row, head] @ q[row, head, query] / SIZE**0.5
                    if mode == "paper":
                        theirs = theirs * strength * seen[row]
                    else:
                        theirs = theirs + strength if mode == "code" else theirs * strength
                        theirs = theirs.masked_fill(~seen[row], -torch.inf)
                    logits = torch.cat([logits, theirs])
                    values = torch.cat([values, v_f[row, head]])
                out[row, query, head * SIZE : (head + 1) * SIZE] = logits.softmax(0) @ values
    return out
