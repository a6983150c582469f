"""The host's sampling code, and what a second MODEL needs to run in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import comfy.hooks
import comfy.model_management as model_management
import comfy.patcher_extension as patcher_extension
import comfy.sample
import comfy.utils
import latent_preview
import torch
from comfy.controlnet import ControlBase
from comfy.model_sampling import CONST
from comfy.sampler_helpers import get_additional_models
from comfy.samplers import (
    KSAMPLER,
    SAMPLER_NAMES,
    SCHEDULER_NAMES,
    CFGGuider,
    calc_cond_batch,
    sampler_object,
)

__all__ = [
    "KSAMPLER",
    "LATENT_SHAPE_FACTS",
    "SAMPLER_NAMES",
    "SCHEDULER_NAMES",
    "CFGGuider",
    "ControlBase",
    "calc_cond_batch",
    "decode",
    "encode",
    "fitted",
    "hooks_for",
    "inpaints",
    "latent_encoder",
    "latent_samples",
    "models_of_conds",
    "noise_between",
    "noise_level",
    "random_draws_put_back",
    "run_guider",
    "run_sampler",
    "sample",
    "sampler_object",
    "through_step_wrappers",
    "with_hole",
]

#: What an empty LATENT says of itself; no longer true of the one that a sampler makes of it.
LATENT_SHAPE_FACTS = ("downscale_ratio_spacial", "downscale_ratio_temporal")


def run_guider(
    guider: Any,
    noise: Any,
    sampler: Any,
    sigmas: torch.Tensor,
    latent: dict[str, Any],
    callback: Callable[..., None],
) -> dict[str, Any]:
    """What SamplerCustomAdvanced does with a GUIDER, NOISE, SAMPLER, SIGMAS and LATENT: another LATENT."""
    latent = dict(latent)
    ratios = [latent.pop(name, None) for name in LATENT_SHAPE_FACTS]
    latent["samples"] = comfy.sample.fix_empty_latent_channels(
        guider.model_patcher, latent["samples"], *ratios
    )
    samples = guider.sample(
        noise.generate_noise(latent),
        latent["samples"],
        sampler,
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=callback,
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=noise.seed,
    )
    return {**latent, "samples": samples.to(model_management.intermediate_device())}


def decode(vae: Any, latent: dict[str, Any]) -> torch.Tensor:
    """The pictures of a LATENT, [B, H, W, 3]."""
    images: torch.Tensor = vae.decode(latent["samples"])
    return images.flatten(0, 1) if images.ndim == 5 else images


def encode(vae: Any, images: torch.Tensor) -> torch.Tensor:
    """The latents of pictures [B, H, W, 3], as VAE Encode gives them."""
    latents: torch.Tensor = vae.encode(images[..., :3])
    return latents


def inpaints(model: Any) -> bool:
    """Whether a MODEL is an inpainting one, whose network wants to see the mask and what is around the
    hole.
    """
    return "mask" in model.model.concat_keys


def with_hole(
    positive: Any, negative: Any, vae: Any, images: torch.Tensor, hole: torch.Tensor
) -> tuple[Any, Any]:
    """Both prompts with the facts that Inpaint Model Conditioning adds for a picture and a hole in it.

    images [B, H, W, 3], sides multiples of 8. hole [B, H, W]: 1 where to draw; mid-grey stands there.
    """
    known = (1.0 - hole.round())[..., None]
    facts = {
        "concat_latent_image": encode(vae, (images[..., :3] - 0.5) * known + 0.5),
        "concat_mask": hole[:, None],
    }
    first, second = ([[words, {**own, **facts}] for words, own in side] for side in (positive, negative))
    return first, second


def latent_encoder(model: Any, vae: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Pictures [B, H, W, 3] -> latents [B, C, h, w] at the size that MODEL's network knows them."""
    latent_format = model.get_model_object("latent_format")

    def encode(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            latents: torch.Tensor = latent_format.process_in(vae.encode(images))
        return latents

    return encode


def sample(
    model: Any,
    positive: Any,
    negative: Any,
    latent: torch.Tensor,
    *,
    seed: int,
    steps: int,
    cfg: float,
    sampler: str,
    scheduler: str,
    start_step: int = 0,
    denoise: float = 1.0,
    mask: torch.Tensor | None = None,
    callback: Callable[..., None] | None = None,
) -> torch.Tensor:
    """What KSampler makes of a latent [B, C, H, W], with its noise and its previews, from start_step on.

    mask [B, 1, h, w]: the latent's noise mask, at any size. callback: in the place of the host's own
    progress.
    """
    latent = comfy.sample.fix_empty_latent_channels(model, latent)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
    result: torch.Tensor = comfy.sample.sample(
        model,
        noise.to(latent.dtype),
        steps,
        cfg,
        sampler,
        scheduler,
        positive,
        negative,
        latent,
        start_step=start_step,
        denoise=denoise,
        noise_mask=mask,
        callback=callback or latent_preview.prepare_callback(model, steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return result


def models_of_conds(conds: dict[str, list[dict[str, Any]]], dtype: torch.dtype) -> list[Any]:
    """The MODELs that the conditionings of a guider bring with them, such as ControlNets."""
    models: list[Any] = get_additional_models(conds, dtype)[0]
    return models


def through_step_wrappers(
    step: Callable[..., Any], guider: Any, options: dict[str, Any], x: torch.Tensor, timestep: torch.Tensor
) -> Any:
    """step(x, timestep, options, seed) inside of what the options wrap around a guider's step."""
    wrappers = patcher_extension.get_all_wrappers(
        patcher_extension.WrappersMP.PREDICT_NOISE, options, is_model_options=True
    )
    executor = patcher_extension.WrapperExecutor.new_class_executor(step, guider, wrappers)
    return executor.execute(x, timestep, options, None)


def random_draws_put_back(device: torch.device) -> AbstractContextManager[None]:
    """Whoever draws without a seed of its own (churn, token merging) draws the same again afterwards."""
    cards = [device] if device.type == "cuda" else []
    made: AbstractContextManager[None] = torch.random.fork_rng(cards)
    return made


def hooks_for(wrappers: Mapping[str, Callable[..., Any]], others: Sequence[Any] = ()) -> Any:
    """Hooks of a ControlNet: wrappers by the host's kind, run wherever its prompt is sampled; and others."""
    named = {kind: {"likeness_control": [wrapper]} for kind, wrapper in wrappers.items()}
    own = comfy.hooks.HookGroup()
    hook = comfy.hooks.TransformerOptionsHook(transformers_dict={"wrappers": named})
    hook.hook_ref = "likeness_control"  # all of them are one: the host registers it once
    own.add(hook)
    return comfy.hooks.HookGroup.combine_all_hooks([own, *others])


def fitted(hint: torch.Tensor, latent: tuple[int, int], algorithm: str) -> torch.Tensor:
    """A ControlNet's picture [B, C, H, W] as the host brings it to the size of a latent (height, width)."""
    height, width = (side * 8 for side in latent)
    fitting: torch.Tensor = comfy.utils.common_upscale(hint, width, height, algorithm, "center")
    return fitting


def latent_samples(model: Any, latent: dict[str, Any]) -> torch.Tensor:
    """The tensor of a LATENT with the dimensions that MODEL wants (a video model: one of time)."""
    samples: torch.Tensor = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    return samples


def run_sampler(
    model: Any,
    positive: Any,
    negative: Any,
    cfg: float,
    sampler: Any,
    sigmas: torch.Tensor,
    samples: torch.Tensor,
    noise: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    callback: Any = None,
) -> torch.Tensor:
    """What Sampler Custom Advanced makes of a latent [B, C, ...], with Disable Noise if noise is None."""
    guider = CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    if noise is None:
        noise = torch.zeros(samples.shape, dtype=samples.dtype)
    quiet = not comfy.utils.PROGRESS_BAR_ENABLED
    made: torch.Tensor = guider.sample(noise, samples, sampler, sigmas, mask, callback, quiet, seed=0)
    return made.to(model_management.intermediate_device())


def noise_level(model: Any, part: float) -> float | None:
    """The sigma of MODEL at timestep part * 1000 of its training, part < 1; None for a flow model."""
    sampling = model.get_model_object("model_sampling")
    if isinstance(sampling, CONST):
        return None
    # The host counts 1000 timesteps from 0 to 999, and its percent from the noisy end.
    return float(sampling.percent_to_sigma(1 - part * 1000 / 999))


def noise_between(model: Any, clean: torch.Tensor, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The noise [B, C, ...] that makes the host's sampler begin at the latent noisy, given clean.

    noisy: as a sampler that stopped at sigma gave it.
    """
    sampling, latent_format = (model.get_model_object(name) for name in ("model_sampling", "latent_format"))
    clean, noisy = (latent_format.process_in(t.to(noisy.device).float()) for t in (clean, noisy))
    zero, one = torch.zeros_like(clean), torch.ones_like(clean)
    begin = sampling.noise_scaling(sigma, zero, noisy)
    rest = begin - sampling.noise_scaling(sigma, zero, clean)
    noise: torch.Tensor = rest / sampling.noise_scaling(sigma, one, zero)
    return noise
