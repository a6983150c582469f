"""The facts of a network call that attention layers need, gathered once per step and once per call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from .sites import Layer, SiteKey
from .views import Area, Numbers, Part, Role, View, runs

CALL, CONDS, NAMES = "likeness_call", "likeness_conds", "likeness_names"

#: When something acts: from start to end, as parts (0 to 1) of the sampling schedule.
Span = tuple[float, float]


@dataclass(frozen=True)
class Entry:
    """A conditioning in a step: the part of what is sampled that it is for, and its prompt's tokens."""

    area: Area | None = None
    length: int | None = None


@dataclass(frozen=True)
class Conds:
    """What is known about the conditionings of one sampling step.

    latent: height and width of the whole picture. roles: one for each list of conditionings, if the guider
    names it. entries: by the list's number and the host's uuid, for the host copies conditionings, uuid and
    all, from list to list. part, pictures, of: what a context window shows, see View. batch, shown: how many
    pictures are sampled in this step, and their height and width. sampling is the host's model_sampling of
    this run. open: the spans that hold at this step; None when there is no schedule. hooked: weights differ
    between the calls.
    """

    latent: tuple[int, int]
    roles: tuple[Role | None, ...] = ()
    entries: Mapping[tuple[int, Any], Entry] = field(default_factory=dict)
    part: Part | None = None
    pictures: Numbers | None = None
    of: int | None = None
    batch: int | None = None
    sampling: Any = None
    open: tuple[Span, ...] | None = None
    hooked: bool = False

    @property
    def shown(self) -> tuple[int, int]:
        return self.latent if self.part is None else self.part.size

    def part_of(self, area: Area | None) -> Part | None:
        """An area of what is sampled, as a part of the whole picture."""
        if area is None:
            return self.part
        return (self.part or Part(range(self.latent[0]), range(self.latent[1]))).area(area)


@dataclass(frozen=True)
class Names:
    """Which conditionings the guider calls what, by the host's uuid. An object: the host merges dicts."""

    roles: Mapping[Any, Role]


@dataclass
class Call:
    """One call of the network: rows come in chunks of equal size, one View each.

    window: which part of the picture a context window shows. strange: rows or sides are not those of the
    step: somebody runs the network on parts that they did not announce. reached: which layers were, where
    somebody else's patches hide ours; else None. runs: see views.runs.
    """

    views: tuple[View, ...]
    latent: tuple[int, int] | None = None
    sigmas: torch.Tensor | None = None
    slots: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    network: Any = None
    sampling: Any = None
    open: tuple[Span, ...] | None = None
    hooked: bool = False
    window: Part | None = None
    strange: bool = False
    reached: set[tuple[Layer, SiteKey]] | None = None
    runs: tuple[tuple[int, int], ...] = field(init=False)

    def __post_init__(self) -> None:
        self.runs = runs(self.views)  # here, not in each layer, and not in what is compiled

    @classmethod
    def read(
        cls, options: Mapping[str, Any], shape: Sequence[int] | None = None, network: Any = None
    ) -> Call:
        """From the host's transformer options; shape of what the network is given, the module itself."""
        conds: Conds | None = options.get(CONDS)
        sides = options.get("cond_or_uncond") or [0]
        uuids = options.get("uuids") or ()
        if len(uuids) != len(sides):
            # Somebody else laid the rows out; what the host calls 0 and 1 still holds.
            uuids = [None] * len(sides)
        if conds is None:
            views = tuple(View(_default_role(side)) for side in sides)
            return cls(views, sigmas=options.get("sigmas"), slots=_slots(options), network=network)
        entries = [conds.entries.get((side, uuid), Entry()) for side, uuid in zip(sides, uuids, strict=True)]
        repeats = _repeats([entry.length for entry in entries])
        views = tuple(
            View(_role(conds, side), conds.part_of(entry.area), conds.pictures, conds.of, repeat)
            for side, entry, repeat in zip(sides, entries, repeats, strict=True)
        )
        return cls(
            views,
            conds.latent,
            options.get("sigmas"),
            _slots(options),
            network,
            conds.sampling,
            conds.open,
            conds.hooked,
            conds.part,
            shape is not None and _strange(conds, views, shape),
        )

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(view.role for view in self.views)

    def chunks(self, start: int, stop: int) -> Call:
        """The same call as some neighbouring chunks of its rows see it."""
        return replace(self, views=self.views[start:stop])

    def check_parts(self, what: str) -> None:
        """Raises ValueError when nobody can know where in the picture these rows are. what: the input."""
        if self.strange:
            raise ValueError(
                f"{what}: another node runs the network on parts of the picture (tiles) without saying "
                f"which, so the {what} can't be placed. Take that node or the {what} out."
            )

    def within(self, span: Span) -> bool:
        """Whether something acts now. The network alone, without a schedule, is never too early or late."""
        return self.open is None or span in self.open

    @cached_property
    def sigma(self) -> float | None:
        """The noise level. It waits for the device: for messages, and for parts of other packs."""
        return None if self.sigmas is None else float(self.sigmas[0])


def current_call(options: Mapping[str, Any]) -> Call:
    """The call a layer is in. Read anew when somebody runs the network without the host's wrappers."""
    call = options.get(CALL)
    return call if isinstance(call, Call) else Call.read(options)


def _slots(options: Mapping[str, Any]) -> Mapping[str, Mapping[Any, Any]]:
    slots: Mapping[str, Mapping[Any, Any]] = options.get("patches_replace", {})
    return slots


def _role(conds: Conds, side: int) -> Role:
    named = conds.roles[side] if side < len(conds.roles) else None
    return named or _default_role(side)


def _default_role(side: int) -> Role:
    return "positive" if side == 0 else "negative"


def _repeats(lengths: Sequence[int | None]) -> tuple[int, ...]:
    """The host fills up to the least common multiple of all lengths; unknown lengths count as they are."""
    full = math.lcm(*(length or 1 for length in lengths))
    return tuple(full // length if length else 1 for length in lengths)


def _strange(conds: Conds, views: Sequence[View], shape: Sequence[int]) -> bool:
    sides = {conds.shown if view.part is None else view.part.size for view in views}
    rows = None if conds.batch is None else conds.batch * len(views)
    return sides != {(int(shape[-2]), int(shape[-1]))} or (rows is not None and int(shape[0]) != rows)
