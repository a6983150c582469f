"""One drawing of the matrix: what the host's nodes and ours hand on, until a sampler takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

SEED = 5
HEIGHT, WIDTH = 64, 128  # other than square: a swap of the two must show
#: As in a small graph with two pictures.
PICTURES = (0, 1)


@dataclass(frozen=True, eq=False)
class Run:
    """The wires of a graph. Nodes take one and give another; nothing is drawn before `draw`.

    foundation: FreeCure's second MODEL, which takes every node that the first one takes.
    pictures: their numbers, of which a method takes its masks or expressions, and noise its place.
    guide, sampler, sigmas: made of the finished Run. draw: in place of Sampler Custom Advanced; whole: the
    same where a node of ours samples. steps: one shows what a node does with a call of the network; nodes
    with a memory set more.
    """

    network: str
    person: int
    model: Any
    clip: Any
    positive: Any
    negative: Any
    latent: dict[str, Any]
    pictures: tuple[int, ...] = PICTURES
    cfg: float = 3.0
    steps: int = 1
    foundation: Any = None
    sampler: Callable[[Run], Any] | None = None
    sigmas: Callable[[Run, torch.Tensor], torch.Tensor] | None = None
    guide: Callable[[Run], Any] | None = None
    draw: Callable[[Run], dict[str, Any]] | None = None
    whole: Callable[[Run, dict[str, Any]], dict[str, Any]] | None = None

    def same_wires(self, other: Run) -> bool:
        """Whether it is the same graph: every wire carries the same object."""
        return all(getattr(self, f.name) is getattr(other, f.name) for f in fields(self))

    def but(self, **changes: Any) -> Run:
        return replace(self, **changes)


def latent_of(pictures: tuple[int, ...]) -> dict[str, Any]:
    """Empty latents; a picture's noise is its own, whatever batch it is in."""
    shape = (len(pictures), 4, HEIGHT // 8, WIDTH // 8)
    return {"samples": torch.zeros(shape), "batch_index": list(pictures)}


def noise_levels(run: Run) -> torch.Tensor:
    import comfy.samplers

    sampling = run.model.get_model_object("model_sampling")
    made: torch.Tensor = comfy.samplers.calculate_sigmas(sampling, "normal", run.steps)
    return made if run.sigmas is None else run.sigmas(run, made)


def guider(run: Run) -> Any:
    """The host's own, unless a node brought one."""
    import comfy.samplers

    if run.guide is not None:
        return run.guide(run)
    made = comfy.samplers.CFGGuider(run.model)
    made.set_conds(run.positive, run.negative)
    made.set_cfg(run.cfg)
    return made


def parts(run: Run) -> dict[str, Any]:
    """The other inputs of Sampler Custom Advanced."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    sampler = comfy.samplers.sampler_object("euler") if run.sampler is None else run.sampler(run)
    made = {"noise": Noise_RandomNoise(SEED), "sampler": sampler, "sigmas": noise_levels(run)}
    return {**made, "latent_image": run.latent}


def sample(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    """Sampler Custom Advanced, or the node of ours that samples: a LATENT."""
    from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced

    if run.whole is not None:
        return run.whole(run, given)
    latent: dict[str, Any] = SamplerCustomAdvanced.execute(guider=guider(run), **given).result[0]
    return latent


def draw(run: Run) -> torch.Tensor:
    """The drawn latents [B, 4, h, w]. The global generator, which ToMe draws from, starts anew."""
    torch.manual_seed(SEED)
    latent = sample(run, parts(run)) if run.draw is None else run.draw(run)
    drawn: torch.Tensor = latent["samples"]
    return drawn
