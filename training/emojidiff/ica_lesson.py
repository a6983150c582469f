"""EmojiDiff's second stage: the noise as before, and what the face of a one-step estimate looks like.

Spec: pva_freecure_emojidiff.md C.4, stage 2; training/emojidiff/ica.py says which part is attested.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from likeness.faces.iresnet import IResNet
from likeness.faces.template import FIVE
from likeness.sampling.noised import noised

from .ica import Observers, Subject, Weights, clean_estimate, image_loss
from .lesson import EmojiLesson
from .network import without_expression
from .samples import Batch


class ICALesson(EmojiLesson):
    """recognise: the frozen ArcFace network that judges. weights: of the terms."""

    def __init__(self, recognise: IResNet, weights: Weights, *lesson: Any, **more: Any) -> None:
        super().__init__(*lesson, **more)
        self.recognise = recognise.requires_grad_(False).eval()
        self.weights = weights
        if self.course.checkpointing:
            self.vae.enable_gradient_checkpointing()
        #: The terms of the last forward pass, by name.
        self.terms: dict[str, Tensor] = {}

    def prepare_batch(self, batch: Batch, source: torch.Generator) -> dict[str, Tensor]:
        if not batch.points.isfinite().all():
            raise ValueError("The stage ica needs landmarks in every triplet: make them with the stage data.")
        prepared = super().prepare_batch(batch, source)
        device = self.alphas.device
        prepared["points"], prepared["mesh"] = batch.points.to(device), batch.mesh.to(device)
        prepared["template"] = batch.templates.to(device)
        prepared["judged"] = self.recognise(batch.faces.to(device))
        prepared["wanted"] = self.pooled(prepared["template"])
        return prepared

    def forward(self, prepared: dict[str, Tensor], part: int) -> Tensor:
        """Noise error and image terms: two predictions from one noisy latent, with and without expression."""
        mine = self.share_of(prepared, part)
        times, noise = mine["times"], mine["noise"]
        noisy, alphas = noised(mine["clean"], noise, times, self.alphas), self.alphas[times]
        tokens = self.resampler(mine["features"])
        with torch.no_grad(), without_expression(self.shares):
            plain = self.noise(noisy, times, mine, tokens).float()
        answer = self.noise(noisy, times, mine, tokens).float()
        # Who is not told whom or what to show is not judged by it.
        judged = torch.where(mine["whole"], times, self.weights.cut)
        subject = Subject(mine["points"], mine["mesh"], mine["judged"], mine["template"], mine["wanted"])
        images, self.terms = image_loss(
            clean_estimate(noisy, answer, alphas),
            clean_estimate(noisy, plain, alphas),
            judged,
            subject,
            Observers(self.decode, self.recognise, self.pooled, FIVE),
            self.weights,
        )
        return F.mse_loss(answer, noise) + images
