"""FreeCure's asymmetric prompt guidance: back to noise with one prompt, down again with another.

For expressions and other things no mask can hold. The finished picture is inverted with a template
prompt that says nothing of the attribute, and drawn again from there with a prompt that does.
Spec: pva_freecure_emojidiff.md B.3, stage 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ... import host
from ...sampling.inversion import Inversion, flipped, low_part, relative_error
from ...values import Conditioning, Latent
from .checks import check_deterministic

#: Called after each step of a stage with (step from 0, denoised, x, steps of the stage).
Callback = Callable[[int, Tensor, Tensor, int], None]
#: Called when a stage begins, with its number of steps; gives the callback of that stage.
Stages = Callable[[int], Callback]


@dataclass(frozen=True)
class RepairedExpression:
    """latent and inverted: LATENT dicts. steps: of either way. level: the highest noise level reached.

    estimated and measured: relative error of the way up and down with the template alone, or None.
    """

    latent: Latent
    inverted: Latent
    steps: int
    level: float
    estimated: float | None
    measured: float | None

    def report(self) -> str:
        """One or two sentences for the user."""
        known = {"measured": self.measured, "estimated": self.estimated}
        errors = [f"{100 * error:.3g} % {how}" for how, error in known.items() if error is not None]
        steps = f"{self.steps} step" + "s" * (self.steps != 1)
        return f"Inverted to noise level {self.level:.4g} in {steps}. Round trip error: " + (
            f"{', '.join(errors)}." if errors else "a single step has no estimate; switch measure on."
        )


def expression_steps(model: Any, sigmas: Tensor, gamma: float = 0.5, measure: bool = False) -> list[int]:
    """How many steps each stage of repair_expression will take, in their order.

    Raises ValueError as low_part does.
    """
    return [len(_part(model, sigmas, gamma)) - 1] * (3 if measure else 2)


def repair_expression(
    model: Any,
    latent: Latent,
    template: Conditioning,
    target: Conditioning,
    negative: Conditioning,
    sampler: Any,
    sigmas: Tensor,
    gamma: float = 0.5,
    cfg: float = 5.0,
    inversion_cfg: float = 1.0,
    refinements: int = 0,
    measure: bool = False,
    stage: Stages | None = None,
) -> RepairedExpression:
    """The picture of a LATENT, drawn again from half-way noise with the prompt target.

    model: the MODEL without the identity, U-Net or flow. template: the prompt without the attribute,
    for the way up, which is Euler's; target: with it, for the way down, by any sampler that adds no
    noise. sigmas: the whole schedule, of which the part below gamma is used. A noise_mask in the latent
    keeps what it leaves out. ControlNets guide both prompts or neither: without any in target, those of
    negative are left out. stage: for progress, without a bar of its own; the stages are inversion, with
    measure the way back with the template, and the repair. Raises ValueError, naming the input.
    """
    check_deterministic(sampler)
    part = _part(model, sigmas, gamma)
    inversion = Inversion(refinements)
    samples = host.sampling.latent_samples(model, _checked(latent))
    if not has_control(target):
        negative = without_control(negative)
    steps = len(part) - 1
    if stage is None:
        stage = host.running.StagedProgress(model, sum(expression_steps(model, sigmas, gamma, measure))).stage
    up = (host.sampling.KSAMPLER(inversion), flipped(part), samples)
    inverted = host.sampling.run_sampler(model, template, negative, inversion_cfg, *up, callback=stage(steps))
    measured = None
    if measure:
        up_and_down = (inversion_cfg, part, samples, inverted)
        measured = round_trip_error(model, template, negative, *up_and_down, callback=stage(steps))
    down = _way_down(model, samples, inverted, part[0], latent.get("noise_mask"))
    repaired = host.sampling.run_sampler(
        model, target, negative, cfg, sampler, part, **down, callback=stage(steps)
    )
    kept = {key: value for key, value in latent.items() if key not in host.sampling.LATENT_SHAPE_FACTS}
    # Whoever samples on from the noise would have the mask keep noise, not the picture.
    noisy = {key: value for key, value in kept.items() if key != "noise_mask"}
    return RepairedExpression(
        latent={**kept, "samples": repaired},
        inverted={**noisy, "samples": inverted},
        steps=steps,
        level=float(part[0]),
        estimated=inversion.estimate,
        measured=measured,
    )


def has_control(conditioning: Conditioning) -> bool:
    """Whether a ControlNet hangs on a CONDITIONING."""
    return any(facts.get("control") is not None for _, facts in conditioning)


def without_control(conditioning: Conditioning) -> Conditioning:
    """A CONDITIONING's text alone: with a ControlNet on one prompt, cfg would push away from its pose."""
    if not has_control(conditioning):
        return conditioning
    left_out = ("control", "control_apply_to_uncond")
    return [[text, {k: v for k, v in facts.items() if k not in left_out}] for text, facts in conditioning]


def round_trip_error(
    model: Any,
    template: Conditioning,
    negative: Conditioning,
    cfg: float,
    part: Tensor,
    samples: Tensor,
    inverted: Tensor,
    callback: Callback | None = None,
) -> float:
    """What an inversion of samples [B, C, ...] lost: Euler's way back from inverted, with the same prompt.

    part: the descending schedule of that inversion. Relative L2 error, of the worst picture.
    """
    euler = host.sampling.sampler_object("euler")
    back = host.sampling.run_sampler(model, template, negative, cfg, euler, part, inverted, callback=callback)
    return relative_error(back, samples)


def _way_down(
    model: Any, samples: Tensor, inverted: Tensor, level: Tensor, mask: Tensor | None
) -> dict[str, Any]:
    """What the repair begins with, for host.run_sampler."""
    if mask is None:
        return {"samples": inverted}
    # The host fills what the mask keeps with latent and noise at every step: give it both apart.
    noise = host.sampling.noise_between(model, samples, inverted, level)
    return {"samples": samples, "noise": noise, "mask": mask}


def _part(model: Any, sigmas: Tensor, gamma: float) -> Tensor:
    return low_part(sigmas, gamma, host.sampling.noise_level(model, gamma))


def _checked(latent: Latent) -> Latent:
    samples = latent["samples"]
    if getattr(samples, "is_nested", False):
        raise ValueError(
            "latent holds several latents in one, such as video with sound. The expression of one picture "
            "latent, or a batch of them, can be repaired."
        )
    empty = [i for i, picture in enumerate(samples) if torch.count_nonzero(picture) == 0]
    if empty:
        raise ValueError(
            f"latent: picture {empty[0] + 1} of {len(samples)} is empty (all zeros). Connect the finished "
            "picture: the latent of a sampler, or VAE Encode."
        )
    return latent
