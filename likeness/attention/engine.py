"""Patch objects that let a diffusion model attend to more than its prompt.

One SitePatch sits in the host's slot of an attention layer and carries the sources of that layer. Adding
one makes new SitePatches on the cloned MODEL, so branches and re-runs never share state. A layer is computed
once, with the keys of all that lengthen it; then what sources add is added. A patch of another pack that was
in the slot computes the base output. Spec: design README "The attention engine", host_guide.md 4.2 to 4.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .. import host
from .calls import current_call
from .compiled import look
from .extended import Replacement, extended
from .hidden import HIDDEN_WANTED
from .sites import Layer, Site, SiteKey
from .sources import Adds, Attention, Extra, Lengthens, Place, Rows, Source
from .wrappers import KEY, SITES, SOURCES, with_call, with_conds, with_names

#: Another pack's part in a layer, and its settings.
Callback = tuple[Callable[..., Tensor], dict[str, Any]]


class SitePatch:
    """What sits in the host's slot of one attention layer. Never changed by us once made."""

    def __init__(
        self,
        site: tuple[Layer, SiteKey],
        sources: tuple[Source, ...],
        attention: Attention,
        base: Replacement | None = None,
        callbacks: tuple[Callback, ...] = (),
    ) -> None:
        self.site = site
        self.sources = sources
        self.attention = attention
        self.base = base
        self.callbacks = callbacks
        self._adds = tuple(source for source in sources if isinstance(source, Adds))
        self._lengthens = tuple(source for source in sources if isinstance(source, Lengthens))

    def with_sources(self, sources: tuple[Source, ...]) -> SitePatch:
        return SitePatch(self.site, sources, self.attention, self.base, self.callbacks)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any]) -> Tensor:
        look()
        call = current_call(extra_options)
        if call.reached is not None:
            call.reached.add(self.site)
        place = Place(self.site[1], call, extra_options)
        rows = self._base(Rows(q, k, v), place)
        out = rows.out
        for source in self._adds:
            if source.window.holds(call):
                out = _added(source, out, rows, place)
        for callback, options in self.callbacks:
            if call.sigma is None or options["sigma_end"] <= call.sigma <= options["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **options)
        return out

    def _base(self, rows: Rows, place: Place) -> Rows:
        """Rows with the layer's output for them: each role's with what lengthens its keys."""
        layer, key = self.site
        # Packs that patch a whole block use the short key, which ours would hide.
        foreign = self.base or place.call.slots.get(layer, {}).get(key[:2])
        extras = [
            (start, stop, self._extras(rows, place, start, stop))
            for start, stop in (place.call.runs if self._lengthens else ())
        ]
        if not any(found for _, _, found in extras):
            out = (foreign or self.attention)(rows.q, rows.k, rows.v, place.options)
            return replace(rows, made=out, own=foreign is None)
        count, parts = len(place.call.views), []
        for start, stop, found in extras:
            part, where = rows.part(start, stop, count), place.part(start, stop)
            parts.append(extended(foreign, self.attention, part, found, where))
        seen = tuple(tuple(found) for start, stop, found in extras for _ in range(start, stop))
        own = foreign is None and all(extra.share == 1 for found in seen for extra in found)
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return replace(rows, made=out, own=own, extras=seen if own else ())

    def _extras(self, rows: Rows, place: Place, start: int, stop: int) -> list[Extra]:
        views = place.call.views
        part, where = rows.part(start, stop, len(views)), place.part(start, stop)
        asked = [s.extra(views[start], part, where) for s in self._lengthens if s.window.holds(place.call)]
        return [extra for extra in asked if extra is not None and extra.share != 0 and extra.keys.shape[1]]

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
        for source in self.sources:
            source.cleanup()
        cleanup = getattr(self.base, "cleanup", None)
        if cleanup:
            cleanup()


def _added(source: Adds, out: Tensor, rows: Rows, place: Place) -> Tensor:
    """The output with what a source changes of the rows of its roles."""
    views, every = place.call.views, place.call.runs
    looking = [run for run in every if views[run[0]].role in source.roles]
    if len(looking) == len(every) and not rows.extras:
        return torch.add(out, source.change(rows, place), alpha=source.weight)
    result = out.clone() if looking else out
    for start, stop in looking:
        part = rows.part(start, stop, len(views))
        part.cut(result).add_(source.change(part, place.part(start, stop)), alpha=source.weight)
    return result


def inject(
    model: Any, sites: tuple[Site, ...], source: Source, layer: Layer = "attn2", hidden: bool = False
) -> Any:
    """A clone of MODEL whose sites carry `source`.

    hidden: the source reads `hidden.hidden_states` (attn2 only). The MODEL given is not changed.
    """
    model = model.clone()
    options = model.model_options["transformer_options"]
    slots = options.get("patches_replace", {}).get(layer, {})
    for site in sites:
        current = slots.get(site.key)
        if isinstance(current, SitePatch):
            patch = current.with_sources((*current.sources, source))
        else:
            patch = SitePatch((layer, site.key), (source,), host.attention.base_attention, base=current)
        model.set_model_patch_replace(patch, layer, *site.key)
    announce(model, [(layer, site.key) for site in sites], source)
    if hidden:
        model.model_options["transformer_options"][HIDDEN_WANTED] = True
    return model


def announce(model: Any, sites: Sequence[tuple[Layer, SiteKey]], source: Source) -> None:
    """Note in a MODEL of our own what carries something of ours; hang the wrappers on it that layers need."""
    options = model.model_options["transformer_options"]
    options[SITES] = tuple(dict.fromkeys((*options.get(SITES, ()), *sites)))
    options[SOURCES] = (*options.get(SOURCES, ()), source)
    if model.get_wrappers("apply_model", KEY):
        return
    model.add_wrapper_with_key("predict_noise", KEY, with_names)
    model.add_wrapper_with_key("calc_cond_batch", KEY, with_conds)
    model.add_wrapper_with_key("apply_model", KEY, with_call)
    model.add_callback_with_key("on_clone", KEY, _on_clone)


def _on_clone(model: Any, clone: Any) -> None:
    """Clones get SitePatches of their own, so that `SitePatch.add` in one branch stays there."""
    replaced = clone.model_options["transformer_options"].get("patches_replace", {})
    for slots in replaced.values():
        for key, patch in slots.items():
            if isinstance(patch, SitePatch):
                slots[key] = patch.with_sources(patch.sources)
