"""Sampling with and without an identity."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks import network
from benchmarks.measure import best_of, ratios
from likeness import host
from likeness.attention.adds import AddedAttention, KeysValues, project
from likeness.attention.engine import inject
from likeness.attention.sites import SDXL_KEYS, numbered
from likeness.attention.use import Use, Window
from likeness.methods import instantid

LATENT = 64


def rows() -> list[tuple[str, str]]:
    room = network.room()
    plain = best_of(5, one_step(room.model, room.prompt, room.prompt))[0]
    ours, again, controlled = _step_ratios(room)
    narrow = _narrow_ratio()
    applied, reapplied = _apply_times(room)
    kept, dropped = _sdxl_bytes()
    projected = _sdxl_projection()
    return [
        ("one sampling step with an identity, over the plain model", ours),
        ("the same, projecting keys and values anew in every layer", again),
        ("one sampling step with identity, network 32 wide, over the plain model", narrow),
        ("one sampling step with identity and ControlNet", controlled),
        ("a plain step, for scale", f"{plain * 1e3:.0f} ms"),
        ("Apply InstantID, tiny SDXL, first run", f"{applied * 1e3:.1f} ms"),
        ("Apply InstantID, tiny SDXL, same identity again", f"{reapplied * 1e3:.1f} ms"),
        ("projecting keys and values of the real SDXL adapter (fp16 file), once", f"{projected:.2f} s"),
        ("kept on the device for SDXL, fp16", f"{kept / 1e6:.2f} MB instead of {dropped / 1e6:.0f} MB"),
    ]


def _step_ratios(room: SimpleNamespace) -> list[str]:
    ours, _, _ = _applied(room, instantid.Strengths(Use(0.8)))
    tokens = instantid.identity_tokens(room.adapter, room.identity)
    source = _ProjectedAnew(tokens.both, room.adapter.layers.pairs, room.sites)
    anew = inject(room.model, room.sites, source)
    size = LATENT * 8
    hint = torch.rand(1, size, size, 3, generator=torch.Generator().manual_seed(2))
    controlled = _applied(room, instantid.Strengths(Use(0.8)), room.control(), hint)
    plain = (room.model, room.prompt, room.prompt)
    samplers = [one_step(*c) for c in (plain, (ours, *plain[1:]), (anew, *plain[1:]), controlled)]
    return ratios(15, *samplers)


def _narrow_ratio() -> str:
    room = network.room(narrow=True)
    ours, _, _ = _applied(room, instantid.Strengths(Use(0.8)))
    return ratios(60, *(one_step(model, room.prompt, room.prompt) for model in (room.model, ours)))[0]


def _applied(room: SimpleNamespace, settings: Any, control_net: Any = None, keypoints: Any = None) -> Any:
    return instantid.apply(
        room.model, room.adapter, room.identity, room.prompt, room.prompt, settings, control_net, keypoints
    )


def one_step(model: Any, positive: Any, negative: Any) -> Any:
    """One Euler step with guidance through the host's sampling code."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(5.0)
    noise = torch.randn(1, 4, LATENT, LATENT, generator=torch.Generator().manual_seed(1))
    sigmas, empty = torch.tensor([10.0, 0.0]), torch.zeros_like(noise)
    sampler = comfy.samplers.sampler_object("euler")
    return lambda: guider.sample(noise, empty, sampler, sigmas, disable_pbar=True, seed=0)


class _ProjectedAnew(AddedAttention):
    """What costs when nothing is kept: two more matrix products per layer, step and prompt."""

    def __init__(self, tokens: torch.Tensor, pairs: Any, sites: Any) -> None:
        kept, always = project(tokens, pairs), Window(0.0, 1.0)
        super().__init__(kept, numbered(sites), 0.8, always, None, host.attention.narrow_attention)
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "pairs", pairs)

    def change(self, rows: Any, place: Any) -> torch.Tensor:
        to_k, to_v = self.pairs[self.numbers[place.site]]  # type: ignore[attr-defined]
        keys = F.linear(self.tokens, to_k)  # type: ignore[attr-defined]
        values = F.linear(self.tokens, to_v)  # type: ignore[attr-defined]
        return self.attention(rows.q, keys, values, place.options)


def _apply_times(room: SimpleNamespace) -> list[float]:
    def fresh() -> None:
        room.adapter.layers._projected.clear()
        _applied(room, instantid.Strengths(Use(0.8)))

    return best_of(10, fresh, lambda: _applied(room, instantid.Strengths(Use(0.8))))


def _sdxl_hidden() -> list[int]:
    """Widths of SDXL's 70 layers: the blocks with two transformers are 640 wide, the others 1280."""
    shallow = {("input", 4), ("input", 5), ("output", 3), ("output", 4), ("output", 5)}
    return [640 if key[:2] in shallow else 1280 for key in SDXL_KEYS]


def _sdxl_bytes() -> tuple[int, int]:
    hidden = _sdxl_hidden()
    shapes = [(2, 16, width) for width in hidden]
    total = 2 * sum(r * t * h for r, t, h in shapes)
    kept = KeysValues(torch.empty(total, device="meta"), shapes)
    return kept.bytes(torch.float16), 2 * 2 * 2048 * sum(hidden)


def _sdxl_projection() -> float:
    generator = torch.Generator().manual_seed(0)
    distinct = {h: torch.randn(h, 2048, generator=generator).half() for h in (640, 1280)}
    pairs = [(distinct[h], distinct[h]) for h in _sdxl_hidden()]
    tokens = torch.randn(2, 16, 2048, generator=generator)
    return best_of(2, lambda: project(tokens, pairs))[0]
