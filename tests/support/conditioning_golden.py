"""What the authors' code of stories, attributes and projections gave. Spec: conditioning.md 1.6, 2.6."""

from __future__ import annotations

from typing import Any

import torch

from .golden import Golden


class Conditioned(Golden):
    """tests/data/conditioning.safetensors, with its cases."""

    def __init__(self) -> None:
        super().__init__("conditioning")
        self.cases: dict[str, Any] = self.meta["cases"]

    def frames(self, mode: str) -> dict[tuple[int, str], torch.Tensor]:
        """What the authors' code makes of the story: by frame and encoder (`l`, `g`)."""
        return {(n, key): self[f"{mode}.{n}.out_{key}"] for n in range(3) for key in "lg"}
