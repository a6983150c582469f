"""Several attributes as one. Spec: conditioning.md 1.4."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .value import Attribute


def mix(attributes: Sequence[Attribute], weights: str = "") -> Attribute:
    """The sum of directions, each times its weight: what applying them one after another does.

    weights: a number for each attribute with commas between, may be negative; empty: 1 each. A direction that
    an attribute lacks counts as none. Raises ValueError for other weights, other widths, or a sum of nothing.
    """
    numbers = _numbers(weights, len(attributes))
    parts = list(zip(attributes, numbers, strict=True))
    vectors = {encoder: _sum(encoder, parts) for encoder in ("clip_l", "clip_g")}
    if not any(vector is not None and vector.any() for vector in vectors.values()):
        raise ValueError("weights: the attributes cancel each other out, so nothing is left. Change them.")
    used = [one for one, weight in parts if weight]
    made = ", ".join(f"{weight:g} x {one.name} ({one.source or one.kind})" for one, weight in parts if weight)
    return Attribute(
        " + ".join(dict.fromkeys(one.name for one in used)),
        vectors["clip_l"],
        vectors["clip_g"],
        "learned" if all(one.kind == "learned" for one in used) else "difference",
        " + ".join(dict.fromkeys(one.base for one in used if one.base)),
        made,
    )


def _sum(encoder: str, parts: Sequence[tuple[Attribute, float]]) -> torch.Tensor | None:
    there = [(one, one.vectors[encoder], weight) for one, weight in parts if encoder in one.vectors]
    if not there:
        return None
    first, start, _ = there[0]
    for one, vector, _ in there:
        if vector.shape != start.shape:
            raise ValueError(
                f"attributes: {one.name} is {len(vector)} wide in {encoder}, {first.name} {len(start)}. They "
                "were made for different text encoders and can't be mixed."
            )
    return torch.stack([weight * vector for _, vector, weight in there]).sum(0)


def _numbers(weights: str, count: int) -> list[float]:
    if not weights.strip():
        return [1.0] * count
    parts = [part.strip() for part in weights.split(",")]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise ValueError(
            f"weights: {weights!r} are no numbers with commas between, such as 1, -0.5."
        ) from None
    if len(numbers) != count:
        raise ValueError(f"weights: {weights!r} holds {len(numbers)}, but {count} attributes are connected.")
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"weights: {weights!r} holds NaN or infinity.")
    return numbers
