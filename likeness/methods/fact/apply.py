"""Putting FACT into a MODEL. Spec: fact_wplus.md A.2, A.3."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch

from ... import host
from ...adapters import Adapter, Tokens, attend, kind_of
from ...attention.sites import Site, attention_module
from ...attention.use import Use

log = logging.getLogger(__name__)


def apply(model: Any, adapter: Adapter, tokens: Tokens, use: Use) -> Any:
    """A clone of MODEL that draws the person; MODEL itself when there is nothing to do.

    use.weight multiplies both gates of each block: 0.5 is what the authors set. Norms that the file brings go
    into the weights, as in the authors' code: whatever weight, start, end and mask are. Raises ValueError for
    a MODEL that the adapter was not made for, or tokens of another adapter.
    """
    if use.weight < 0:
        raise ValueError(f"weight is {use.weight}: it can't be less than 0, where the person has no part.")
    gates: Any = adapter.layers
    fitting = replace(adapter, layers=gates.kept_in(model.model.get_dtype_inference()))
    return _with_norms(attend(model, fitting, tokens, use), adapter)


def _with_norms(model: Any, adapter: Adapter) -> Any:
    """MODEL with the file's norms before the text, where it has some that are not the model's own."""
    gates: Any = adapter.layers
    if not gates.norms:
        log.info("%s brings no norms before the text (17 tensors in each layer).", adapter.name)
        return model
    network = model.model.diffusion_model
    sites, _ = gates.match(network, kind_of(model), adapter.words.needs)
    wanted = {
        f"{name}.{part}": value
        for name, norm in zip(_names(network, sites), gates.norms, strict=True)
        for part, value in zip(("weight", "bias"), norm, strict=True)
    }
    own = host.loading.own_weights(model, list(wanted))
    same = all(_same(value, own[name]) for name, value in wanted.items())
    if same and not host.loading.are_set(model, list(wanted)):
        log.info("%s brings norms before the text (19 tensors in each layer): the model's own.", adapter.name)
        return model
    log.info(
        "%s brings norms before the text (19 tensors in each layer) that are not the model's: they take "
        "their place, at any weight.",
        adapter.name,
    )
    return host.loading.set_weights(model, wanted)


def _names(network: torch.nn.Module, sites: tuple[Site, ...]) -> list[str]:
    """What the host's U-Net calls norm2 of each block."""
    names = {id(module): name for name, module in network.named_modules()}
    found = (names[id(attention_module(network, site.key, "attn2"))] for site in sites)
    return [f"{name.removesuffix('.attn2')}.norm2" for name in found]


def _same(given: torch.Tensor, own: torch.Tensor) -> bool:
    return torch.equal(given.to("cpu", own.dtype), own.cpu())
