"""One call of the network through the host's whole sampling machinery."""

from __future__ import annotations

from typing import Any

import torch


def denoise(
    model: Any, positive: Any, negative: Any, x: torch.Tensor, sigma: float, cfg: float = 5.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """(positive, negative) denoised pictures at `sigma`; x is what the sampler holds there."""
    import comfy.samplers

    seen: dict[str, torch.Tensor] = {}
    model = model.clone()

    def keep(args: dict[str, Any]) -> torch.Tensor:
        seen.update(positive=args["cond_denoised"], negative=args["uncond_denoised"])
        return args["denoised"]

    def once(
        wrapped: Any, noisy: torch.Tensor, sigmas: torch.Tensor, extra_args: Any = None, **_: Any
    ) -> Any:
        return wrapped(x.to(noisy), sigmas[:1].expand(x.shape[0]), **(extra_args or {}))

    model.set_model_sampler_post_cfg_function(keep, disable_cfg1_optimization=cfg != 1.0)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    nothing = torch.zeros_like(x)
    sampler = comfy.samplers.KSAMPLER(once)
    guider.sample(nothing, nothing, sampler, torch.tensor([sigma, 0.0]), disable_pbar=True, seed=0)
    return seen["positive"], seen["negative"]


def sample(
    model: Any, positive: Any, negative: Any, noise: torch.Tensor, cfg: float = 5.0, steps: int = 3
) -> torch.Tensor:
    """A few Euler steps from `noise`, as KSampler runs them."""
    import comfy.samplers

    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=0)
