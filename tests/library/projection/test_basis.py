"""Rows without some directions: closed forms, in float64, and the spec's numbers."""

from __future__ import annotations

import pytest
import torch
from support.conditioning_golden import Conditioned
from support.golden import relative_error

from likeness.methods.projection import basis, project_out

GOLDEN = Conditioned()
EXACT = 1e-13


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


X, UNWANTED = numbers(77, 48), numbers(5, 48, seed=1)
V = basis(UNWANTED)


@pytest.mark.parametrize("alpha", ["0.5", "1.0"])
def test_the_formula_of_the_spec(alpha: str) -> None:
    made = project_out(GOLDEN["decor.x"], basis(GOLDEN["decor.u"]), float(alpha))
    assert relative_error(made, GOLDEN[f"decor.out_{alpha}"]) < 1e-6


def test_dependent_rows_have_fewer_directions() -> None:
    assert basis(GOLDEN["decor.u"]).shape == (48, 4)
    assert basis(torch.cat([UNWANTED, UNWANTED])).shape == (48, 5)


def test_it_is_a_projection_of_that_rank() -> None:
    p = V @ V.T
    assert (p @ p - p).abs().max() < EXACT and (p - p.T).abs().max() < EXACT
    assert abs(float(p.trace()) - 5) < 48 * EXACT


def test_nothing_is_x_itself() -> None:
    assert project_out(X, V, 0.0) is X


def test_all_of_it_leaves_nothing_of_the_unwanted() -> None:
    made = project_out(X, V, 1.0)
    assert (made @ UNWANTED.T).abs().max() < 1e-12
    assert relative_error(project_out(made, V, 1.0), made) < EXACT


@pytest.mark.parametrize(("one", "other"), [(0.2, 0.7), (0.5, 0.5), (1.0, 0.3)])
def test_twice_is_once_with_what_is_left(one: float, other: float) -> None:
    together = 1 - (1 - one) * (1 - other)
    made = project_out(project_out(X, V, one), V, other)
    assert relative_error(made, project_out(X, V, together)) < EXACT


def test_lengths_and_copies_of_unwanted_rows_do_not_matter() -> None:
    scaled = UNWANTED * torch.tensor([3.0, 0.5, 1.0, 7.0, 2.0])[:, None]
    for rows in (scaled, UNWANTED.flip(0), torch.cat([UNWANTED, UNWANTED[:2]])):
        assert relative_error(project_out(X, basis(rows), 0.5), project_out(X, V, 0.5)) < 1e-12


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_no_row_grows(alpha: float) -> None:
    assert (project_out(X, V, alpha).norm(dim=-1) <= X.norm(dim=-1) + EXACT).all()


def test_a_rank_takes_the_strongest() -> None:
    strong = numbers(1, 48, seed=3) * 100
    one = basis(torch.cat([UNWANTED, strong]), rank=1)
    assert one.shape == (48, 1)
    assert float((strong / strong.norm() @ one).abs()) > 0.99
    assert basis(UNWANTED, rank=9).shape == (48, 5)


def test_a_prompt_keeps_its_kind_and_is_not_changed() -> None:
    x = X.half()
    before = x.clone()
    made = project_out(x, V, 0.5)
    assert made.dtype == torch.float16 and torch.equal(x, before)


@pytest.mark.parametrize(
    ("rows", "rank", "said"),
    [
        (torch.zeros(3, 8), 0, "are all zeros, so there is no direction to take out"),
        (torch.zeros(0, 8), 0, "unwanted has no words"),
        (torch.full((2, 8), torch.inf), 0, "hold NaN or infinity"),
        (torch.ones(2, 8), -1, "rank must be 0"),
    ],
)
def test_rows_without_a_direction(rows: torch.Tensor, rank: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        basis(rows, rank)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_too_much(alpha: float) -> None:
    with pytest.raises(ValueError, match="strength must be from 0 to 1"):
        project_out(X, V, alpha)


def test_another_width() -> None:
    with pytest.raises(ValueError, match="The prompt is 48 wide, the unwanted words 8"):
        project_out(X, basis(numbers(2, 8)), 0.5)
