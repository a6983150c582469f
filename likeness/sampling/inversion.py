"""Deterministic inversion: from a picture to the noise that a prompt leads back from. Spec: B.3, stage 3."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..choices.freecure import LARGEST_GAMMA, LEAST_GAMMA

#: Where the way up begins, as the host's Flip Sigmas has it: at 0 a denoiser cannot be asked.
FIRST_SIGMA = 1e-4
#: From here on a flow model's latent, which the host divides by 1 - sigma, is nothing but noise.
PURE_NOISE = 0.999


def low_part(sigmas: Tensor, gamma: float, level: float | None) -> Tensor:
    """The last steps [M] of a whole schedule [N], which ends at 0: those below gamma.

    level: the noise level at gamma, for models that add noise; None for a flow model, whose part is
    found by counting steps, so that a shift of the schedule is kept, without any step of a flow that
    begins at pure noise: nothing of the picture is left there. Raises ValueError, naming sigmas or gamma.
    """
    if not LEAST_GAMMA <= gamma <= LARGEST_GAMMA:
        raise ValueError(f"gamma must be from {LEAST_GAMMA} to {LARGEST_GAMMA}, not {gamma}.")
    _check_schedule(sigmas)
    steps = len(sigmas) - 1
    if level is None:
        if sigmas[0] > 1 + 1e-5:
            raise ValueError(
                f"sigmas begin at {float(sigmas[0]):.4g}, but model is a flow model, with noise levels from "
                "1 to 0. Use Basic Scheduler with this model."
            )
        first = max(int((sigmas > PURE_NOISE).sum()), round((1 - gamma) * steps))
    else:
        # The tolerance is for a schedule that has a step exactly there, rounded another way.
        first = int((sigmas > level * (1 + 1e-5)).sum())
    if first >= steps:
        where = "" if level is None else f" (noise level {level:.4g}; the lowest step is {sigmas[-2]:.4g})"
        raise ValueError(
            f"sigmas: none of the {steps} steps is in the part that gamma {gamma} leaves{where}. Use more "
            "steps or a larger gamma."
        )
    return sigmas[first:]


def _check_schedule(sigmas: Tensor) -> None:
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise ValueError(
            f"sigmas must be a list of noise levels with one step or more, not of shape {list(sigmas.shape)}."
        )
    if not torch.isfinite(sigmas).all() or (sigmas.diff() > 0).any():
        raise ValueError(
            "sigmas must fall from step to step. Connect the schedule as for drawing: the repair flips it."
        )
    if sigmas[-1] != 0:
        raise ValueError(
            f"sigmas must end at 0, but end at {float(sigmas[-1]):.4g}. Connect the whole schedule, not a "
            "split one."
        )


def flipped(part: Tensor) -> Tensor:
    """A part of a schedule as the inversion takes it, ascending; a new tensor."""
    ascending = part.flip(0)
    if ascending[0] == 0:
        ascending[0] = FIRST_SIGMA
    return ascending


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """L2 norm of the difference over that of wanted [B, ...], of the worst picture in the batch."""
    found, wanted = found.flatten(1).float(), wanted.to(found.device).flatten(1).float()
    return float(((found - wanted).norm(dim=1) / wanted.norm(dim=1)).max())


class Inversion:
    """A sampler function, for the host's KSAMPLER: Euler's steps up an ascending schedule, without noise.

    With 0 refinements it is bit by bit the host's `euler` on that schedule. Each refinement takes every
    step again with the prediction found at its end, for one more call of the network a step; that
    converges to the step which Euler's way down undoes.

    After a run, estimate is the relative error that Euler's way down to 0 would leave, of the worst
    picture: what the predictions of neighbouring steps differ by, added up. It costs no call. None
    after a single step, which has no neighbour.
    """

    def __init__(self, refinements: int = 0) -> None:
        if refinements < 0:
            raise ValueError(f"refinements must be 0 or more, not {refinements}.")
        self.refinements = refinements
        self.estimate: float | None = None

    @torch.no_grad()
    def __call__(
        self,
        model: Callable[..., Tensor],
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any] | None = None,
        callback: Callable[[dict[str, Any]], None] | None = None,
        disable: bool | None = None,
    ) -> Tensor:
        """x [B, ...] at sigmas[0], taken up to sigmas[-1]; model(x, sigma [B]) gives the clean picture."""
        options, rows = extra_args or {}, x.new_ones([x.shape[0]])
        picture, misses = x, _Misses(sigmas[0])
        for i, (sigma, following) in enumerate(pairwise(sigmas)):
            denoised = model(x, sigma * rows, **options)
            slope = _slope(x, sigma, denoised)
            misses.arrive(slope)
            if callback is not None:
                callback({"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
            step, change = following - sigma, None
            for _ in range(self.refinements):
                ahead, before = x + slope * step, slope
                slope = _slope(ahead, following, model(ahead, following * rows, **options))
                change = (before - slope) * step
            x = x + slope * step
            misses.leave(step, slope, change)
        total = misses.total()
        self.estimate = None if total is None else relative_error(picture + total, picture)
        return x


def _slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dsigma; written as the host does, because the result must be the same in the last bit."""
    return (x - denoised) / sigma[(None,) * x.ndim]


class _Misses:
    """What the way down misses of each step up: it goes by the prediction at the step's upper end."""

    def __init__(self, first_sigma: Tensor) -> None:
        self._first_sigma = first_sigma
        self._sum: Tensor | None = None
        self._latest: Tensor | None = None
        self._steps: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def arrive(self, slope: Tensor) -> None:
        """The network was asked before the next step: now the last one's upper end is known."""
        if not self._steps:
            return
        step, used, _ = self._steps[-1]
        self._latest = (used - slope) * step
        if self._sum is None:
            # The way down ends at 0, a little below where the way up begins.
            self._sum = -slope * self._first_sigma
        self._sum = self._sum + self._latest

    def leave(self, step: Tensor, slope: Tensor, change: Tensor | None) -> None:
        """A step is gone by slope; change is what its last refinement changed, if there was one."""
        self._steps = [*self._steps[-1:], (step, slope, change)]

    def total(self) -> Tensor | None:
        """The sum over all steps, the last of which is judged by the one before: its upper end is unknown.

        A miss grows with the square of the step. A refinement leaves a part of the miss it found, and
        that part grows with the step.
        """
        if self._sum is None or self._latest is None:
            return None
        (before, _, change_before), (step, _, change) = self._steps
        growth = (step / before).nan_to_num(posinf=0)
        if change is None or change_before is None:
            return self._sum + self._latest * growth**2
        # Each picture by itself: the estimate is that of the worst one.
        found, was = (x.flatten(1).norm(dim=1) for x in (self._latest, change_before))
        part_left = (found / was).nan_to_num(posinf=0).reshape(-1, *[1] * (change.ndim - 1))
        return self._sum + change * part_left * growth
