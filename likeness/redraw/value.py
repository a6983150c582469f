"""A way to draw one face anew, as it travels on a wire.

Whoever repairs pictures needs no more than this: what it has to be given, and a call that draws. Methods make
such values; what they have in common (latents, noise, seams) is not theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..choices.faces import ALIGNS, UPRIGHT
from ..values import Conditioning, Expression, Face, Faces, Identity

#: What a method makes of a subject: MODEL, positive, negative.
Prompted = tuple[Any, Conditioning, Conditioning]


@dataclass(frozen=True)
class Sampling:
    """How the host samples: what KSampler's widgets of these names say."""

    sampler: str = "euler"
    scheduler: str = "normal"
    steps: int = 30
    cfg: float = 4.5


@dataclass(frozen=True, eq=False)
class Subject:
    """One face to draw. crop [1, S, S, 3]; mask [1, S, S], 1 where to draw; face: where it is in the crop.

    identity: by the redraw's recogniser; None for a model that carries the person. expression: what the face
    is to keep doing, for methods that can.
    """

    crop: torch.Tensor
    mask: torch.Tensor
    face: Face
    identity: Identity | None = None
    expression: Expression | None = None

    @property
    def faces(self) -> Faces:
        """The face in its crop, for what looks at faces."""
        return Faces(self.crop, ((self.face,),))


@dataclass(frozen=True)
class DenoiseRange:
    """How much of a face is drawn anew: what makes sense for a method, and what is usual."""

    least: float
    usual: float
    most: float

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.usual <= self.most <= 1:
            raise ValueError(
                f"denoise is {self.usual}; this way to redraw takes from {self.least} to {self.most}."
            )

    def fit(self, wanted: float) -> float:
        """`wanted` within the range; 0 is the usual."""
        return self.usual if wanted <= 0 else min(max(wanted, self.least), self.most)


@dataclass(frozen=True, eq=False)
class Redraw:
    """How to draw a face anew.

    prepare: a subject -> (MODEL, positive, negative) that draw it. model: the MODEL before that, whose
    latents are previewed. recogniser: whose identities it draws by; "" when the model carries the person.
    size: pixels of a side it draws best, a multiple of 8. align: how crops for it are cut (squares.ALIGNS).
    fills: it draws into a hole, so nothing of the old face goes in. reads: a face in its crop -> its
    expression, or None for a method that takes none. people: names of those it can draw; () is everybody.
    conditioned_by: whose eyes the result is made for, when that is not `recogniser`: an adapter in the model.
    Raises ValueError.
    """

    name: str
    model: Any
    vae: Any
    sampling: Sampling
    prepare: Callable[[Subject], Prompted]
    denoise: DenoiseRange
    recogniser: str = ""
    size: int = 512
    align: str = UPRIGHT
    fills: bool = False
    reads: Callable[[Faces], Expression] | None = None
    people: tuple[str, ...] = ()
    conditioned_by: str = ""

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8 from 64 pixels on, not {self.size}.")
        if self.align not in ALIGNS:
            raise ValueError(f"align must be one of {', '.join(ALIGNS)}, not {self.align!r}.")

    @property
    def pleases(self) -> str:
        """The recogniser whose word about the result flatters; "" when none is known."""
        return self.recogniser or self.conditioned_by

    def draws(self, name: str) -> bool:
        """Whether it can draw somebody of this name."""
        return not self.people or name in self.people

    def __repr__(self) -> str:
        by = self.recogniser or "its model"
        return f"Redraw({self.name} by {by}, {self.size}x{self.size}, denoise {self.denoise.usual:g})"
