"""What every attention adapter shares when it is put into a MODEL."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import torch

from .masks import PictureMask
from .sources import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Use:
    """How strongly, when and where: weight, start and end from 0 to 1, mask [B, H, W] or None.

    stretch: a mask of another shape than the picture is pulled over it instead of refused. Raises
    ValueError for a window that runs backwards or a mask that is none.
    """

    weight: float
    start: float = 0.0
    end: float = 1.0
    mask: torch.Tensor | None = None
    stretch: bool = False
    where: PictureMask | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"start ({self.start}) is after end ({self.end}): nothing would ever happen.")
        where = None if self.mask is None else PictureMask(self.mask, self.stretch)
        object.__setattr__(self, "where", where)

    def nothing(self, what: str) -> bool:
        """True when the MODEL is to stay exactly as it is; says so in the log."""
        empty = self.where is not None and self.where.empty
        if self.start == self.end or empty:
            log.info("%s changes nothing: %s.", what, "the mask is empty" if empty else "start equals end")
            return True
        return False

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)


def kind_of(model: Any) -> str:
    """The host's name of a MODEL's family, for messages: SDXL, SD15, Flux, ..."""
    return type(model.model.model_config).__name__
