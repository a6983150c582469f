"""The foundation and the personalised branch in lock-step, inside the host's samplers. Spec: B.4."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from ...attention.views import Role
from ...host.sampling import (
    CFGGuider,
    branch_options,
    calc_cond_batch,
    prepare_mask,
    process_conds,
    sampling_function,
)
from ...sampling.paired import first_half, paired, twice
from ...sampling.trajectory import Trajectory
from .attention import Enough, FoundationTokens, Looking
from .checks import check_sampler

_POST_CFG = "sampler_post_cfg_function"
_NO_CFG1 = "disable_cfg1_optimization"
_FOUNDATION = "foundation_"


class FreeCureGuider(CFGGuider):
    """GUIDER of two MODELs that share one loaded network.

    sample() returns the personalised latent; foundation_latent holds the other one afterwards. With a
    trajectory the foundation is not sampled again: its positive prompt alone is run, for its tokens.
    """

    def __init__(
        self,
        personalised: Any,
        foundation: Any,
        tokens: FoundationTokens,
        looking: Looking | None = None,
        trajectory: Trajectory | None = None,
    ) -> None:
        """The MODELs carry FoundationAware and Recorder with these tokens and this looking, or nothing."""
        super().__init__(personalised)
        # The host loads what belongs to the MODEL it samples; the foundation's belongings go along.
        belongings = [*foundation.get_nested_additional_models(), *foundation.model_patches_models()]
        if belongings:
            self.model_patcher.set_additional_models("likeness_foundation", belongings)
        self.foundation = foundation
        self.tokens = tokens
        self.looking = looking
        self.trajectory = trajectory
        self.foundation_latent: Tensor | None = None
        self._calls = 0
        self.conds: dict[str, Any] = {}
        self._foundation_conds: dict[str, Any] = {}
        self._foundation_options: dict[str, Any] = {}

    def set_foundation_conds(self, positive: Any, negative: Any) -> None:
        self.inner_set_conds({_FOUNDATION + "positive": positive, _FOUNDATION + "negative": negative})

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        check_sampler(sampler)
        if getattr(latent_image, "is_nested", False):
            raise ValueError("latent_image holds video or audio; FreeCure repairs pictures.")
        self.foundation_latent, self._calls = None, 0
        if sigmas.shape[-1] == 0:
            self.foundation_latent = latent_image
            return latent_image
        run = super().sample
        if self.trajectory is not None:
            out: Tensor = run(
                noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed
            )
            self.foundation_latent = self.trajectory.latent
            return out
        if denoise_mask is not None:
            # One channel, as it came in: the host prepares it once more, for both halves.
            prepared = prepare_mask(denoise_mask, latent_image.shape, self.model_patcher.load_device)
            denoise_mask = twice(prepared[:, :1])
        shown = None if callback is None else _personalised_only(callback)
        both = run(
            twice(noise),
            twice(latent_image),
            paired(sampler),
            sigmas,
            denoise_mask,
            shown,
            disable_pbar,
            seed,
        )
        personalised, self.foundation_latent = both.chunk(2)
        return personalised

    def outer_sample(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().outer_sample(*args, **kwargs)
        finally:
            self.tokens.clear()
            self._foundation_conds, self._foundation_options = {}, {}

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: torch.device,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None,
        callback: Any,
        disable_pbar: bool,
        seed: int | None,
        **shapes: Any,
    ) -> Any:
        own, other = _parted(self.conds)
        latent = latent_image
        if torch.count_nonzero(latent) > 0:
            latent = self.inner_model.process_latent_in(latent)
        # Prepared apart: the host spreads ControlNets and areas over all lists it prepares together.
        self._foundation_conds = process_conds(
            self.inner_model, noise, other, device, latent, denoise_mask, seed, **shapes
        )
        self._foundation_options = branch_options(self.foundation, self._foundation_conds, sigmas, device)
        self.foundation.pre_run()
        self.inner_model.current_patcher = self.model_patcher
        self.conds = own
        try:
            rest = (sampler, sigmas, denoise_mask, callback, disable_pbar, seed)
            return super().inner_sample(noise, latent_image, device, *rest, **shapes)
        finally:
            # The host cleans up after all conditionings it finds here.
            self.conds = {**self.conds, **{_FOUNDATION + k: v for k, v in self._foundation_conds.items()}}
            self.foundation.cleanup()

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Any:
        try:
            if self.trajectory is None:
                return self._lock_step(x, timestep, model_options or {}, seed)
            self._replay(self.trajectory, x, timestep, bool((model_options or {}).get(_NO_CFG1)))
            return super().predict_noise(x, timestep, model_options or {}, seed)
        finally:
            self.tokens.clear()

    def _lock_step(self, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any) -> Any:
        """Both halves of x [2B, ...] denoised: the foundation first, then the branch that looks at it."""
        own = list(self.model_options.get(_POST_CFG, ()))
        late = list(model_options.get(_POST_CFG, ()))[len(own) :]
        parts: list[dict[str, Any]] = []

        def run(conds: dict[str, Any], options: dict[str, Any], functions: list[Any], half: int) -> Tensor:
            def keep(args: dict[str, Any]) -> Any:
                parts.append(args)
                return args["denoised"]

            options = {**options, _POST_CFG: [*functions, keep]}
            if model_options.get(_NO_CFG1):
                options[_NO_CFG1] = True
            rows, times = x.chunk(2)[half], _half(timestep, half, len(x))
            negative, positive = conds.get("negative"), conds.get("positive")
            denoised: Tensor = sampling_function(
                self.inner_model, rows, times, negative, positive, self.cfg, options, seed
            )
            return denoised

        functions = list(self._foundation_options.get(_POST_CFG, ()))
        with _Patcher(self.inner_model, self.foundation):
            foundation = run(self._foundation_conds, self._foundation_options, functions, 1)
        personalised = run(self.conds, model_options, own, 0)
        denoised = torch.cat([personalised, foundation])
        for function in late:
            # What the sampler itself hangs on each step (cfg++) must see the batch it samples.
            denoised = function(_joined(parts[1], parts[0], denoised, x, timestep))
        return denoised

    def _replay(self, trajectory: Trajectory, x: Tensor, timestep: Tensor, always_negative: bool) -> None:
        """Run the foundation's conditional row at the place of its own run, for its tokens alone.

        always_negative: the sampler wants negative rows with cfg 1, too.
        """
        call, self._calls = self._calls, self._calls + 1
        if call >= len(trajectory.inputs) or trajectory.inputs[call][0] != float(timestep.flatten()[0]):
            raise ValueError(
                "FreeCure: the personalised run takes other steps than the foundation's did. Use the same "
                "sampler and sigmas for both."
            )
        sampling = self.inner_model.model_sampling
        if self.looking is None or not self.looking.window.holds_at(sampling, trajectory.inputs[call][0]):
            return
        roles: list[Role] = ["positive"]
        if (self.cfg != 1 or always_negative) and self.looking.share("negative") > 0:
            roles.append("negative")
        self.tokens.stop_at = frozenset((self.looking.layers - 1, role) for role in roles)
        conds = [self._foundation_conds[role] for role in roles]
        seen = trajectory.inputs[call][1].to(x)
        with _Patcher(self.inner_model, self.foundation), suppress(Enough):
            calc_cond_batch(self.inner_model, conds, seen, timestep, self._foundation_options)


class _Patcher:
    """While a branch runs, its MODEL is the one the host asks for callbacks and hooks."""

    def __init__(self, inner_model: Any, patcher: Any) -> None:
        self.inner_model, self.patcher = inner_model, patcher

    def __enter__(self) -> None:
        self.before, self.inner_model.current_patcher = self.inner_model.current_patcher, self.patcher

    def __exit__(self, *error: object) -> None:
        self.inner_model.current_patcher = self.before


def _parted(conds: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(personalised, foundation) conditionings, each as positive and negative."""
    own = {k: v for k, v in conds.items() if not k.startswith(_FOUNDATION)}
    other = {k.removeprefix(_FOUNDATION): v for k, v in conds.items() if k.startswith(_FOUNDATION)}
    return own, other


def _half(timestep: Tensor, half: int, rows: int) -> Tensor:
    return timestep.chunk(2)[half] if timestep.ndim and len(timestep) == rows else timestep


def _joined(
    own: dict[str, Any], other: dict[str, Any], denoised: Tensor, x: Tensor, timestep: Tensor
) -> dict[str, Any]:
    """The host's post-CFG arguments for both halves."""
    joined = {**own, "denoised": denoised, "input": x, "sigma": timestep}
    for name in ("cond_denoised", "uncond_denoised"):
        if isinstance(own[name], Tensor) and isinstance(other[name], Tensor):
            joined[name] = torch.cat([own[name], other[name]])
    return joined


def _personalised_only(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Previews and the denoised output show the personalised picture."""

    def show(step: int, denoised: Tensor, x: Tensor, total: int) -> Any:
        return callback(step, first_half(denoised), first_half(x), total)

    return show
