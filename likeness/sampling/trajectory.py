"""One MODEL's run, kept, and its calls of the network made again while another MODEL is sampled. Spec: B.3.

Both MODELs run in the host's own guider. What nodes hang on a run (wrappers, callbacks, guidance that
remembers) so has a run of its own for each of them, begun and ended by the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from torch import Tensor

from ..host.sampling import CFGGuider, calc_cond_batch, through_step_wrappers

T = TypeVar("T")

Side = Literal["positive", "negative"]
#: What a guider's conditionings are called, in the order of the host.
SIDES: tuple[Side, ...] = ("positive", "negative")
_CALCULATE = "sampler_calc_cond_batch_function"
#: Wrappers of a step and of the network in it.
_STEP_WRAPPERS = ("predict_noise", "calc_cond_batch", "apply_model", "diffusion_model")
#: The host's caches, which leave the network out where it changes little.
_CACHES = ("easycache", "lazycache")
_OURS = __name__.removesuffix("sampling.trajectory")


def sides(cfg: float, options: dict[str, Any]) -> tuple[Side, ...]:
    """What the host's guider runs of a step with these options: where cfg is 1, mostly the positive alone."""
    both = not math.isclose(cfg, 1.0) or bool(options.get("disable_cfg1_optimization"))
    return SIDES if both else SIDES[:1]


@dataclass(eq=False)
class Call:
    """One call by the sampler: x [B, C, h, w] on the CPU, and the sides that the network was run for."""

    sigma: float
    x: Tensor
    sides: tuple[Side, ...] = ()


@dataclass(eq=False)
class Trajectory:
    """A run: what the sampler asked, in order, and where it ended."""

    calls: list[Call] = field(default_factory=list)
    latent: Tensor | None = None


def sigma_of(timestep: Tensor) -> float:
    return float(timestep.flatten()[0])


class RecordingGuider(CFGGuider):
    """The host's guider for one MODEL, which keeps its way.

    Another MODEL's run with the same sampler, schedule, seed and latent makes as many calls.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.trajectory = Trajectory()

    def sample(self, *args: Any, **kwargs: Any) -> Tensor:
        self.trajectory = Trajectory()
        out: Tensor = super().sample(*args, **kwargs)
        self.trajectory.latent = out
        return out

    # Outside of the wrappers of this step: LazyCache answers some steps without asking any further.
    def outer_predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None
    ) -> Any:
        self.trajectory.calls.append(Call(sigma_of(timestep), x.detach().to("cpu", copy=True)))
        return super().outer_predict_noise(x, timestep, model_options or {}, seed)

    # Inside of them: CFG Override changes cfg there.
    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Any:
        self.trajectory.calls[-1].sides = sides(self.cfg, model_options or {})
        return super().predict_noise(x, timestep, model_options or {}, seed)


class Beside:
    """A MODEL that the host has made ready for sampling, and that is not sampled but asked."""

    def __init__(self, guider: Any, options: dict[str, Any]) -> None:
        self.guider = guider
        self._options = _without_caches(options)
        #: Nothing of other nodes is in the network: rows may go alone, and need not go to its end.
        self.plain = not any(True for _ in _foreign(self._options))

    def settle(self) -> None:
        """Have what belongs to this MODEL back on the device, when the other one has been loaded."""
        patcher = self.guider.model_patcher
        for target in (patcher.load_device, patcher.model_dtype()):
            patcher.model_patches_to(target)

    def run(self, call: Call, timestep: Tensor, wanted: Sequence[Side]) -> None:
        """The network once more for a call, with the wanted sides.

        What other nodes hang on it might mix the rows of a batch, as NAG does: then as it was called.
        """
        model, conds = self.guider.inner_model, self.guider.conds
        run = {*wanted} if self.plain else {*wanted, *call.sides}
        given = [conds[side] if side in run else None for side in SIDES]

        def step(x: Tensor, timestep: Tensor, options: dict[str, Any], seed: None) -> Tensor:
            if _CALCULATE in options:
                args = {"conds": given, "input": x, "sigma": timestep, "model": model}
                options[_CALCULATE]({**args, "model_options": options})
            else:
                calc_cond_batch(model, given, x, timestep, options)
            return x

        before, model.current_patcher = model.current_patcher, self.guider.model_patcher
        try:
            through_step_wrappers(step, self.guider, self._options, call.x.to(timestep.device), timestep)
        finally:
            model.current_patcher = before


def beside(
    guider: Any,
    work: Callable[[Beside], T],
    noise: Tensor,
    latent_image: Tensor,
    sigmas: Tensor,
    denoise_mask: Tensor | None,
    seed: int | None,
) -> T:
    """What work returns; while it runs, the host keeps the guider's MODEL ready, as for this run."""
    instead = _Instead(work)
    guider.sample(noise, latent_image, instead, sigmas, denoise_mask, disable_pbar=True, seed=seed)
    return instead.made[0]


class _Instead:
    """A SAMPLER that takes no step: it has something else done, with the MODEL ready."""

    def __init__(self, work: Callable[[Beside], Any]) -> None:
        self._work = work
        self.made: list[Any] = []

    def sample(
        self, guider: Any, sigmas: Any, extra_args: dict[str, Any], callback: Any, noise: Tensor, *_: Any
    ) -> Tensor:
        self.made = [self._work(Beside(guider, extra_args["model_options"]))]
        return noise


def _without_caches(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, whose network is asked at every step: a step left out has nothing to look at."""
    given = options["transformer_options"]
    wrappers = {
        kind: {key: those for key, those in keyed.items() if key not in _CACHES}
        for kind, keyed in given.get("wrappers", {}).items()
    }
    return {**options, "transformer_options": {**given, "wrappers": wrappers}}


def _foreign(options: dict[str, Any]) -> Iterator[Any]:
    """Whatever other nodes hang on the network that sees the rows of a batch together."""
    given = options["transformer_options"]
    if _CALCULATE in options:
        yield options[_CALCULATE]
    for kind in _STEP_WRAPPERS:
        for those in given.get("wrappers", {}).get(kind, {}).values():
            yield from (wrapper for wrapper in those if not _is_ours(wrapper))
    for those in given.get("patches", {}).values():
        yield from (patch for patch in those if not _is_ours(patch))
    for slots in given.get("patches_replace", {}).values():
        yield from (patch for patch in slots.values() if not _is_ours(patch))


def _is_ours(part: Any) -> bool:
    return str(getattr(part, "__module__", "")).startswith(_OURS)
