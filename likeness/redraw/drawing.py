"""One face, ready to be drawn as often as somebody wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .. import host
from .value import Prompted, Redraw, Sampling, Subject


@dataclass(frozen=True, eq=False)
class Drawing:
    """What every try has in common: the prompted model, and the crop's latent with its mask."""

    prompted: Prompted
    vae: Any
    sampling: Sampling
    latent: torch.Tensor
    mask: torch.Tensor | None

    def draw(self, seed: int, denoise: float, callback: Callable[..., None] | None = None) -> torch.Tensor:
        """A picture [1, S, S, 3] float32 on the CPU. The same seed draws the same; no other draws change."""
        model, positive, negative = self.prompted
        how = self.sampling
        # Samplers with noise of their own may draw without a seed.
        with host.sampling.random_draws_put_back(model.load_device):
            made = host.sampling.sample(
                model,
                positive,
                negative,
                self.latent,
                seed=seed,
                steps=how.steps,
                cfg=how.cfg,
                sampler=how.sampler,
                scheduler=how.scheduler,
                denoise=denoise,
                mask=self.mask,
                callback=callback,
            )
            picture = host.sampling.decode(self.vae, {"samples": made})
        return picture[..., :3].to("cpu", torch.float32).clamp(0, 1)


def ready(redraw: Redraw, subject: Subject) -> Drawing:
    """A drawing of the subject: the method is applied and the crop encoded, both once.

    An inpainting model is told of the hole. Raises ValueError of the method for what does not fit.
    """
    model, positive, negative = redraw.prepare(subject)
    hole = subject.mask.round() if redraw.fills else subject.mask
    if host.sampling.inpaints(model):
        positive, negative = host.sampling.with_hole(positive, negative, redraw.vae, subject.crop, hole)
    latent = host.sampling.encode(redraw.vae, subject.crop)
    if redraw.fills:
        # As the published inpainting has it: from noise alone, and the known part is pasted over afterwards.
        return Drawing(
            (model, positive, negative), redraw.vae, redraw.sampling, torch.zeros_like(latent), None
        )
    return Drawing((model, positive, negative), redraw.vae, redraw.sampling, latent, subject.mask[:, None])
