"""Other prompts than the run's own, for nodes that take several."""

from __future__ import annotations

from typing import Any

from .networks import ARC2FACE, SD2
from .run import Run
from .world import World


def other(world: World, run: Run) -> Any:
    """Another prompt of the same network: of Arc2Face, another person."""
    if run.network == ARC2FACE:
        return world.start(ARC2FACE, person=2).positive
    return world.text(run.clip, "a woman in a red hat by the sea")


def other_whole(world: World, run: Run) -> Any:
    """The same for a prompt of its own, which an inpainting network tells its hole, too."""
    prompt = other(world, run)
    if run.network != SD2:
        return prompt
    hole = {key: run.positive[0][1][key] for key in ("concat_latent_image", "concat_mask")}
    return [[tokens, {**about, **hole}] for tokens, about in prompt]
