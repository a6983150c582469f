"""How PVA's samples are drawn, and the loss as a picture. Spec A.5, A.5.1."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
import torch

from likeness.methods.pva.learning import TIMESTEPS, Lesson, View, lessons, mirrored, strata
from likeness.methods.pva.loss_curve import draw_curve, smoothed
from likeness.sampling.noised import noised


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(pictures: int, count: int, seed: int = 0) -> list[Lesson]:
    return list(islice(lessons(pictures, seeded(seed)), count))


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_each_part_of_the_schedule_gives_one_timestep(parts: int) -> None:
    generator = seeded()
    drawn = torch.stack([strata(parts, generator) for _ in range(3000)])
    for n in range(parts):
        low, high = TIMESTEPS * n // parts, TIMESTEPS * (n + 1) // parts
        column = drawn[:, n]
        assert low <= column.min() and column.max() < high
        assert column.min() < low + 5 and column.max() > high - 6, "the whole part is used"
        assert abs(float(column.float().mean()) - (low + high - 1) / 2) < 12


def test_noise_is_added_as_the_network_was_trained() -> None:
    alphas = torch.linspace(0.99, 0.01, TIMESTEPS)
    clean, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    found = noised(clean, noise, torch.tensor([0, 999]), alphas)
    assert torch.allclose(found[0], 0.99**0.5 * clean[0] + 0.01**0.5 * noise[0], atol=1e-6)
    assert torch.allclose(found[1], 0.01**0.5 * clean[1] + 0.99**0.5 * noise[1], atol=1e-6)


def test_pictures_are_mirrored_one_by_one() -> None:
    pictures = torch.rand(400, 3, 2, 4)
    found = mirrored(pictures, seeded())
    turned = [bool(torch.equal(a, b.flip(-1))) for a, b in zip(found, pictures, strict=True)]
    as_is = [bool(torch.equal(a, b)) for a, b in zip(found, pictures, strict=True)]
    assert all(a != b for a, b in zip(turned, as_is, strict=True)) and 150 < sum(turned) < 250
    assert torch.equal(mirrored(pictures, seeded(), 0.0), pictures)
    assert torch.equal(mirrored(pictures, seeded(), 1.0), pictures.flip(-1))


def test_a_round_visits_every_picture_with_all_others_beside_it() -> None:
    for start in range(0, 40, 4):
        targets = [lesson.target.place for lesson in some(4, 40)[start : start + 4]]
        assert sorted(targets) == [0, 1, 2, 3]
    for lesson in some(4, 40):
        *others, last = lesson.references
        assert sorted(v.place for v in others) == sorted({0, 1, 2, 3} - {lesson.target.place})
        assert last == others[-1].turned and len(lesson.references) == 4
    seen = Counter(view for lesson in some(4, 400) for view in (lesson.target, *lesson.references))
    assert len(seen) == 8 and min(seen.values()) > 150, "as they are and mirrored alike"


def test_a_single_picture_is_known_by_its_mirror_image() -> None:
    lessons_of_one = some(1, 40)
    assert all(lesson.references == (lesson.target.turned,) for lesson in lessons_of_one)
    assert {lesson.target for lesson in lessons_of_one} == {View(0, False), View(0, True)}


def test_a_seed_repeats_itself() -> None:
    assert some(5, 20, seed=3) == some(5, 20, seed=3) != some(5, 20, seed=4)


def test_the_mean_starts_without_a_bias() -> None:
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0] * 3)
    falling = smoothed([5.0, 4.0, 3.0, 2.0])
    assert falling == sorted(falling, reverse=True) and falling[0] == 5.0


def test_the_curve_is_drawn_over_all_steps() -> None:
    half = draw_curve([1.0, 0.8, 0.6], steps=6)
    full = draw_curve([1.0, 0.8, 0.6, 0.5, 0.4, 0.3], steps=6)
    assert half.shape == full.shape == (1, 320, 512, 3) and half.min() >= 0 and half.max() <= 1
    orange = [(p[0, 24:280, :, 0] - p[0, 24:280, :, 2] > 0.3).any(dim=0).nonzero() for p in (half, full)]
    assert orange[0].min() == orange[1].min() and orange[0].max() < 300 < 480 < orange[1].max()
    assert torch.isfinite(draw_curve([0.5], steps=1)).all()
    with pytest.raises(ValueError, match="losses that are numbers"):
        draw_curve([float("nan")], steps=2)
    with pytest.raises(ValueError, match="losses that are numbers"):
        draw_curve([], steps=2)
