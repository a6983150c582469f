"""Patch objects that let a diffusion model attend to more than its prompt.

One SitePatch sits in the host's slot of an attention layer and carries the injections of that
layer. Adding an identity makes new SitePatches on the cloned MODEL, so branches and re-runs never
share state. A patch of another pack that was in the slot first computes the base output.
Spec: design README "The attention engine", host_guide.md 4.2 to 4.6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .calls import CALL, Call, current_call, network_options, with_conds, with_names
from .sites import Layer, Site, SiteKey
from .sources import HIDDEN_WANTED, Attention, Place, Source, hidden_noted

log = logging.getLogger(__name__)

#: What a slot holds: called with projected q, k, v and the host's options.
Replacement = Callable[..., Tensor]
#: Another pack's part in a layer, and its settings.
Callback = tuple[Callable[..., Tensor], dict[str, Any]]

KEY = "likeness"
SITES = "likeness_sites"


@dataclass(frozen=True, eq=False)
class Injection:
    """One source at one site; index is the site's place among the source's layers."""

    source: Source
    index: int


class SitePatch:
    """What sits in the host's slot of one attention layer. Never changed by us once made."""

    def __init__(
        self,
        site: tuple[Layer, SiteKey],
        injections: tuple[Injection, ...],
        attention: Attention,
        base: Replacement | None = None,
        callbacks: tuple[Callback, ...] = (),
    ) -> None:
        self.site = site
        self.injections = injections
        self.attention = attention
        self.base = base
        self.callbacks = callbacks

    def with_injections(self, injections: tuple[Injection, ...]) -> SitePatch:
        return SitePatch(self.site, injections, self.attention, self.base, self.callbacks)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any]) -> Tensor:
        call = current_call(extra_options)
        call.reached.add(self.site)
        out = self._attend(len(self.injections), q, k, v, extra_options)
        for callback, options in self.callbacks:
            if call.sigma is None or options["sigma_end"] <= call.sigma <= options["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **options)
        return out

    def _attend(self, count: int, q: Tensor, k: Tensor, v: Tensor, options: Mapping[str, Any]) -> Tensor:
        """The layer with its first `count` injections."""
        call = current_call(options)
        layer, key = self.site
        # Packs that patch a whole block use the short key, which ours would hide.
        foreign = self.base or call.slots.get(layer, {}).get(key[:2])
        if count == 0:
            return (foreign or self.attention)(q, k, v, options)
        injection = self.injections[count - 1]
        inner = partial(self._attend, count - 1)
        place = Place(injection.index, call, options, alone=count == 1 and foreign is None)
        return injection.source.attend(inner, q, k, v, place)

    def add(self, callback: Callable[..., Tensor], **options: Any) -> None:
        """The protocol of the common IP-Adapter packs, which add themselves to what fills the slot.

        It changes this object, so every clone of a MODEL gets SitePatches of its own (`_on_clone`).
        """
        self.callbacks = (*self.callbacks, (callback, options))

    def to(self, device_or_dtype: torch.device | torch.dtype) -> SitePatch:
        """Called by the host, first with a device, then with a dtype; K and V follow the queries."""
        return self

    def models(self) -> list[Any]:
        models = getattr(self.base, "models", None)
        return list(models()) if models else []

    def cleanup(self) -> None:
        """Called by the host when sampling ends, in success, error or cancel."""
        for injection in self.injections:
            injection.source.cleanup()
        cleanup = getattr(self.base, "cleanup", None)
        if cleanup:
            cleanup()


def inject(
    model: Any,
    sites: tuple[Site, ...],
    source: Source,
    attention: Attention,
    layer: Layer = "attn2",
    hidden: bool = False,
) -> Any:
    """A clone of MODEL whose sites carry `source`, whose layers are in the order of the sites.

    attention computes what the layer would have computed alone. hidden: the source reads
    `sources.hidden_states` (attn2 only). The MODEL given is not changed.
    """
    model = model.clone()
    options = model.model_options["transformer_options"]
    slots = options.get("patches_replace", {}).get(layer, {})
    for index, site in enumerate(sites):
        injection = Injection(source, index)
        current = slots.get(site.key)
        if isinstance(current, SitePatch):
            patch = current.with_injections((*current.injections, injection))
        else:
            patch = SitePatch((layer, site.key), (injection,), attention, base=current)
        model.set_model_patch_replace(patch, layer, *site.key)
    announce(model, [(layer, site.key) for site in sites])
    if hidden:
        model.model_options["transformer_options"][HIDDEN_WANTED] = True
    return model


def announce(model: Any, sites: Sequence[tuple[Layer, SiteKey]]) -> None:
    """Note in a MODEL of our own which layers carry something of ours; hang the wrappers they need."""
    options = model.model_options["transformer_options"]
    options[SITES] = tuple(dict.fromkeys((*options.get(SITES, ()), *sites)))
    if model.get_wrappers("diffusion_model", KEY):
        return
    model.add_wrapper_with_key("predict_noise", KEY, with_names)
    model.add_wrapper_with_key("calc_cond_batch", KEY, with_conds)
    model.add_wrapper_with_key("diffusion_model", KEY, _network_call)
    model.add_callback_with_key("on_clone", KEY, _on_clone)


def _network_call(executor: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """DIFFUSION_MODEL wrapper: read the call's facts once, for all of its layers."""
    options = network_options(args, kwargs)
    if options is None:
        return executor(*args, **kwargs)
    call = options[CALL] = Call.read(options, getattr(executor, "class_obj", None))
    try:
        with hidden_noted(options):
            result = executor(*args, **kwargs)
    finally:
        del options[CALL]
    _warn_when_replaced(call, options)
    return result


def _warn_when_replaced(call: Call, options: Mapping[str, Any]) -> None:
    sites: tuple[tuple[Layer, SiteKey], ...] = options.get(SITES, ())
    lost = [
        (layer, key)
        for layer, key in sites
        if (layer, key) not in call.reached and not isinstance(call.slots.get(layer, {}).get(key), SitePatch)
    ]
    if lost and _first_step(call, options):
        log.warning(
            "%d of %d attention layers do not see what Likeness put there: another node took their place "
            "in the MODEL. Connect the Likeness node after that node.",
            len(lost),
            len(sites),
        )


def _first_step(call: Call, options: Mapping[str, Any]) -> bool:
    schedule = options.get("sample_sigmas")
    return schedule is None or call.sigma is None or call.sigma >= float(schedule[0])


def _on_clone(model: Any, clone: Any) -> None:
    """Clones get SitePatches of their own, so that `SitePatch.add` in one branch stays there."""
    replace = clone.model_options["transformer_options"].get("patches_replace", {})
    for slots in replace.values():
        for key, patch in slots.items():
            if isinstance(patch, SitePatch):
                slots[key] = patch.with_injections(patch.injections)
