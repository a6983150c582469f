"""What an attention layer needs to know about the network call it is part of.

The host batches the rows of a call as it likes: positive and negative together or apart, several
prompts at once, parts of the picture; and some guiders number their prompts in another order than
the common one. The facts are gathered by wrappers that the engine hangs on the MODEL, once per step
and once per network call instead of once per layer. Spec: host_guide.md 4.4, 4.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch

from .masks import Area
from .sites import Layer, SiteKey

Role = Literal["positive", "negative"]

#: Key of a conditioning's role; conditionings without one are told apart by the host's 0 and 1.
ROLE = "likeness_role"
CALL = "likeness_call"
CONDS = "likeness_conds"
NAMES = "likeness_names"


@dataclass(frozen=True)
class Conds:
    """Facts about the conditionings of one sampling step, by the host's uuid.

    sampling is the host's model_sampling of this run. hooked: weights differ between the calls.
    lengths: how many tokens each prompt has by itself.
    """

    latent: tuple[int, int]
    areas: Mapping[Any, Area | None]
    roles: Mapping[Any, Role | None]
    sampling: Any = None
    hooked: bool = False
    lengths: Mapping[Any, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """Which conditionings the guider calls what, by the host's uuid. An object: the host merges dicts."""

    roles: Mapping[Any, Role]


@dataclass
class Call:
    """One call of the network: rows come in chunks of equal size, one chunk per conditioning.

    repeats: how often the host repeats the tokens of each chunk's prompt, so that prompts of different
    lengths fit into one batch.
    """

    sigmas: torch.Tensor | None
    roles: tuple[Role, ...]
    areas: tuple[Area | None, ...]
    latent: tuple[int, int] | None
    slots: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    network: Any = None
    sampling: Any = None
    hooked: bool = False
    reached: set[tuple[Layer, SiteKey]] = field(default_factory=set)
    repeats: tuple[int, ...] = ()

    @classmethod
    def read(cls, options: Mapping[str, Any], network: Any = None) -> Call:
        """From the host's transformer options; network is the module that is called."""
        conds: Conds | None = options.get(CONDS)
        chunks = options.get("cond_or_uncond") or [0]
        uuids = options.get("uuids") or ()
        if len(uuids) != len(chunks):
            # Somebody else laid the rows out; what the host calls 0 and 1 still holds.
            uuids = [None] * len(chunks)
        known_roles = conds.roles if conds else {}
        roles = tuple(known_roles.get(u) or _default_role(c) for c, u in zip(chunks, uuids, strict=True))
        areas = tuple(conds.areas.get(u) if conds else None for u in uuids)
        return cls(
            sigmas=options.get("sigmas"),
            roles=roles,
            areas=areas,
            latent=conds.latent if conds else None,
            slots=options.get("patches_replace", {}),
            network=network,
            sampling=conds.sampling if conds else None,
            hooked=conds.hooked if conds else False,
            repeats=_repeats([conds.lengths.get(u) if conds else None for u in uuids]),
        )

    def chunks(self, places: Sequence[int]) -> Call:
        """The same call as some of its chunks of rows see it."""
        roles, areas = tuple(self.roles[p] for p in places), tuple(self.areas[p] for p in places)
        repeats = tuple(self.repeats[p] for p in places) if self.repeats else ()
        return replace(self, roles=roles, areas=areas, repeats=repeats)

    @cached_property
    def sigma(self) -> float | None:
        """The noise level, read once: it waits for the device."""
        return None if self.sigmas is None else float(self.sigmas[0])


def _repeats(lengths: Sequence[int | None]) -> tuple[int, ...]:
    """The host fills up to the least common multiple of all lengths; unknown lengths count as they are."""
    full = math.lcm(*(length or 1 for length in lengths))
    return tuple(full // length if length else 1 for length in lengths)


def _default_role(cond_or_uncond: int) -> Role:
    return "positive" if cond_or_uncond == 0 else "negative"


def current_call(options: Mapping[str, Any]) -> Call:
    """The call a layer is in. Read anew when somebody runs the network without its wrappers."""
    call = options.get(CALL)
    return call if isinstance(call, Call) else Call.read(options)


def with_conds(executor: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """CALC_COND_BATCH wrapper (model, conds, x, timestep, model_options): note areas and roles."""
    if len(args) != 5:
        return executor(*args, **kwargs)
    model, conds, x, timestep, model_options = args
    options = model_options.get("transformer_options", {})
    names: Names | None = options.get(NAMES)
    named = names.roles if names else {}
    height, width = int(x.shape[-2]), int(x.shape[-1])
    entries = [entry for side in conds if side is not None for entry in side]
    facts = Conds(
        latent=(height, width),
        areas={e["uuid"]: _area(e.get("area"), height, width) for e in entries if "uuid" in e},
        roles={e["uuid"]: e.get(ROLE) or named.get(e["uuid"]) for e in entries if "uuid" in e},
        sampling=getattr(model, "model_sampling", None),
        hooked=any(e.get("hooks") is not None for e in entries),
        lengths={e["uuid"]: length for e in entries if "uuid" in e and (length := _length(e))},
    )
    options = {**options, CONDS: facts}
    return executor(model, conds, x, timestep, {**model_options, "transformer_options": options}, **kwargs)


def _length(entry: Mapping[str, Any]) -> int | None:
    """How many tokens a conditioning's prompt has."""
    prompt = getattr(entry.get("model_conds", {}).get("c_crossattn"), "cond", None)
    return int(prompt.shape[1]) if isinstance(prompt, torch.Tensor) else None


def with_names(executor: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """PREDICT_NOISE wrapper (x, timestep, model_options, seed): note what the guider calls its prompts."""
    conds = getattr(executor, "class_obj", None)
    named: Mapping[str, Any] | None = getattr(conds, "conds", None)
    if len(args) < 3 or not named:
        return executor(*args, **kwargs)
    roles: dict[Any, Role] = {}
    for name, entries in named.items():
        role: Role = "negative" if "negative" in name else "positive"
        roles.update({entry["uuid"]: role for entry in entries or () if "uuid" in entry})
    x, timestep, model_options, *rest = args
    options = {**model_options.get("transformer_options", {}), NAMES: Names(roles)}
    return executor(x, timestep, {**model_options, "transformer_options": options}, *rest, **kwargs)


def _area(area: Any, height: int, width: int) -> Area | None:
    if area is None or len(area) != 4:
        return None
    h, w, top, left = (int(side) for side in area)
    return min(height - top, h), min(width - left, w), top, left


def network_options(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The transformer options among the arguments of a DIFFUSION_MODEL wrapper."""
    candidates = [kwargs.get("transformer_options"), *args]
    return next((a for a in candidates if isinstance(a, dict) and "cond_or_uncond" in a), None)


def select_rows(per_role: torch.Tensor, call: Call, rows: int) -> torch.Tensor:
    """[1 + N, T, D] laid out for `rows` rows: [rows, T, D], without copies where it can.

    The first is for negative rows, the N others for positive ones: one for every picture of the batch, or
    one each. Raises ValueError for any other N.
    """
    chunks = [0 if role == "negative" else 1 for role in call.roles]
    batch, each = rows // len(chunks), len(per_role) - 1
    if each not in (1, batch) and 1 in chunks:
        raise ValueError(
            f"There are {each} expressions for {batch} pictures: give one for all, or one for each picture "
            "of the latent batch."
        )
    if chunks == [0, 1] and batch == 1:
        return per_role
    if each > 1:
        parts = [per_role[1:] if c else per_role[:1].expand(batch, -1, -1) for c in chunks]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    if len(set(chunks)) == 1:
        return per_role[chunks[0]].expand(rows, -1, -1)
    chosen = torch.stack([per_role[c] for c in chunks])
    return chosen.unsqueeze(1).expand(-1, batch, -1, -1).flatten(0, 1)
