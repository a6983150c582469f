"""The measured curve against pairs counted by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from likeness.algebra.calibration import FORMAT, parse
from likeness.algebra.strangers import LEAST_PAIRS, as_curve, measure


def crowd(count: int, each: int, seed: int = 0) -> tuple[torch.Tensor, list[int]]:
    generator = torch.Generator().manual_seed(seed)
    who = torch.randn(count, 1, 16, generator=generator)
    pictures = who + 0.5 * torch.randn(count, each, 16, generator=generator)
    return pictures.reshape(-1, 16), [n for n in range(count) for _ in range(each)]


def test_every_point_counts_its_pairs() -> None:
    vectors, people = crowd(12, 3)
    measured = measure(vectors, people)
    units = torch.nn.functional.normalize(vectors.double(), dim=1)
    pairs = list(itertools.combinations(range(36), 2))
    strangers = [float(units[a] @ units[b]) for a, b in pairs if people[a] != people[b]]
    same = [float(units[a] @ units[b]) for a, b in pairs if people[a] == people[b]]
    assert (measured.people, measured.pictures) == (12, 36)
    assert (measured.strangers, measured.same) == (len(strangers), len(same)) == (594, 36)
    assert len(measured.points) >= 4
    for point in measured.points:
        reach = sum(cosine >= point.similarity for cosine in strangers)
        assert reach >= LEAST_PAIRS and point.one_in == pytest.approx(594 / reach)
        assert point.same == pytest.approx(sum(cosine >= point.similarity for cosine in same) / 36)
        assert point.low <= point.one_in <= point.high
    assert sorted(measured.points, key=lambda p: p.similarity) == list(measured.points)


def test_the_interval_is_of_people() -> None:
    """The same pictures ten times say nothing more of strangers."""
    vectors, people = crowd(20, 1)
    once = measure(vectors, people).points[0]
    often = measure(vectors.repeat_interleave(10, 0), [n for n in people for _ in range(10)]).points[0]
    assert often.one_in == pytest.approx(once.one_in, rel=0.05)
    assert often.high / often.low == pytest.approx(once.high / once.low, rel=0.15)


def test_groups_are_measured_among_themselves() -> None:
    """Two crowds, the second all alike: strangers there are taken for each other more often."""
    far, people = crowd(10, 2, seed=1)
    near = far + 3 * torch.ones(16)
    vectors = torch.cat([far, near])
    whose = people + [n + 10 for n in people]
    groups = ["north"] * 10 + ["south"] * 10
    measured = measure(vectors, whose, groups)
    assert list(measured.groups) == ["north", "south"]
    for north, south in zip(*measured.groups.values(), strict=True):
        assert north.similarity == south.similarity and south.one_in <= north.one_in
    alone = measure(far, people)
    shared = next(p for p in measured.groups["north"] if math.isfinite(p.one_in))
    units = torch.nn.functional.normalize(far.double(), dim=1)
    pairs = [(a, b) for a, b in itertools.combinations(range(20), 2) if people[a] != people[b]]
    reach = sum(float(units[a] @ units[b]) >= shared.similarity for a, b in pairs)
    assert alone.strangers == len(pairs) and shared.one_in == pytest.approx(len(pairs) / reach)


def test_the_file_is_read_back() -> None:
    measured = measure(*crowd(12, 3), ["a", "b"] * 6)
    content = {"format": FORMAT, "recognisers": {"sface": as_curve(measured, "ours")}}
    curve = parse(content, "file")["sface"]
    assert [s for s, _ in curve.points] == pytest.approx([p.similarity for p in measured.points], abs=1e-4)
    assert set(content["recognisers"]["sface"]["groups"]) == {"a", "b"}


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="Pictures of 1 people were found; strangers need at least two"):
        measure(torch.eye(3), [0, 0, 0])
    with pytest.raises(ValueError, match="3 pairs of strangers are too few"):
        measure(torch.eye(3), [0, 1, 2])


def test_the_global_generator_stays_as_it_is() -> None:
    before = torch.random.get_rng_state()
    vectors, people = crowd(12, 3)
    kept = vectors.clone()
    assert measure(vectors, people) == measure(vectors, people)
    assert torch.equal(torch.random.get_rng_state(), before) and torch.equal(vectors, kept)
