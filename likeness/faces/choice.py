"""What was chosen in one picture, and how that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..values import Face
from .mask_overlap import Overlap


@dataclass(frozen=True, eq=False)
class Candidate:
    """A face and what is known of it. place: among the faces of its picture, as they came in.

    similarity: to the reference. followed: how well it fits a person followed through the pictures.
    """

    place: int
    face: Face
    overlap: Overlap | None = None
    similarity: float | None = None
    followed: float | None = None


@dataclass(frozen=True)
class Choice:
    """chosen, in their order, and the others they were chosen from; without any: why, and what helps."""

    chosen: tuple[Candidate, ...]
    others: tuple[Candidate, ...] = ()
    lack: str = ""
    remedy: str = ""

    @property
    def advice(self) -> str:
        """A sentence for the message of the policy."""
        sentence = f"{self.lack}: {self.remedy}, or set if_no_face to skip."
        return sentence[0].upper() + sentence[1:]


def likeness(candidate: Candidate) -> float:
    """A candidate's similarity; the lowest there is when none was asked for."""
    return -1.0 if candidate.similarity is None else candidate.similarity


def told(choice: Choice) -> str:
    """`face 2, similarity 0.812, margin 0.412 to face 0`; several with semicolons; or why there is none."""
    if not choice.chosen:
        return f"none: {choice.lack}"
    return "; ".join(_told_one(candidate, choice.others) for candidate in choice.chosen)


def _told_one(candidate: Candidate, others: Sequence[Candidate]) -> str:
    parts = [f"face {candidate.place}"]
    if candidate.followed is not None:
        parts.append(f"followed {candidate.followed:.3f}")
    if candidate.similarity is not None:
        parts.append(f"similarity {candidate.similarity:.3f}")
        next_best = max(others, key=likeness, default=None)
        if next_best is None:
            parts.append("no other face")
        else:
            margin = likeness(candidate) - likeness(next_best)
            parts.append(f"margin {margin:.3f} to face {next_best.place}")
    if candidate.overlap is not None:
        parts.append(f"{candidate.overlap.share:.0%} in the mask")
    return ", ".join(parts)
