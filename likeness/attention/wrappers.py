"""Wrappers around the host's steps and network calls, in which the facts of a call are gathered.

They run once per step and once per call instead of once per layer, and outside of what TorchCompileModel
compiles: there, a value read from the device would break the graph. Spec: host_guide.md 4.4, 4.6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from .calls import CALL, CONDS, NAMES, Call, Conds, Entry, Names, Span
from .compiled import arguments, note
from .hidden import with_hidden_noted
from .sites import Layer, SiteKey
from .views import Area, Numbers, Part, Role, numbers

log = logging.getLogger(__name__)

KEY = "likeness"
#: In a MODEL's options: which layers carry something of ours, and what.
SITES, SOURCES = "likeness_sites", "likeness_sources"

Executor = Callable[..., Any]


def with_names(executor: Executor, *args: Any, **kwargs: Any) -> Any:
    """PREDICT_NOISE wrapper (x, timestep, model_options, seed): note what the guider calls its prompts."""
    named: Mapping[str, Any] | None = getattr(getattr(executor, "class_obj", None), "conds", None)
    if len(args) < 3 or not named:
        return executor(*args, **kwargs)
    roles: dict[Any, set[Role]] = {}
    for name, entries in named.items():
        role: Role = "negative" if "negative" in name else "positive"
        for entry in entries or ():
            roles.setdefault(entry.get("uuid"), set()).add(role)
    # The host copies prompts with areas from one list to the other: those say nothing about either.
    sure = Names({uuid: next(iter(found)) for uuid, found in roles.items() if len(found) == 1})
    x, timestep, model_options, *rest = args
    return executor(x, timestep, _with_option(model_options, NAMES, sure), *rest, **kwargs)


def with_conds(executor: Executor, *args: Any, **kwargs: Any) -> Any:
    """CALC_COND_BATCH wrapper (model, conds, x, timestep, model_options): note areas, roles, windows."""
    if len(args) != 5:
        return executor(*args, **kwargs)
    model, conds, x, timestep, model_options = args
    facts = _facts(model, conds, x, timestep, model_options.get("transformer_options", {}))
    return executor(model, conds, x, timestep, _with_option(model_options, CONDS, facts), **kwargs)


def with_call(executor: Executor, *args: Any, **kwargs: Any) -> Any:
    """APPLY_MODEL wrapper: read the call's facts, and let sources make ready what layers will ask for."""
    given = next((a for a in (kwargs.get("transformer_options"), *args) if _is_options(a)), None)
    if given is None or not isinstance(args[0], torch.Tensor):
        return executor(*args, **kwargs)
    base_model: Any = getattr(executor, "class_obj", None)
    call = Call.read(given, args[0].shape, getattr(base_model, "diffusion_model", None))
    sites: Sequence[tuple[Layer, SiteKey]] = given.get(SITES, ())
    hidden = [site for site in sites if not hasattr(call.slots.get(site[0], {}).get(site[1]), "sources")]
    call.reached = set() if hidden else None
    if base_model is not None:
        for source in given.get(SOURCES, ()):
            source.prepare(call, args[0].device, base_model.get_dtype_inference())
    note(call, given.get(SOURCES, ()))
    options = with_hidden_noted({**given, CALL: call})
    if "transformer_options" in kwargs:
        kwargs["transformer_options"] = options
    kwargs |= arguments(given)
    result = executor(*(options if arg is given else arg for arg in args), **kwargs)
    lost = [site for site in hidden if site not in (call.reached or ())]
    if lost and _first_step(call, given):
        log.warning(
            "%d of %d attention layers do not see what Likeness put there: another node took their place "
            "in the MODEL. Connect the Likeness node after that node.",
            len(lost),
            len(sites),
        )
    return result


def _is_options(argument: Any) -> bool:
    return isinstance(argument, dict) and "cond_or_uncond" in argument


def _with_option(model_options: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of the host's model options with one more transformer option."""
    options = {**model_options.get("transformer_options", {}), key: value}
    return {**model_options, "transformer_options": options}


def _facts(model: Any, conds: Any, x: torch.Tensor, timestep: Any, options: Mapping[str, Any]) -> Conds:
    names: Names | None = options.get(NAMES)
    sampling = getattr(model, "model_sampling", None)
    height, width = int(x.shape[-2]), int(x.shape[-1])
    sides = [side or () for side in conds]
    entries = [(number, entry) for number, side in enumerate(sides) for entry in side if "uuid" in entry]
    facts = Conds(
        latent=(height, width),
        roles=tuple(_named(side, names) for side in sides),
        entries={
            (number, entry["uuid"]): Entry(_area(entry.get("area"), height, width), _length(entry))
            for number, entry in entries
        },
        batch=int(x.shape[0]),
        sampling=sampling,
        open=_open(options.get(SOURCES, ()), sampling, timestep),
        hooked=any(entry.get("hooks") is not None for _, entry in entries),
    )
    return _windowed(facts, x, options)


def _named(side: Sequence[Mapping[str, Any]], names: Names | None) -> Role | None:
    """What the guider calls this list of conditionings."""
    known = (names.roles.get(entry.get("uuid")) for entry in side) if names else iter(())
    return next((role for role in known if role), None)


def _open(sources: Sequence[Any], sampling: Any, timestep: Any) -> tuple[Span, ...] | None:
    """The spans of sources that hold now. The noise level is read only if somebody depends on it."""
    windows = {source.window for source in sources if not source.window.always}
    if sampling is None:
        return None
    if not windows:
        return ()
    sigma = float(timestep.flatten()[0])
    return tuple(sorted(window.span for window in windows if window.holds_at(sampling, sigma)))


def _length(entry: Mapping[str, Any]) -> int | None:
    """How many tokens a conditioning's prompt has."""
    prompt = getattr(entry.get("model_conds", {}).get("c_crossattn"), "cond", None)
    return int(prompt.shape[1]) if isinstance(prompt, torch.Tensor) else None


def _area(area: Any, height: int, width: int) -> Area | None:
    if area is None or len(area) != 4:
        return None
    h, w, top, left = (int(side) for side in area)
    return min(height - top, h), min(width - left, w), top, left


def _windowed(facts: Conds, x: torch.Tensor, options: Mapping[str, Any]) -> Conds:
    """The facts with what a context window shows, if this step is one: of the host's, or AnimateDiff's."""
    window, animate = options.get("context_window"), options.get("ad_params") or {}
    if x.ndim != 4:
        return facts
    if window is None:
        shown, total = animate.get("sub_idxs"), animate.get("full_length")
        if shown is None or len(shown) != len(x):
            return facts
        return replace(facts, pictures=numbers([int(n) for n in shown]), of=int(total or max(shown) + 1))
    anchor = getattr(window, "causal_anchor_index", None)
    # The host shows a window one line before it, too, and takes that off again.
    shown = [*([] if anchor is None or anchor < 0 else [anchor]), *window.index_list]
    if window.dim >= x.ndim or x.shape[window.dim] != len(shown):
        return facts  # of an earlier step: the host leaves it there
    found: Numbers = numbers([int(n) for n in shown])
    if window.dim == 0:
        return replace(facts, pictures=found, of=int(window.total_frames))
    height, width = facts.latent
    if window.dim == 2:
        return replace(facts, latent=(int(window.total_frames), width), part=Part(found, range(width)))
    return replace(facts, latent=(height, int(window.total_frames)), part=Part(range(height), found))


def _first_step(call: Call, options: Mapping[str, Any]) -> bool:
    schedule = options.get("sample_sigmas")
    return schedule is None or call.sigma is None or call.sigma >= float(schedule[0])
