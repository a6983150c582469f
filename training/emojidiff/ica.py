"""The image terms of EmojiDiff's second stage, ICA. Spec: pva_freecure_emojidiff.md C.4.

Attested: a cosine of ArcFace vectors on a one-step estimate of the clean picture, at truncated timesteps. The
other terms, their weights and the cut are a reconstruction. Needs no host and no diffusers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from likeness.faces.align import TEMPLATE, invert, similarity

#: Side of what ArcFace looks at.
FACE = 112
Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Weights:
    """Of the terms; cut: image terms count at timesteps below it, where one step sees a face."""

    identity: float = 0.1
    alignment: float = 0.05
    expression: float = 0.05
    cut: int = 400


def clean_estimate(noisy: Tensor, noise: Tensor, alphas: Tensor) -> Tensor:
    """(z_t - sqrt(1 - a) eps) / sqrt(a): latents [n, C, H, W]; alphas [n], the cumulative ones at each t."""
    a = alphas[:, None, None, None].to(noisy.dtype)
    return (noisy - (1 - a).sqrt() * noise) / a.sqrt()


def face_maps(points: Tensor, places: Tensor) -> Tensor:
    """The turn, scale and shift [n, 2, 3] that takes each face's five points [n, 5, 2] to `places` [5, 2].

    float32 where the points are; without gradients, as the points are facts of the target. Raises ValueError
    when the points of a face lie in one place.
    """
    return torch.stack([similarity(five, places) for five in points]).to(points.device, torch.float32)


def warp(pictures: Tensor, maps: Tensor, size: int) -> Tensor:
    """Pictures [n, C, H, W] through maps [n, 2, 3] -> [n, C, size, size]; gradients reach the pictures.

    Places count pixel centres; bilinear, black outside, no smoothing when it shrinks: what recognisers are
    shown elsewhere, too (likeness.faces.align).
    """
    height, width = pictures.shape[-2:]
    back = torch.stack([invert(m) for m in maps])
    steps = torch.arange(size, dtype=torch.float32, device=pictures.device)
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    seen = torch.stack([across, down], dim=-1).flatten(0, 1) @ back[:, :, :2].mT + back[:, None, :, 2]
    grid = (2 * seen / seen.new_tensor([width - 1, height - 1]) - 1).unflatten(1, (size, size))
    return F.grid_sample(pictures, grid.to(pictures.dtype), "bilinear", "zeros", align_corners=True)


def aligned_faces(pictures: Tensor, points: Tensor) -> Tensor:
    """Faces as ArcFace is shown them, [n, 3, 112, 112], of pictures [n, 3, S, S] with points [n, 5, 2]."""
    return warp(pictures, face_maps(points, TEMPLATE), FACE)


def filled(template: Tensor) -> Tensor:
    """Where a masked template [n, 3, S, S] (0 to 1) shows a face, [n, 1, S, S]: 1 also in its dark parts.

    Its outline is convex, so whatever lies between two lit pixels of a row belongs to it.
    """
    lit = (template.amax(dim=1, keepdim=True) > 2 / 255).to(template.dtype)
    before = lit.cummax(dim=-1).values
    after = lit.flip(-1).cummax(dim=-1).values.flip(-1)
    return before * after


def apart(one: Tensor, other: Tensor) -> Tensor:
    """1 - cosine of vectors [n, D], the mean of n."""
    return (1 - F.cosine_similarity(one.float(), other.float(), dim=-1)).mean()


@dataclass(frozen=True, eq=False)
class Subject:
    """What a batch's pictures should show. points [n, 5, 2] in pixels of the decoded picture, mesh
    [n, 5, 2] those by which templates are aligned; person [n, D]: ArcFace's vectors of who it is; template
    [n, 3, S, S], 0 to 1; expression [n, E]: its pooled features."""

    points: Tensor
    mesh: Tensor
    person: Tensor
    template: Tensor
    expression: Tensor

    def only(self, which: Tensor) -> Subject:
        return Subject(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Observers:
    """Frozen networks that look at pictures. decode: latents -> pictures [n, 3, S, S], -1 to 1; recognise:
    faces [n, 3, 112, 112], -1 to 1 -> vectors; pooled: templates [n, 3, S, S], 0 to 1 -> features.
    frame [5, 2]: where a template has its five points, in parts of its side, pixel edges counted."""

    decode: Network
    recognise: Network
    pooled: Network
    frame: Tensor


def image_loss(
    estimate: Tensor, without: Tensor, times: Tensor, subject: Subject, look: Observers, weights: Weights
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted image terms of estimates of clean latents, with expression and without, and each alone.

    Only samples at times [n] below the cut count; the sum is over them, divided by all n, so that the cut
    does not make the rest louder. Gradients go through `estimate` alone. Zero when none is below.
    """
    on = (times < weights.cut).nonzero()[:, 0]
    if not len(on):
        zero = estimate.new_zeros(())
        return zero, {name: zero for name in ("identity", "alignment", "expression")}
    subject, share = subject.only(on), len(on) / len(times)
    made = look.decode(estimate[on])
    vectors = look.recognise(aligned_faces(made, subject.points))
    with torch.no_grad():
        plain = look.recognise(aligned_faces(look.decode(without[on]), subject.points))
    terms = {
        "identity": apart(vectors, subject.person) * share,
        "alignment": apart(vectors, plain) * share,
        "expression": apart(look.pooled(_as_template(made, subject, look)), subject.expression) * share,
    }
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return total, {name: term.detach() for name, term in terms.items()}


def _as_template(pictures: Tensor, subject: Subject, look: Observers) -> Tensor:
    """Pictures from -1 to 1 in the place and under the mask of their templates, 0 to 1."""
    size = subject.template.shape[-1]
    maps = face_maps(subject.mesh, look.frame * size - 0.5)
    return warp(pictures / 2 + 0.5, maps, size).clamp(0, 1) * filled(subject.template)
