"""The foundation's run, then the personalised one, which looks at it step by step. Spec: B.3, B.4."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from torch import Tensor

from ...attention.views import Role
from ...host.sampling import CFGGuider, models_of_conds, random_draws_put_back
from ...sampling.trajectory import Beside, RecordingGuider, Trajectory, beside, sides, sigma_of
from .attention import Enough, FoundationTokens, Looking
from .checks import check_pictures, check_sampler


class FreeCureGuider(CFGGuider):
    """GUIDER of two MODELs that share one loaded network.

    sample() returns the personalised latent. The foundation is drawn before it, unless its trajectory is
    given; foundation_latent holds it afterwards. At each step of the personalised run the foundation's
    network runs once more where its own run was, for its tokens.
    """

    def __init__(
        self,
        personalised: Any,
        foundation: RecordingGuider,
        looked_at: CFGGuider,
        tokens: FoundationTokens,
        looking: Looking | None = None,
        trajectory: Trajectory | None = None,
    ) -> None:
        """foundation draws the MODEL as it is; in looked_at it carries a Recorder with these tokens and this
        looking, as personalised carries a FoundationAware; or neither does."""
        super().__init__(personalised)
        # The host loads what belongs to the MODEL it loads last; the foundation's belongings go along.
        model = looked_at.model_patcher
        belongings = [*model.get_nested_additional_models(), *model.model_patches_models()]
        belongings += models_of_conds(looked_at.original_conds, model.model_dtype())
        if belongings:
            self.model_patcher.set_additional_models("likeness_foundation", belongings)
        self.foundation = foundation
        self.looked_at = looked_at
        self.tokens = tokens
        self.looking = looking
        self.trajectory = trajectory
        self.foundation_latent: Tensor | None = None
        self._way = Trajectory()
        self._beside: Beside | None = None
        self._calls = 0

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
        check_pictures("latent_image", latent_image)
        self.foundation_latent, self._calls = None, 0
        rest = (sampler, sigmas, denoise_mask)
        if self.looking is not None:
            check_sampler(sampler)
        way, shown = self.trajectory, callback
        if way is None:
            first, shown = _in_two(callback)
            with random_draws_put_back(self.model_patcher.load_device):
                self.foundation.sample(noise, latent_image, *rest, first, disable_pbar, seed)
            way = self.foundation.trajectory
        self.foundation_latent = way.latent
        draw = partial(super().sample, noise, latent_image, *rest, shown, disable_pbar, seed)
        if self.looking is None or not way.calls:
            alone: Tensor = draw()
            return alone

        def personalised(ready: Beside) -> Tensor:
            self._beside = ready
            out: Tensor = draw()
            return out

        self._way = way
        try:
            return beside(self.looked_at, personalised, noise, latent_image, sigmas, denoise_mask, seed)
        finally:
            self.tokens.clear()
            self._beside, self._way = None, Trajectory()

    def inner_sample(self, *args: Any, **kwargs: Any) -> Any:
        if self._beside is not None:
            self._beside.settle()
        return super().inner_sample(*args, **kwargs)

    # Counted outside of the wrappers of a step, as the foundation's calls are.
    def outer_predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None
    ) -> Any:
        self._calls += 1
        return super().outer_predict_noise(x, timestep, model_options or {}, seed)

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Any:
        try:
            if self.looking is not None and self._beside is not None:
                self._look(self.looking, self._beside, timestep, sides(self.cfg, model_options or {}))
            return super().predict_noise(x, timestep, model_options or {}, seed)
        finally:
            self.tokens.clear()

    def _look(self, looking: Looking, foundation: Beside, timestep: Tensor, shown: tuple[Role, ...]) -> None:
        """Run the foundation where its own run was at this call, for the tokens that the shown sides see."""
        calls, number = self._way.calls, self._calls - 1
        if number >= len(calls) or calls[number].sigma != sigma_of(timestep):
            raise ValueError(
                "FreeCure: the personalised run takes other steps than the foundation's did. Use the same "
                "sampler and sigmas for both, and a sampler that does not choose its steps by the picture: "
                "dpmpp_2m or euler."
            )
        call = calls[number]
        if not looking.window.holds_at(self.inner_model.model_sampling, call.sigma):
            return
        roles = [side for side in shown if looking.share(side) > 0]
        self.tokens.stop_at = frozenset((looking.layers - 1, role) for role in roles)
        # What the foundation's nodes draw here they drew in its own run: this run's draws stay what they are.
        with random_draws_put_back(self.model_patcher.load_device), suppress(Enough):
            foundation.run(call, timestep, roles)


def _in_two(callback: Callable[..., Any] | None) -> tuple[Callable[..., Any] | None, ...]:
    """A callback's two halves: one run after the other, counted as one."""
    if callback is None:
        return None, None

    def half(number: int) -> Callable[..., Any]:
        def show(step: int, denoised: Tensor, x: Tensor, total: int) -> Any:
            return callback(number * total + step, denoised, x, 2 * total)

        return show

    return half(0), half(1)
