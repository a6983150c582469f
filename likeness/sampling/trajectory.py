"""The foundation's own run, kept so that the repair need not repeat it. Spec: B.3, stage 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..host.sampling import CFGGuider


@dataclass(eq=False)
class Trajectory:
    """One run of the foundation alone: what it saw at each call of the network, and where it ended.

    inputs: (sigma, x [B, C, h, w] on the CPU) in order of the calls.
    """

    inputs: list[tuple[float, Tensor]] = field(default_factory=list)
    latent: Tensor | None = None


class FoundationGuider(CFGGuider):
    """Runs the foundation alone and keeps its way, so that a later run need not go it again.

    The personalised run with that trajectory calls the network in the same order: same sampler,
    schedule, seed and latent.
    """

    def __init__(self, foundation: Any) -> None:
        super().__init__(foundation)
        self.trajectory = Trajectory()

    def sample(self, *args: Any, **kwargs: Any) -> Tensor:
        self.trajectory = Trajectory()
        out: Tensor = super().sample(*args, **kwargs)
        self.trajectory.latent = out
        return out

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Any:
        self.trajectory.inputs.append((float(timestep.flatten()[0]), x.detach().to("cpu", copy=True)))
        return super().predict_noise(x, timestep, model_options or {}, seed)
