"""Inversion on denoisers whose way is known: linear ones, of EPS and flow models. Spec B.8, B12."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from likeness.sampling.inversion import FIRST_SIGMA, Inversion, flipped, low_part, relative_error

Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
SPREAD = torch.tensor([0.5, 1.0, 2.0]).repeat(8)


def noisy_gaussian(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The best denoiser of pictures with these spreads under added noise: linear in x."""
    variance = SPREAD**2
    return x * variance / (variance + sigma[:, None] ** 2)


def flow_gaussian(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The same where the picture fades as the noise comes: x = (1 - sigma) picture + sigma noise."""
    fade, variance = 1 - sigma[:, None], SPREAD**2
    return x * fade * variance / (fade**2 * variance + sigma[:, None] ** 2)


#: Denoiser and the noise level half-way.
MODELS = {"eps": (noisy_gaussian, 1.6), "flow": (flow_gaussian, 0.6)}


@pytest.fixture
def picture() -> torch.Tensor:
    return SPREAD * torch.randn(2, 24, generator=torch.Generator().manual_seed(5))


def way_down(model: Denoiser, x: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Euler's steps as textbooks write them."""
    for i in range(len(part) - 1):
        prediction = (x - model(x, part[i].expand(len(x)))) / part[i]
        x = x + prediction * (part[i + 1] - part[i])
    return x


def round_trip(
    model: Denoiser, picture: torch.Tensor, top: float, steps: int, refinements: int = 0
) -> tuple[float, float | None]:
    """(measured, estimated) error."""
    part = torch.linspace(top, 0, steps + 1)
    inversion = Inversion(refinements)
    inverted = inversion(model, picture, flipped(part))
    return relative_error(way_down(model, inverted, part), picture), inversion.estimate


# The way and its error


@pytest.mark.parametrize("kind", MODELS)
def test_the_way_up_arrives_where_the_ode_does(kind: str, picture: torch.Tensor) -> None:
    model, top = MODELS[kind]
    exact = picture * (1 if kind == "eps" else 1 - top)
    exact = exact * (SPREAD**2 + (top / (1 if kind == "eps" else 1 - top)) ** 2).sqrt() / SPREAD
    errors = [
        relative_error(Inversion()(model, picture, flipped(torch.linspace(top, 0, steps + 1))), exact)
        for steps in (50, 100)
    ]
    assert errors[1] < 0.02 and errors[1] / errors[0] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("refinements", [0, 1])
def test_the_error_falls_with_the_step(kind: str, refinements: int, picture: torch.Tensor) -> None:
    """Half the step: half of it, and a quarter with one refinement."""
    errors = [round_trip(*_given(kind, picture), steps, refinements)[0] for steps in (8, 16)]
    assert errors[1] / errors[0] == pytest.approx(0.5 ** (1 + refinements), rel=0.2)


@pytest.mark.parametrize("kind", MODELS)
def test_refinements_lower_the_error(kind: str, picture: torch.Tensor) -> None:
    errors = [round_trip(*_given(kind, picture), 6, refinements)[0] for refinements in range(4)]
    assert all(later < 0.5 * earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize("refinements", [0, 2])
def test_a_constant_prediction_is_undone(refinements: int, picture: torch.Tensor) -> None:
    """But for what the recipe leaves out: it begins at 0.0001 and ends at 0."""
    # In float64: at so little noise, float32 knows the prediction to three digits.
    picture = picture.double()
    noise = torch.randn(2, 24, generator=torch.Generator().manual_seed(6)).double()
    part = torch.linspace(1.6, 0, 5, dtype=torch.float64)

    def constant(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x - sigma[:, None] * noise

    inversion = Inversion(refinements)
    inverted = inversion(constant, picture, flipped(part))
    left_out = FIRST_SIGMA * float((noise.norm(dim=1) / picture.norm(dim=1)).max())
    assert relative_error(way_down(constant, inverted, part), picture) == pytest.approx(left_out, rel=0.01)
    assert inversion.estimate == pytest.approx(left_out, rel=0.01)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("steps", [3, 10, 40])
@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_the_estimate_is_of_the_right_size(
    kind: str, steps: int, refinements: int, picture: torch.Tensor
) -> None:
    measured, estimated = round_trip(*_given(kind, picture), steps, refinements)
    assert estimated is not None and 0.45 < estimated / measured < 2.2


def _given(kind: str, picture: torch.Tensor) -> tuple[Denoiser, torch.Tensor, float]:
    model, top = MODELS[kind]
    return model, picture, top


def test_a_single_step_has_no_estimate(picture: torch.Tensor) -> None:
    assert round_trip(noisy_gaussian, picture, 1.6, 1)[1] is None


def test_levels_that_stand_still_do_no_harm(picture: torch.Tensor) -> None:
    for levels in ([1.0, 0.5, 0.5, 0.0], [1.0, 1.0, 0.5, 0.0], [1.0, 0.5, 0.0]):
        inversion = Inversion(1)
        found = inversion(noisy_gaussian, picture, flipped(torch.tensor(levels)))
        assert inversion.estimate is not None and 0 < inversion.estimate < 1
        if levels.count(0.5) > 1:
            repeated = found
    assert torch.equal(repeated, found)


def test_the_worst_picture_of_a_batch_counts() -> None:
    wanted = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    assert relative_error(wanted + torch.tensor([0.0, 0.1]), wanted) == pytest.approx(0.2)


@pytest.mark.parametrize("refinements", [0, 2])
def test_no_call_is_made_for_the_estimate_and_nothing_is_changed(
    refinements: int, picture: torch.Tensor
) -> None:
    asked: list[float] = []
    seen: list[tuple[int, float]] = []

    def model(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        asked.append(float(sigma[0]))
        return noisy_gaussian(x, sigma)

    given, part = picture.clone(), torch.linspace(1.0, 0, 5)
    Inversion(refinements)(
        model, picture, flipped(part), callback=lambda facts: seen.append((facts["i"], float(facts["sigma"])))
    )
    ascending = flipped(part).tolist()
    assert asked == [sigma for low, high in pairwise(ascending) for sigma in [low] + refinements * [high]]
    assert seen == list(enumerate(ascending[:-1]))
    assert torch.equal(picture, given) and part[-1] == 0


def test_refinements_are_counted_from_0() -> None:
    with pytest.raises(ValueError, match="refinements must be 0 or more"):
        Inversion(-1)


# The part of the schedule


def test_a_noise_level_parts_any_schedule() -> None:
    sigmas = torch.tensor([14.6, 6.0, 3.0, 1.5, 0.5, 0.03, 0.0])
    assert low_part(sigmas, 0.5, 1.6).tolist() == sigmas[3:].tolist()
    assert low_part(sigmas, 0.5, 1.5).tolist() == sigmas[3:].tolist()  # a step exactly there
    assert low_part(sigmas, 0.95, 99.0).tolist() == sigmas.tolist()
    assert torch.equal(flipped(sigmas[3:]), torch.tensor([1e-4, 0.03, 0.5, 1.5]))


@pytest.mark.parametrize(("gamma", "steps"), [(0.5, 5), (0.6, 6), (0.05, 0), (0.1, 1), (0.95, 9)])
def test_a_flow_is_parted_by_counting(gamma: float, steps: int) -> None:
    shifted = torch.linspace(1, 0, 11)
    shifted = 3 * shifted / (1 + 2 * shifted)
    if not steps:
        with pytest.raises(ValueError, match=r"none of the 10 steps .* larger gamma"):
            low_part(shifted, gamma, None)
    else:
        assert low_part(shifted, gamma, None).tolist() == shifted[-steps - 1 :].tolist()


@pytest.mark.parametrize(
    ("sigmas", "gamma", "level", "words"),
    [
        ([3.0, 1.0, 0.5], 0.5, 1.6, r"must end at 0, but end at 0\.5"),
        ([0.0, 1.0, 3.0], 0.5, 1.6, "must fall"),
        ([3.0, float("nan"), 0.0], 0.5, 1.6, "must fall"),
        ([], 0.5, 1.6, r"one step or more, not of shape \[0\]"),
        ([0.0], 0.5, 1.6, "one step or more"),
        ([[3.0, 0.0]], 0.5, 1.6, "one step or more"),
        ([14.6, 3.0, 0.0], 0.5, 1.6, r"none of the 2 steps .*noise level 1\.6; the lowest step is 3\)"),
        ([1.0, 0.0], 0.5, None, "none of the 1 steps"),
        ([14.6, 1.0, 0.0], 0.5, None, "flow model"),
        ([3.0, 1.0, 0.0], 0.0, 1.6, "gamma must be from 0.05 to 0.95, not 0.0"),
        ([3.0, 1.0, 0.0], float("nan"), 1.6, "gamma must be"),
    ],
)
def test_a_schedule_or_gamma_that_leaves_nothing_is_told(
    sigmas: list[float], gamma: float, level: float | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        low_part(torch.tensor(sigmas), gamma, level)
