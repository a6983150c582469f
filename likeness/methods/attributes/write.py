"""Files of directions: `<name>.clip_l`, `<name>.clip_g`, and what they are. Spec: conditioning.md 1.2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ...weights.write import write_tensors

FORMAT = "likeness-attribute-deltas/1"
ENCODERS = ("clip_l", "clip_g")
KINDS = ("learned", "difference")


def write(
    path: str | Path,
    name: str,
    vectors: Mapping[str, torch.Tensor],
    kind: str,
    base: str = "",
    source: str = "",
    **facts: str,
) -> None:
    """One direction as a file for Load Attribute, there whole or not at all.

    vectors: by encoder, `clip_l`, `clip_g` or both, each [width]; saved as float32. kind: learned or
    difference. base: what it was made on; source: how or where. facts: further metadata. Raises ValueError
    for a name or kind that is none, no vector, or NaN.
    """
    if not name or "," in name or "." in name or name != name.strip():
        raise ValueError(f"name {name!r} is no attribute's name: use letters, digits and _.")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    if not vectors or set(vectors) - set(ENCODERS):
        raise ValueError(
            f"The attribute {name} needs a vector of clip_l or clip_g, not of {sorted(vectors)}."
        )
    flat = {}
    for encoder, vector in vectors.items():
        if vector.ndim != 1 or not vector.isfinite().all():
            raise ValueError(
                f"{name}.{encoder} holds NaN or infinity, or is no single row: no file is written."
            )
        flat[f"{name}.{encoder}"] = vector.detach().to("cpu", torch.float32, copy=True)
    told = {"format": FORMAT, "names": name, "kind": kind, "base_model": base, "source": source}
    write_tensors(flat, {**told, **facts}, path)
