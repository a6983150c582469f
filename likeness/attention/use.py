"""How strongly, when and where something is used: what all methods share when they go into a MODEL."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch

from .. import host
from .calls import Call, Span
from .masks import PictureMask

log = logging.getLogger(__name__)

_EMPTY_MASK = (
    "the mask is empty, so {what} changes nothing. Load Image gives an empty mask for a picture without "
    "transparency: draw the mask, or disconnect it."
)


@dataclass(frozen=True)
class Window:
    """When a source is active: from start to end, as parts (0 to 1) of the sampling schedule.

    The parts become noise levels by the run's own model_sampling, which a node after ours may have
    changed.
    """

    start: float
    end: float

    @property
    def span(self) -> Span:
        return self.start, self.end

    @property
    def always(self) -> bool:
        """Whether it holds at any step: then nobody has to know the noise level."""
        return self.start <= 0 and self.end >= 1

    def holds(self, call: Call) -> bool:
        return self.always or call.within(self.span)

    def holds_at(self, sampling: Any, sigma: float) -> bool:
        """Whether the noise level sigma lies in the window of a run with this model_sampling."""
        return self.always or _sigma(sampling, self.start) >= sigma >= _sigma(sampling, self.end)


#: Noise levels of parts of a schedule; computing one waits for the device.
_sigmas: WeakKeyDictionary[Any, dict[float, float]] = WeakKeyDictionary()


def _sigma(sampling: Any, part: float) -> float:
    known = _sigmas.setdefault(sampling, {})
    if part not in known:
        known[part] = float(sampling.percent_to_sigma(part))
    return known[part]


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
    picture_mask: PictureMask | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"start ({self.start}) is after end ({self.end}): nothing would ever happen.")
        picture_mask = None if self.mask is None else PictureMask(self.mask, self.stretch)
        object.__setattr__(self, "picture_mask", picture_mask)

    @property
    def idle(self) -> bool:
        """Whether nothing would ever happen anywhere."""
        return self.start == self.end or (self.picture_mask is not None and self.picture_mask.empty)

    def nothing(self, what: str) -> bool:
        """The same, and says so: in the log, and of an empty mask on the node, too."""
        if not self.idle:
            return False
        if self.start == self.end:
            log.info("%s changes nothing: start equals end.", what)
        else:
            said = _EMPTY_MASK.format(what=what)
            log.warning("%s: %s", what, said)
            host.running.tell(said)
        return True

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)
