"""What each chunk of rows of a network call shows: whose prompt, which part of the picture, which pictures.

The host batches rows as it likes: positive and negative together or apart, several prompts at once, areas,
context windows over the pictures of a batch or over a side of them; and guiders number their prompts in
several orders. Everything that depends on rows (masks, tokens per picture, keypoints, ControlNet residuals)
asks the View. Spec: host_guide.md 4.4, 4.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Role = Literal["positive", "negative"]
#: Numbers of lines or pictures, in order; a range wherever they follow each other.
Numbers = range | tuple[int, ...]
#: A part of the latent: height, width, top, left, in latent pixels (the host's order).
Area = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """Which rows and columns of the whole latent are shown."""

    rows: Numbers
    columns: Numbers

    @property
    def size(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    def area(self, area: Area) -> Part:
        """A part of this part."""
        height, width, top, left = area
        return Part(self.rows[top : top + height], self.columns[left : left + width])


@dataclass(frozen=True)
class View:
    """One chunk of rows.

    part: None is all of the picture. pictures: which of the batch each row shows; None is all, in order. of:
    how many pictures the batch has; None is as many as the chunk has rows. repeats: how often the host
    repeats the tokens of the chunk's prompt, so that prompts of different lengths fit into one batch.
    """

    role: Role
    part: Part | None = None
    pictures: Numbers | None = None
    of: int | None = None
    repeats: int = 1

    def count(self, rows: int) -> int:
        """How many pictures there are, of which this chunk shows `rows`."""
        return rows if self.of is None else self.of

    def pick(self, x: Tensor) -> Tensor:
        """This chunk's part of what there is one of for every picture, [pictures, ...]."""
        return x if self.pictures is None else lines(x, self.pictures, 0)


def numbers(found: Sequence[int]) -> Numbers:
    """As a range if they follow each other: that part of a tensor is a view, not a copy."""
    together = range(found[0], found[0] + len(found)) if found else range(0)
    return together if list(found) == list(together) else tuple(found)


def lines(x: Tensor, wanted: Numbers, dim: int) -> Tensor:
    """These lines of a tensor, in order."""
    if isinstance(wanted, range):
        return x.narrow(dim, wanted.start, len(wanted))
    return x.index_select(dim, torch.tensor(wanted, device=x.device))


def runs(views: Sequence[View]) -> list[tuple[int, int]]:
    """(start, stop) of neighbouring chunks of one role: what is done to them is done once."""
    ends = [n for n in range(1, len(views)) if views[n].role != views[n - 1].role]
    return list(zip([0, *ends], [*ends, len(views)], strict=True))


def rows_of(per_role: Tensor, views: Sequence[View], rows: int, what: str = "expressions") -> Tensor:
    """[1 + N, T, D] laid out for `rows` rows: [rows, T, D], without copies where it can.

    The first is for negative rows, the N others for positive ones: one for every picture of the batch, or
    one each. Raises ValueError for any other N; what: the name of the N for that.
    """
    batch, each = rows // len(views), len(per_role) - 1
    nobody, somebody = per_role[:1], per_role[1:]
    roles = [view.role for view in views]
    if each == 1 and batch == 1 and roles == ["negative", "positive"]:
        return per_role
    parts = []
    for view in views:
        own = nobody if view.role == "negative" else somebody
        if len(own) > 1:
            check_count(len(own), view, batch, what)
            own = view.pick(own)
        parts.append(own)
    if len(parts) == 1 or (len(set(roles)) == 1 and len(parts[0]) == 1):
        return parts[0] if len(parts[0]) == rows else parts[0].expand(rows, -1, -1)
    return torch.cat([part.expand(batch, -1, -1) for part in parts])


def check_count(found: int, view: View, rows: int, what: str) -> None:
    """Raises ValueError unless there is one of something for all pictures of the batch, or one for each."""
    if found not in (1, view.count(rows)):
        raise ValueError(
            f"There are {found} {what} for {view.count(rows)} pictures: give one for all, or one for each "
            "picture of the latent batch."
        )
