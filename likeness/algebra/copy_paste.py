"""Whether a picture shows the person, or only the photo that it was drawn from.

A face that repeats the reference scores high without being more like the person. A second photo of them, the
truth, tells the two apart: similarity to the truth is likeness; copy-paste is how much nearer the picture
lies to the reference than to the truth, in parts of the angle between these two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..identity import mean_of
from ..values import Face, Identity

#: Radians: two photos nearer to each other than this say nothing of which one a third is nearer to.
LEAST_ANGLE = 1e-3
#: The line above a table that shows it.
EXPLAINED = (
    "copy-paste: 1 is the reference again, 0 is as far from it as from the truth, -1 is the truth. Likeness "
    "is similarity to the truth."
)


def angle(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Radians, 0 to pi, between vectors [..., D] of any length, in their dtype.

    By the half angle: from a cosine near 1 an arccosine would lose half of the digits.
    """
    a, b = (torch.nn.functional.normalize(vector, dim=-1, eps=1e-12) for vector in (first, second))
    return 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))


def copy_paste(out: torch.Tensor, truth: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(angle(out, truth) - angle(out, reference)) / angle(truth, reference), of vectors [..., D].

    1: out is the reference; -1: it is the truth; 0: as far from both. NaN where truth and reference can't
    be told apart.
    """
    apart = angle(truth, reference)
    nearer = angle(out, truth) - angle(out, reference)
    return torch.where(apart > LEAST_ANGLE, nearer / apart.clamp(min=LEAST_ANGLE), math.nan)


@dataclass(frozen=True)
class Axes:
    """One face. truth: its cosine with the second photo. copied: its copy-paste, NaN where there is none."""

    truth: float
    copied: float

    @property
    def told(self) -> str:
        return "no answer" if math.isnan(self.copied) else f"{self.copied:.3f}"


def axes_of(face: Face | None, truth: Identity, reference: Identity) -> Axes | None:
    """Where a face lies between two photos of a person; None for no face. All of one recogniser.

    The face carries its vector. Raises ValueError for identities whose mean is nothing.
    """
    if face is None:
        return None
    out = face.embeddings[truth.recogniser].double()
    true, given = mean_of("truth", truth), mean_of("reference", reference)
    cosine = torch.nn.functional.cosine_similarity(out, true, dim=0)
    return Axes(float(cosine), float(copy_paste(out, true, given)))
