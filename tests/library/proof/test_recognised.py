from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.faces.align import TEMPLATE
from proof.networks import diffusion, reader
from proof.training.pictures import Album
from proof.training.recognised import Recognised

#: Five points where ArcFace's template lies in a picture of 128 pixels.
POINTS = TEMPLATE.numpy().astype(np.float32) if isinstance(TEMPLATE, torch.Tensor) else TEMPLATE


def _recognised(count: int = 4) -> Recognised:
    album = Album(
        np.zeros((count, 128, 128, 3), np.uint8),
        np.zeros((count, 128, 128), np.uint8),
        np.repeat(np.asarray(POINTS, np.float32)[None], count, axis=0),
        np.arange(count),
        lambda place: pytest.fail("figures are not asked for"),
    )
    torch.manual_seed(0)
    return Recognised(reader.Reader().state_dict(), album)


def test_a_crop_of_latents_has_the_face_where_arcface_would() -> None:
    down, across = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    places = torch.stack([across, down])[None] * 8 + 3.5  # where each latent's middle is, in pixels
    points = torch.as_tensor(POINTS)[None]
    seen = reader.cropped(places, points)[0]
    middle = seen[:, 9:11, 9:11].mean((1, 2))
    # The template's middle (56, 56) is the crop's, a pixel's centre lying half a pixel into it.
    assert torch.allclose(middle, torch.full((2,), 55.5), atol=0.6)
    assert torch.allclose(seen[0, 10, 11] - seen[0, 10, 10], torch.tensor(112 / 20 / 0.72), atol=0.05)


def test_the_loss_leads_to_the_noise_that_shows_the_person() -> None:
    judged, chance = _recognised(), torch.Generator().manual_seed(1)
    latents, noise = (torch.randn(4, 4, 16, 16, generator=chance) for _ in range(2))
    times, places = torch.full((4,), 500), torch.arange(4)
    noisy = diffusion.noised(latents, noise, times)
    who = judged.reader(latents, judged.points[places])
    right = judged.loss(noisy, noise, times, places, who)
    assert right < 1e-4
    found = (noise + 0.5 * torch.randn(noise.shape, generator=chance)).requires_grad_()
    before = judged.loss(noisy, found, times, places, who)
    (gradient,) = torch.autograd.grad(before, found)
    after = judged.loss(noisy, found.detach() - 20 * gradient, times, places, who)
    assert right < after < before


def test_nobody_and_times_without_a_face_are_not_asked() -> None:
    judged = _recognised()
    noisy = torch.randn(4, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    places, who = torch.arange(4), torch.ones(4, 512)
    early, late, asked = (torch.full((4,), time) for time in (10, 990, 500))
    assert judged.loss(noisy, noisy, early, places, who) == 0
    assert judged.loss(noisy, noisy, late, places, who) == 0
    assert judged.loss(noisy, noisy, asked, places, torch.zeros(4, 512)) == 0
    assert judged.loss(noisy, noisy, asked, places, who) > 0
