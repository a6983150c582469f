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


def runs(views: Sequence[View]) -> tuple[tuple[int, int], ...]:
    """(start, stop) of neighbouring chunks of one role: what is done to them is done once."""
    ends = [n for n in range(1, len(views)) if views[n].role != views[n - 1].role]
    return tuple(zip([0, *ends], [*ends, len(views)], strict=True))
