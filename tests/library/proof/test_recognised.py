from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.faces.align import TEMPLATE
from proof.networks import reader
from proof.training.batch import Batch
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


def _batch(time: int, who: torch.Tensor) -> Batch:
    latents, noise = torch.randn(2, 4, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    times = torch.full((4,), time)
    return Batch(torch.arange(4), latents, noise, times, torch.ones(4, 1, 1, 1), [""] * 4, who)


def test_the_loss_leads_to_the_noise_that_shows_the_person() -> None:
    judged = _recognised()
    who = judged.reader(_batch(500, torch.ones(4, 512)).latents, judged.points)
    batch = _batch(500, who)
    right = judged.loss(batch, batch.noise)
    assert right < 1e-4
    wrong = torch.randn(batch.noise.shape, generator=torch.Generator().manual_seed(2))
    found = (batch.noise + 0.5 * wrong).requires_grad_()
    before = judged.loss(batch, found)
    (gradient,) = torch.autograd.grad(before, found)
    after = judged.loss(batch, found.detach() - 20 * gradient)
    assert right < after < before


def test_nobody_and_times_without_a_face_are_not_asked() -> None:
    judged, somebody, nobody = _recognised(), torch.ones(4, 512), torch.zeros(4, 512)
    early, late, asked = (_batch(time, somebody) for time in (10, 990, 500))
    assert judged.loss(early, early.noisy) == 0
    assert judged.loss(late, late.noisy) == 0
    assert judged.loss(_batch(500, nobody), asked.noisy) == 0
    assert judged.loss(asked, asked.noisy) > 0
