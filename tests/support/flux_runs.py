"""FreeCure's node on a tiny Flux: branches, runs, and what each block was given and gave."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from .golden import relative_error
from .tiny_flux import flux_model, flux_prompt

HEIGHT, WIDTH = 96, 64
GRID = (HEIGHT // 16, WIDTH // 16)
#: Text tokens of a prompt, and those of the picture after them.
TEXT, TOKENS = 5, 5 + GRID[0] * GRID[1]
#: Every block of the tiny network, in the order of execution.
BLOCKS = [("double", 0), ("double", 1), ("single", 0), ("single", 1)]
STEPS = 2


class Identity:
    """Another pack's identity: in every block, values of the picture's tokens are turned towards a face."""

    def __call__(
        self, q: Any, k: Any, v: torch.Tensor, extra_options: dict[str, Any], **others: Any
    ) -> dict[str, torch.Tensor]:
        start = extra_options["img_slice"][0]
        face = torch.linspace(-1, 1, v.shape[-1]).to(v)
        return {"v": torch.cat([v[:, :, :start], v[:, :, start:] + face], dim=2)}


class Room:
    """A MODEL, the same with an identity, a mask in a corner of the picture, and the node."""

    def __init__(self, pack: Any, dtype: torch.dtype = torch.float32) -> None:
        self.pack = pack
        self.base = flux_model(dtype)
        self.personalised = self.base.clone()
        self.personalised.set_model_attn1_patch(Identity())
        self.mask = torch.zeros(1, HEIGHT, WIDTH)
        self.mask[:, : HEIGHT // 2, WIDTH // 4 :] = 1
        self.noise = torch.randn(1, 16, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(3))

    def guide(self, **inputs: Any) -> Any:
        given = {"personalised": self.personalised, "foundation": self.base, "mask": self.mask, "cfg": 1.0}
        given |= {"positive": flux_prompt(1), "negative": flux_prompt(2), "experimental": True}
        return self.pack.node("LikenessFreeCureGuider").execute(**{**given, **inputs})[0]

    def two_masks(self) -> torch.Tensor:
        """Of different sizes and in different places."""
        masks = torch.cat([self.mask, self.mask.flip(1)])
        masks[1, :, : WIDTH // 2] = 0
        return masks

    def watched(self, noise: torch.Tensor | None = None, **inputs: Any) -> tuple[Watch, Watch]:
        """(personalised, foundation) as one call of the guider shows them."""
        own, other = Watch(), Watch()
        personalised = own.on(inputs.pop("personalised", self.personalised))
        foundation = other.on(inputs.pop("foundation", self.base))
        guider = self.guide(personalised=personalised, foundation=foundation, **inputs)
        once(guider, self.noise if noise is None else noise)
        return own, other


def run(guider: Any, noise: torch.Tensor, sampler: Any = "euler", steps: int = STEPS, **more: Any) -> Any:
    import comfy.samplers

    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps)
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=11, **more)


def plain(model: Any, noise: torch.Tensor, cfg: float = 1.0, positive: Any = None, **more: Any) -> Any:
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or flux_prompt(1), flux_prompt(2))
    guider.set_cfg(cfg)
    return run(guider, noise, **more)


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    return relative_error(a, b) > 1e-4


class Watch:
    """What each block of a branch was given (after the identity) and what its attention gave."""

    def __init__(self) -> None:
        self.given: dict[Any, SimpleNamespace] = {}
        self.out: dict[Any, torch.Tensor] = {}

    def on(self, model: Any) -> Any:
        def before(q: Any, k: Any, v: Any, extra_options: Any = None, **_: Any) -> Any:
            text = extra_options["img_slice"][0]
            seen = SimpleNamespace(q=q.clone(), k=k.clone(), v=v.clone(), text=text)
            self.given[block_of(extra_options)] = seen
            return {}

        def after(out: torch.Tensor, extra_options: Any) -> torch.Tensor:
            self.out[block_of(extra_options)] = out.clone()
            return out

        model = model.clone()
        model.set_model_attn1_patch(before)
        model.set_model_attn1_output_patch(after)
        return model


def block_of(options: dict[str, Any]) -> tuple[str, int]:
    return options["block_type"], options["block_index"]


def once(guider: Any, noise: torch.Tensor, sigma: float = 0.7) -> None:
    """The guider called once."""
    import comfy.samplers

    def call(wrapped: Any, x: torch.Tensor, sigmas: Any, extra_args: Any = None, **_: Any) -> Any:
        return wrapped(x, sigmas[:1].expand(len(x)), **extra_args)

    sampler, sigmas = comfy.samplers.KSAMPLER(call), torch.tensor([sigma, 0.0])
    guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=0)


def on_grid(mask: torch.Tensor) -> torch.Tensor:
    return mask[:, ::16, ::16].flatten(1) > 0.5
