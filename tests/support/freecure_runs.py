"""FreeCure's node on the tiny SDXL of InstantID's golden, and runs of guiders in the real host."""

from __future__ import annotations

from typing import Any

import torch

from . import instantid_files
from .golden import Golden, relative_error

GOLDEN = Golden("instantid")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]
STEPS = 2


class Room:
    """A float64 MODEL, the same with an identity, a mask in a corner of the picture, and the node."""

    def __init__(self, pack: Any, height: int = HEIGHT, width: int = WIDTH) -> None:
        self.pack = pack
        self.base = GOLDEN.model(dtype=torch.float64)
        sites = pack.module("likeness.attention.sites").attention_sites(self.base.model.diffusion_model)
        words = GOLDEN.meta["unet_config"]["context_dim"]
        content = instantid_files.adapter((site.hidden for site in sites), words, GOLDEN.meta["resampler"])
        self.adapter = pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")
        self.identity = pack.module("likeness.values").Identity(GOLDEN["in.face_embedding"], "glintr100")
        self.positive, self.negative = (GOLDEN.conditioning(side) for side in ("positive", "negative"))
        self.personalised = self.with_identity()
        self.mask = torch.zeros(1, height, width)
        self.mask[:, : height // 2, width // 4 :] = 1
        generator = torch.Generator().manual_seed(3)
        self.noise = torch.randn(1, 4, height // 8, width // 8, generator=generator)
        self.freecure = pack.module("likeness.methods.freecure.repair")
        self.layers = pack.module("likeness.methods.freecure.layers")

    def with_identity(self, model: Any = None, empty: bool = False) -> Any:
        given = {"instantid": self.adapter, "positive": self.positive, "negative": self.negative}
        given |= {"identity": self.identity, "empty_identity": empty, "weight": 1.0}
        return self.pack.node("LikenessApplyInstantID").execute(model=model or self.base, **given)[0]

    def given(self, **inputs: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"personalised": self.personalised, "foundation": self.base, "cfg": 5.0}
        given |= {"positive": self.positive, "negative": self.negative, "mask": self.mask}
        return {**given, "layers": "all_up", **inputs}

    def guide(self, **inputs: Any) -> Any:
        return self.pack.node("LikenessFreeCureGuider").execute(**self.given(**inputs))[0]


def run(guider: Any, noise: torch.Tensor, sampler: Any = "euler", steps: int = STEPS, **more: Any) -> Any:
    import comfy.samplers

    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    latent = more.pop("latent", torch.zeros_like(noise))
    sigmas = schedule(guider.model_patcher, steps)
    return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=11, **more)


def schedule(model: Any, steps: int) -> torch.Tensor:
    import comfy.samplers

    sampling = model.get_model_object("model_sampling")
    sigmas: torch.Tensor = comfy.samplers.calculate_sigmas(sampling, "normal", steps)
    return sigmas


def plain(room: Room, model: Any, noise: torch.Tensor, cfg: float = 5.0, **more: Any) -> torch.Tensor:
    """A run of the host's own guider."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(room.positive, room.negative)
    guider.set_cfg(cfg)
    drawn: torch.Tensor = run(guider, noise, **more)
    return drawn


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    return relative_error(a, b) > 1e-4
