"""The image terms of the second stage, by themselves: exact where they can be, and which way gradients go."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import emoji_training as tiny
from support import pva_files
from torch import nn

from likeness.faces.align import TEMPLATE, align
from likeness.faces.iresnet import build_iresnet
from likeness.faces.template import FIVE
from training.emojidiff.ica import (
    Observers,
    Subject,
    Weights,
    aligned_faces,
    clean_estimate,
    filled,
    image_loss,
    warp,
)

SIDE = 64


def test_the_estimate_is_the_clean_latent_when_the_noise_is_known() -> None:
    clean, noise = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    alphas = torch.tensor([0.99, 0.5, 0.02])
    a = alphas[:, None, None, None]
    noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
    assert torch.allclose(clean_estimate(noisy, noise, alphas), clean, atol=1e-5)
    off = clean_estimate(noisy, noise + 0.1, alphas) - clean
    assert torch.allclose(off, (-0.1 * ((1 - a) / a).sqrt()).expand_as(off), atol=1e-5)


def test_faces_are_aligned_as_recognisers_see_them(photos: dict[str, np.ndarray]) -> None:
    picture = torch.from_numpy(photos["astronaut"].copy())
    points = torch.tensor([[200.0, 120], [245, 118], [222, 145], [205, 165], [242, 163]])
    planes = picture.float().movedim(-1, 0)[None] / 127.5 - 1
    made = (aligned_faces(planes, points[None])[0].movedim(0, -1) + 1) * 127.5
    assert (made - align(picture, points).float()).abs().max() <= 1


def test_gradients_go_through_the_warp() -> None:
    pictures = torch.rand(1, 3, SIDE, SIDE, requires_grad=True)
    points = (tiny.POINTS * SIDE)[None]
    aligned_faces(pictures, points).sum().backward()
    assert pictures.grad is not None
    seen = pictures.grad.abs().sum(dim=1)[0] > 0
    assert seen[30, 32] and 0.2 < seen.float().mean() <= 1


def test_a_warp_that_does_nothing() -> None:
    pictures = torch.rand(2, 3, 16, 16)
    same = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(2, -1, -1)
    assert torch.allclose(warp(pictures, same, 16), pictures, atol=1e-6)


def test_a_templates_face_has_no_holes() -> None:
    template = tiny.toy_template(2, 224)
    dark = template.clone()
    dark[:, 100:120, 90:110] = 0  # an eye
    assert torch.equal(filled(dark[None]), filled(template[None]))
    assert torch.equal(filled(template[None])[0, 0] > 0, template.amax(dim=0) > 0)
    assert float(filled(torch.zeros(1, 3, 8, 8)).sum()) == 0


class Toy(nn.Module):
    """What decodes and what recognises, small and differentiable, all frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.ConvTranspose2d(4, 3, 8, 8)
        self.arcface = build_iresnet(pva_files.face_net(), "tiny")
        self.requires_grad_(False)

    @property
    def look(self) -> Observers:
        return Observers(self.decoder, self.arcface, lambda x: x.mean(dim=-1).flatten(1), FIVE)


@pytest.fixture(scope="module")
def toy() -> Toy:
    torch.manual_seed(3)
    return Toy()


def subject(count: int) -> Subject:
    source = torch.Generator().manual_seed(5)
    template = torch.stack([tiny.toy_template(n) for n in range(count)])
    points = (tiny.POINTS * SIDE).expand(count, -1, -1)
    return Subject(
        points,
        points,
        torch.randn(count, 512, generator=source),
        template,
        template.mean(dim=-1).flatten(1),
    )


def test_terms_are_those_of_the_formula(toy: Toy) -> None:
    estimate, without = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    weights = Weights(0.3, 0.2, 0.1)
    total, terms = image_loss(estimate, without, torch.tensor([10, 390]), subject(2), toy.look, weights)
    vectors = [toy.arcface(aligned_faces(toy.decoder(x), subject(2).points)) for x in (estimate, without)]
    cosine = torch.cosine_similarity
    assert terms["identity"] == pytest.approx(float((1 - cosine(vectors[0], subject(2).person)).mean()))
    assert terms["alignment"] == pytest.approx(float((1 - cosine(*vectors)).mean()))
    assert 0 < terms["expression"] < 2
    expected = 0.3 * terms["identity"] + 0.2 * terms["alignment"] + 0.1 * terms["expression"]
    assert float(total) == pytest.approx(float(expected))


def test_above_the_cut_nothing_counts_and_below_it_each_alone(toy: Toy) -> None:
    estimate, without = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    estimate.requires_grad_(True)
    weights = Weights(cut=400)
    late, _ = image_loss(estimate, without, torch.tensor([400, 999, 401]), subject(3), toy.look, weights)
    assert float(late) == 0
    mixed, _ = image_loss(estimate, without, torch.tensor([400, 399, 900]), subject(3), toy.look, weights)
    mixed.backward()
    assert estimate.grad is not None
    assert estimate.grad[[0, 2]].abs().max() == 0 and estimate.grad[1].abs().max() > 0
    one = torch.tensor([1])
    alone, _ = image_loss(
        estimate[1:2], without[1:2], torch.tensor([399]), subject(3).only(one), toy.look, weights
    )
    assert float(mixed.detach()) == pytest.approx(float(alone.detach()) / 3)


def test_gradients_reach_the_estimate_alone(toy: Toy) -> None:
    estimate, without = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    estimate.requires_grad_(True)
    without.requires_grad_(True)
    image_loss(estimate, without, torch.tensor([1, 2]), subject(2), toy.look, Weights())[0].backward()
    assert estimate.grad is not None and estimate.grad.abs().max() > 0
    assert without.grad is None  # the stop-gradient side
    assert all(parameter.grad is None for parameter in toy.parameters())


def test_a_template_is_its_own_expression(toy: Toy) -> None:
    """A picture that shows the template where the points say has no distance from it."""
    from training.emojidiff.ica import _as_template

    place = FIVE.float() * 224 - 0.5
    template = tiny.toy_template(1)[None]
    one = Subject(place[None] + 5, place[None], torch.zeros(1, 512), template, torch.zeros(1, 1))
    assert torch.allclose(_as_template(2 * template - 1, one, toy.look), template, atol=1e-3)
    assert TEMPLATE.shape == FIVE.shape
