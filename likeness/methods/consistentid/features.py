"""What ConsistentID saw of somebody: tokens of who it is, and a vector for each part of the face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from ...adapters import Tokens
from ...choices.consistentid import PARTS
from .facial import FacialEncoder


@dataclass(frozen=True, eq=False)
class Features:
    """tokens: who it is. parts: the parts seen and their vectors [width], in the order of the pictures.

    nothing [width]: the vector of no picture, for negative prompts. facial: what fuses vectors with words.
    """

    tokens: Tokens
    parts: Mapping[str, torch.Tensor]
    nothing: torch.Tensor
    facial: FacialEncoder

    def __post_init__(self) -> None:
        ordered = {name: self.parts[name] for name in PARTS if name in self.parts}
        if len(ordered) != len(self.parts):
            raise ValueError(f"parts has others than {', '.join(PARTS)}: {', '.join(self.parts)}.")
        object.__setattr__(self, "parts", ordered)

    @property
    def width(self) -> int:
        """How wide tokens, vectors and the rows of a prompt are."""
        return int(self.tokens.somebody.shape[-1])

    def only(self, names: tuple[str, ...]) -> Features:
        """The same without the other parts."""
        return replace(self, parts={name: self.parts[name] for name in names if name in self.parts})

    def __repr__(self) -> str:
        return f"Features({', '.join(self.parts) or 'no parts'}, {self.tokens.made_with})"
