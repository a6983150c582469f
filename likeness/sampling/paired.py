"""A sampler whose random draws are the same for both halves of the batch. Spec: B.4."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor

from .. import host

Draw = Callable[[Any, Any], Tensor]


def twice(x: Tensor) -> Tensor:
    return x.repeat((2, *[1] * (x.ndim - 1)))


def first_half(x: Tensor) -> Tensor:
    return x[: len(x) // 2]


def paired(sampler: Any) -> Any:
    """A copy of a SAMPLER; each half of the batch sees the noise it would see in a run of its own.

    A sampler that is not made of a function (another pack's class) comes back as it is.
    """
    function = getattr(sampler, "sampler_function", None)
    if function is None:
        return sampler
    takes_noise = "noise_sampler" in inspect.signature(function).parameters

    @wraps(function)
    def run(model: Any, x: Tensor, sigmas: Tensor, **options: Any) -> Any:
        if getattr(model, "noise", None) is not None:
            # What is blended into the parts a denoise mask keeps; some samplers draw it anew.
            model.noise = twice(first_half(model.noise))
        if takes_noise:
            given = options.get("noise_sampler")
            seed = (options.get("extra_args") or {}).get("seed")
            options["noise_sampler"] = _paired_noise(function, x, sigmas, seed, given)
        return function(model, x, sigmas, **options)

    copied = copy.copy(sampler)
    copied.sampler_function = run
    return copied


def _paired_noise(function: Any, x: Tensor, sigmas: Tensor, seed: int | None, given: Draw | None) -> Draw:
    made: list[Draw] = []

    def draw(sigma: Any, sigma_next: Any) -> Tensor:
        if given is not None:
            return twice(first_half(given(sigma, sigma_next)))
        if not made:
            made.append(_own_noise(getattr(function, "__name__", ""), first_half(x), sigmas, seed))
        return twice(made[0](sigma, sigma_next))

    return draw


def _own_noise(name: str, half: Tensor, sigmas: Tensor, seed: int | None) -> Draw:
    """What the sampler would draw from for one half: Brownian for the host's dpmpp_..._sde."""
    if "dpmpp" in name and "sde" in name:
        lowest, highest = sigmas[sigmas > 0].min(), sigmas.max()
        brownian: Draw = host.sampling.BrownianTreeNoiseSampler(
            half, lowest, highest, seed=seed, cpu=not name.endswith("gpu")
        )
        return brownian
    plain: Draw = host.sampling.default_noise_sampler(half, seed=seed)
    return plain
