"""Singular values of words made weak or strong: against the authors' code, and by what must hold of any."""

from __future__ import annotations

import time

import pytest
import torch
from support.conditioning_golden import Conditioned
from support.golden import relative_error

from likeness.choices.story import FADE, REWEIGHT
from likeness.methods.story import Reweighting, expressed, reweight

GOLDEN = Conditioned()
STORY = GOLDEN.cases["story"]
FRAMES, ENDS = STORY["frame_rows"], range(STORY["eot_from"], 77)
ROWS = list(range(3, 17))


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("mode", "name"), [(REWEIGHT, "svr"), (FADE, "svr-eot")])
@pytest.mark.parametrize("key", ["l", "g"])
def test_all_frames_are_those_of_the_authors_code(mode: str, name: str, key: str) -> None:
    made = list(expressed(GOLDEN[f"svr.in_{key}"], FRAMES, ENDS, range(3), Reweighting(mode)))
    for frame, x in enumerate(made):
        assert relative_error(x, GOLDEN.frames(name)[frame, key]) <= 1e-6
        assert x.dtype == torch.float32


@pytest.mark.parametrize("wanted", [[0], [2], [0, 2], [1, 2]])
def test_a_frame_by_itself_is_what_it_is_among_others(wanted: list[int]) -> None:
    x = GOLDEN["svr.in_l"]
    every = list(expressed(x, FRAMES, ENDS, range(3), Reweighting()))
    for number, made in zip(wanted, expressed(x, FRAMES, ENDS, wanted, Reweighting()), strict=True):
        assert torch.equal(made, every[number])


@pytest.mark.parametrize("mode", [REWEIGHT, FADE])
def test_who_it_is_stays_to_the_bit_and_so_does_what_came_in(mode: str) -> None:
    x = GOLDEN["svr.in_g"]
    before, kept = x.clone(), [0, *STORY["identity_rows"]]
    for made in expressed(x, FRAMES, ENDS, range(3), Reweighting(mode)):
        assert torch.equal(made[kept], x[kept])
        assert torch.equal(x, before)


def test_a_story_of_ten_frames_is_ready_in_no_time() -> None:
    """In the columns of SDXL's two encoders; the processor's time, for the machine may be busy."""
    x, frames = numbers(77, 2048), [range(10 + 6 * n, 16 + 6 * n) for n in range(10)]

    def seconds() -> float:
        start = time.thread_time()
        for part in (x[:, :768], x[:, 768:]):
            assert len(list(expressed(part, frames, range(70, 77), range(10), Reweighting()))) == 10
        return time.thread_time() - start

    assert min(seconds() for _ in range(3)) < 0.3


def test_a_story_of_one_frame_stays_as_it_is() -> None:
    x = GOLDEN["svr.in_l"]
    (made,) = expressed(x, FRAMES[:1], ENDS, [0], Reweighting())
    assert torch.equal(made, x)


def test_suppressed_words_get_weak_and_the_expressed_strong() -> None:
    x = GOLDEN["svr.in_l"]
    (made,) = expressed(x, FRAMES, ENDS, [0], Reweighting())

    def norm(x: torch.Tensor, frame: int) -> float:
        return float(x[FRAMES[frame]].norm(dim=-1).mean())

    assert norm(made, 0) > norm(x, 0)
    for other in (1, 2):
        assert norm(made, other) < norm(x, other) / 10


def test_nothing_to_change_changes_nothing() -> None:
    x = numbers(77, 128)
    assert relative_error(reweight(x, ROWS, 0.0, 1.0), x.double()) < 1e-12


@pytest.mark.parametrize("factor", [0.05, 3.0])
def test_without_a_rate_rows_are_scaled(factor: float) -> None:
    x, made = numbers(77, 64), reweight(numbers(77, 64), ROWS, 0.0, factor)
    assert relative_error(made[ROWS], factor * x[ROWS].double()) < 1e-12
    others = [row for row in range(77) if row not in ROWS]
    assert torch.equal(made[others], x[others].double())


@pytest.mark.parametrize(("a", "b"), [(0.01, 0.05), (-0.01, 1.0), (0.3, 0.5)])
@pytest.mark.parametrize("width", [8, 96])
def test_singular_values_are_what_the_formula_says(a: float, b: float, width: int) -> None:
    """More rows than columns, too: then most singular values are 0."""
    x = numbers(77, width).double()
    values = torch.linalg.svdvals(x[ROWS])
    found = torch.linalg.svdvals(reweight(x, ROWS, a, b)[ROWS])
    wanted = (b * values * torch.exp(-a * values)).sort(descending=True).values
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_axes_nor_the_order_of_rows_matter(seed: int) -> None:
    x = numbers(77, 48, seed=seed).double()
    turn = torch.linalg.qr(numbers(48, 48, seed=seed + 10).double())[0]
    made = reweight(x, ROWS, 0.01, 0.05)
    assert relative_error(reweight(x @ turn, ROWS, 0.01, 0.05), made @ turn) < 1e-12
    shuffled = [ROWS[n] for n in torch.randperm(len(ROWS), generator=torch.Generator().manual_seed(seed))]
    assert relative_error(reweight(x, shuffled, 0.01, 0.05), made) < 1e-12


def test_rows_of_zeros_stay_zeros() -> None:
    x = numbers(77, 32)
    x[ROWS] = 0
    assert torch.equal(reweight(x, ROWS, 0.01, 0.05), x.double())


@pytest.mark.parametrize("rows", [[], [77], [-1]])
def test_rows_that_are_not_there(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="rows must be some of the 77 rows of the prompt"):
        reweight(numbers(77, 8), rows, 0.01, 0.05)


def test_a_spoilt_embedding() -> None:
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        reweight(torch.full((77, 8), torch.nan), ROWS, 0.01, 0.05)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "louder"}, "mode must be one of reweight, fade, not 'louder'"),
        ({"suppress": -1.0}, "suppress must be 0 or more, not -1.0"),
        ({"enhance_rate": float("nan")}, "enhance_rate must be 0 or more, not nan"),
    ],
)
def test_bad_settings(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Reweighting(**given)  # type: ignore[arg-type]
