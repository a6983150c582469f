"""Mixing, comparing and sampling identities, against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from likeness.algebra.compare import compare_identities, draw_pairs
from likeness.algebra.mix import mix_identities, parse_weights
from likeness.algebra.sample import TRIES, sample_identities
from likeness.values import Identity


def random(
    seed: int, n: int = 1, size: int = 512, length: float = 20.0, recogniser: str = "sface"
) -> Identity:
    vectors = torch.randn(n, size, generator=torch.Generator().manual_seed(seed))
    return Identity(vectors * length / size**0.5, recogniser, source=f"person {seed}")


def people(*vectors: list[float], recogniser: str = "sface") -> dict[str, Identity]:
    return {f"identity_{i}": Identity(torch.tensor([v]), recogniser) for i, v in enumerate(vectors)}


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def plain_sum(vectors: list[list[float]], weights: list[float]) -> list[float]:
    """The weighted sum of unit vectors at the weighted mean length, number by number."""
    lengths = [math.sqrt(dot(v, v)) for v in vectors]
    total = [0.0] * len(vectors[0])
    for vector, length, weight in zip(vectors, lengths, weights, strict=True):
        for place, value in enumerate(vector):
            total[place] += weight * value / length
    size = sum(abs(w) for w in weights)
    wanted = sum(abs(w) * length for w, length in zip(weights, lengths, strict=True)) / size
    norm = math.sqrt(dot(total, total))
    return [value / norm * wanted for value in total]


def means(given: dict[str, Identity]) -> list[list[float]]:
    return [i.embeddings.double().mean(dim=0).tolist() for i in given.values()]


@pytest.mark.parametrize(
    ("mode", "text", "weights"),
    [
        ("mean", "", [1, 1, 1]),
        ("mean", "3, 1,0.5", [3, 1, 0.5]),
        ("add-subtract", "1, 0.5, -0.75", [1, 0.5, -0.75]),
    ],
)
def test_sums_are_those_of_a_plain_loop(mode: str, text: str, weights: list[float]) -> None:
    given = {f"identity_{i}": random(i, n=i + 1, length=10.0 + 5 * i) for i in range(3)}
    mixed = mix_identities(given, text, mode)
    assert mixed.embeddings.shape == (1, 512)
    assert mixed.embeddings.dtype == torch.float32
    wanted = torch.tensor(plain_sum(means(given), weights))
    assert torch.allclose(mixed.embeddings[0], wanted, rtol=1e-6, atol=1e-7)


def test_the_length_is_the_mean_length_whatever_the_angle() -> None:
    given = people([4.0, 0.0], [0.0, 2.0])
    for mode in ("mean", "slerp", "add-subtract"):
        assert float(mix_identities(given, "", mode).embeddings.norm()) == pytest.approx(3.0)
        assert float(mix_identities(given, "3, 1", mode).embeddings.norm()) == pytest.approx(3.5)
    assert float(mix_identities(given, "3, -1", "add-subtract").embeddings.norm()) == pytest.approx(3.5)


def test_slerp_goes_along_the_sphere() -> None:
    angle = 1.1
    given = people([1.0, 0.0, 0.0], [math.cos(angle), math.sin(angle), 0.0])
    for first, second in ((1, 0), (3, 1), (1, 1), (0.2, 0.6), (0, 2)):
        went = angle * second / (first + second)
        got = mix_identities(given, f"{first}, {second}", "slerp").embeddings[0].tolist()
        assert got == pytest.approx([math.cos(went), math.sin(went), 0.0], abs=1e-6)


def test_slerp_of_several_is_one_after_the_other() -> None:
    given = {f"identity_{i}": random(i) for i in range(3)}
    pair = {name: given[name] for name in ("identity_0", "identity_1")}
    first = mix_identities(pair, "1, 2", "slerp")
    then = mix_identities({"identity_0": first, "identity_1": given["identity_2"]}, "3, 1.5", "slerp")
    at_once = mix_identities(given, "1, 2, 1.5", "slerp")
    assert torch.allclose(at_once.embeddings, then.embeddings, rtol=1e-5, atol=1e-6)


def test_slerp_of_nearly_the_same_does_not_divide_by_nothing() -> None:
    for angle in (0.0, 1e-9, 1e-5, 0.9e-4, 1.1e-4, 1e-3):
        near = Identity(torch.tensor([[math.cos(angle), math.sin(angle)]]), "sface")
        given = {"identity_0": Identity(torch.tensor([[1.0, 0.0]]), "sface"), "identity_1": near}
        got = mix_identities(given, "3, 1", "slerp").embeddings[0]
        assert got.tolist() == pytest.approx([math.cos(angle / 4), math.sin(angle / 4)], abs=1e-7)


def test_opposites_have_no_way_between_them() -> None:
    for other in ([-1.0, 0.0], [-2.0, 1e-4]):
        with pytest.raises(ValueError, match="slerp: identity_1 is the opposite of what comes before it"):
            mix_identities(people([1.0, 0.0], other), "", "slerp")
    kept = mix_identities(people([1.0, 0.0], [-1.0, 0.0]), "1, 0", "slerp")
    assert kept.embeddings.tolist() == [[1.0, 0.0]]


def test_weight_zero_is_not_there_and_one_alone_stays() -> None:
    given = {"identity_0": random(1), "identity_1": random(2, length=90.0)}
    for mode in ("mean", "slerp", "add-subtract"):
        assert torch.allclose(mix_identities(given, "1, 0", mode).embeddings, given["identity_0"].embeddings)
        assert torch.allclose(mix_identities(given, "0, 2", mode).embeddings, given["identity_1"].embeddings)
        alone = mix_identities({"identity_0": given["identity_0"]}, "", mode)
        assert torch.allclose(alone.embeddings, given["identity_0"].embeddings)


def test_only_proportions_of_the_weights_matter() -> None:
    given = {"identity_0": random(1), "identity_1": random(2)}
    for mode in ("mean", "slerp"):
        small, large = (mix_identities(given, text, mode).embeddings for text in ("0.1, 0.3", "10, 30"))
        assert torch.allclose(small, large, rtol=1e-5, atol=1e-6)


def test_several_embeddings_count_by_their_weighted_mean() -> None:
    rows = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    heavy = Identity(rows, "sface", weights=torch.tensor([3.0, 1.0]))
    got = mix_identities({"identity_0": heavy}).embeddings[0].tolist()
    assert got == pytest.approx([2.25, 0.25])


def test_sockets_count_in_order_of_their_numbers() -> None:
    given = {"identity_10": random(10), "identity_2": random(2), "identity_0": random(0)}
    mixed = mix_identities(given, "1, 2, 3")
    assert mixed.source == "mean of 1 x [person 0], 2 x [person 2], 3 x [person 10]"
    wanted = plain_sum([given[f"identity_{i}"].embeddings[0].tolist() for i in (0, 2, 10)], [1, 2, 3])
    assert torch.allclose(mixed.embeddings[0], torch.tensor(wanted), rtol=1e-6, atol=1e-7)


def test_the_recipe_stays_short_and_names_the_nameless() -> None:
    long = Identity(torch.ones(1, 4), "sface", source="word " * 500)
    mixed = mix_identities(
        {"identity_0": long, "identity_1": Identity(torch.ones(1, 4), "sface")}, "1,-0.5", "add-subtract"
    )
    assert mixed.source.startswith("add-subtract of 1 x [word word")
    assert mixed.source.endswith("...], -0.5 x [identity_1]")
    assert len(mixed.source) < 200
    assert mixed.recogniser == "sface"


def test_what_cancels_out_is_refused() -> None:
    same = {"identity_0": random(1), "identity_1": random(1, length=70.0)}
    with pytest.raises(ValueError, match="identity_0 and identity_1 cancel each other out"):
        mix_identities(same, "1, -1", "add-subtract")
    with pytest.raises(ValueError, match="cancel each other out"):
        mix_identities(people([1.0, 0.0], [-5.0, 0.0]), "", "mean")
    nobody = Identity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), "sface")
    with pytest.raises(ValueError, match="identity_0: its embeddings cancel"):
        mix_identities({"identity_0": nobody})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1", r"'1' holds 1, but 2 identities are connected \(identity_0, identity_1\)"),
        ("1, 2, 3", "holds 3, but 2"),
        ("0,5, 1", "decimals with a point"),
        ("1, much", "'much' is no number in '1, much'"),
        ("1,", "'' is no number"),
        ("1, nan", "'nan' is no number"),
        ("inf, 1", "'inf' is no number"),
        ("0, 0", "all are 0"),
        ("1, -1", "-1 is negative, and mean takes none. Choose the mode add-subtract"),
    ],
)
def test_bad_weights_are_explained(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"weights: .*{says}"):
        mix_identities(people([1.0, 0.0], [0.0, 1.0]), text)


def test_weights_are_read_as_written() -> None:
    assert parse_weights(" 1,0.5 , -2e-1", ["a", "b", "c"]).tolist() == [1.0, 0.5, -0.2]
    assert parse_weights("  ", ["a", "b"]).tolist() == [1.0, 1.0]


def test_people_who_do_not_fit_together_are_refused() -> None:
    other = {"identity_0": random(0, recogniser="glintr100"), "identity_1": random(1)}
    for use in (mix_identities, sample_identities):
        with pytest.raises(
            ValueError, match=r"identity_0 .*glintr100 \(antelopev2.*identity_1 by sface \(the emb"
        ):
            use(other)
        with pytest.raises(ValueError, match="identity_0 holds vectors of 512 numbers, identity_1 of 128"):
            use({"identity_0": random(0), "identity_1": random(1, size=128)})
        with pytest.raises(ValueError, match="No identity is connected"):
            use({})
    with pytest.raises(ValueError, match=r"identity_a was made by .*glintr100.*identity_b by sface"):
        compare_identities(*other.values())
    with pytest.raises(ValueError, match=r"'nlerp'.*mean, slerp, add-subtract"):
        mix_identities(people([1.0, 0.0]), mode="nlerp")


def test_similarity_is_the_cosine_of_the_means_and_pairs_are_all_cosines() -> None:
    a, b = random(1, n=2), random(2, n=3)
    similarity, pairs, report = compare_identities(a, b)
    x, y = means({"a": a, "b": b})
    assert similarity == pytest.approx(dot(x, y) / math.sqrt(dot(x, x) * dot(y, y)), abs=1e-6)
    for row, one in enumerate(a.embeddings.double().tolist()):
        for column, two in enumerate(b.embeddings.double().tolist()):
            cosine = dot(one, two) / math.sqrt(dot(one, one) * dot(two, two))
            assert float(pairs[row, column]) == pytest.approx(cosine, abs=1e-6)
            assert f"{float(pairs[row, column]):.3f}" in report
    lines = report.splitlines()
    assert lines[-3].split() == ["b0", "b1", "b2"]
    assert [line.split()[0] for line in lines[-2:]] == ["a0", "a1"]


@pytest.mark.parametrize(
    ("cosine", "verdict"), [(0.61, "the same person"), (0.5, "undecided"), (0.39, "different people")]
)
def test_only_a_measured_bar_is_claimed(cosine: float, verdict: str) -> None:
    def pair(recogniser: str) -> list[Identity]:
        return list(people([1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)], recogniser=recogniser).values())

    similarity, _, report = compare_identities(*pair("sface"))
    assert similarity == pytest.approx(cosine)
    rule, rare, flatters = report.splitlines()[1:]
    assert rule.endswith(f"{verdict}.")
    assert rare.startswith("one stranger in: at least 125. ") and "OpenCV" in rare
    assert "made with a sface identity, the number flatters" in flatters
    assert "0.6 or more" in report and "0.4 or less" in report
    for recogniser in ("glintr100", "arc2face", "ms1mv3_r50"):
        _, _, report = compare_identities(*pair(recogniser))
        assert f"No rule of thumb was measured for {recogniser}" in report
        assert "same person" not in report
        assert "one stranger in: not calibrated. Nobody has published" in report


def test_a_huge_table_is_left_to_the_matrix() -> None:
    _, pairs, report = compare_identities(random(1, n=30), random(2, n=30))
    assert "The table of 30 x 30 pairs is too large" in report
    assert len(report.splitlines()) == 6
    assert draw_pairs(pairs).shape == (1, 48 + 30 * 64, 48 + 30 * 64, 3)


def test_the_matrix_shows_the_cosines_in_colour() -> None:
    picture = draw_pairs(torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.25, 0.75]]))
    assert picture.shape == (1, 48 + 2 * 96, 48 + 3 * 96, 3)
    assert picture.dtype == torch.float32
    assert float(picture.min()) >= 0 and float(picture.max()) <= 1
    corners = picture[0, 48 + 4 :: 96, 48 + 4 :: 96]  # of the cells, away from the numbers
    orange, blue = torch.tensor([230, 97, 0]) / 255, torch.tensor([33, 113, 181]) / 255
    assert torch.allclose(corners[0, 0], orange)
    assert torch.equal(corners[0, 1], torch.ones(3))
    assert torch.allclose(corners[0, 2], blue)
    assert torch.allclose(corners[1, 0], 1 + (orange - 1) / 2, atol=1 / 255)
    for row in range(2):
        for column in range(3):
            cell = picture[0, 48 + row * 96 : 144 + row * 96, 48 + column * 96 : 144 + column * 96]
            assert float((cell - corners[row, column]).abs().max()) > 0.2, "a number stands in every cell"
    assert draw_pairs(torch.zeros(300, 2)).shape == (1, 48 + 300 * 6, 48 + 2 * 6, 3)


def distances(made: Identity, given: list[Identity]) -> list[float]:
    """Cosine distances of the new to the given, to the means of these, and to each other."""
    known = [row for i in given for row in [*i.embeddings, i.mean]]
    rows = list(made.embeddings)
    cosine = torch.nn.functional.cosine_similarity
    found = [1 - float(cosine(row.double(), other.double(), dim=0)) for row in rows for other in known]
    return found + [
        1 - float(cosine(a.double(), b.double(), dim=0)) for i, a in enumerate(rows) for b in rows[:i]
    ]


@pytest.mark.parametrize("min_distance", [0.0, 0.4, 0.55])
def test_new_people_keep_their_distance(min_distance: float) -> None:
    given = {"identity_0": random(1, n=2), "identity_1": random(2), "identity_2": random(3, length=40.0)}
    made = sample_identities(given, 12, 0.6, min_distance, seed=5)
    assert made.embeddings.shape == (12, 512)
    assert made.recogniser == "sface"
    assert min(distances(made, list(given.values()))) >= min_distance - 1e-6
    lengths = torch.cat([i.embeddings for i in given.values()]).norm(dim=1)
    assert torch.allclose(made.embeddings.norm(dim=1), lengths.mean().expand(12))


def test_the_defaults_work_even_for_two_photos_of_one_person() -> None:
    one = random(1)
    twice = torch.cat([one.embeddings, one.embeddings + 0.3 * random(2).embeddings])
    for seed in range(20):
        sample_identities({"identity_0": Identity(twice, "sface")}, seed=seed)


def test_spread_is_a_share_of_a_right_angle() -> None:
    row = random(1).embeddings
    same = {"identity_0": Identity(torch.cat([row, row]), "sface")}  # every mix of them is that person
    for spread in (0.0, 0.25, 0.5, 1.0):
        made = sample_identities(same, 3, spread, 0.0, seed=1)
        cosines = torch.nn.functional.cosine_similarity(made.embeddings, row)
        assert torch.allclose(cosines, torch.full((3,), math.cos(spread * math.pi / 2)), atol=1e-5)


def test_without_spread_people_are_convex_mixes() -> None:
    given = {f"identity_{i}": random(i) for i in range(3)}
    basis = torch.cat([i.unit for i in given.values()]).double().T
    made = sample_identities(given, 10, 0.0, 0.0, seed=2).embeddings.double()
    shares = torch.linalg.lstsq(basis, made.T).solution
    assert (shares >= -1e-6).all()
    assert torch.allclose(basis @ shares, made.T, atol=1e-5)
    assert float(shares.std(dim=1).min()) > 0.5, "everyone's share varies"


def test_the_same_seed_makes_the_same_people_and_nothing_else_is_drawn() -> None:
    given = {"identity_0": random(1), "identity_1": random(2)}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = sample_identities(given, 6, seed=11)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(sample_identities(given, 6, seed=11).embeddings, first.embeddings)
    assert torch.equal(sample_identities(given, 3, seed=11).embeddings, first.embeddings[:3])
    other = sample_identities(given, 6, seed=12)
    assert float(torch.nn.functional.cosine_similarity(first.embeddings, other.embeddings).max()) < 0.9
    assert sample_identities(given, 1, seed=2**64 - 1).embeddings.shape == (1, 512)


def test_the_sample_says_where_it_came_from() -> None:
    made = sample_identities({"identity_0": random(1), "identity_1": random(2)}, 2, seed=7)
    assert made.source == ("2 new people, spread 0.6, min_distance 0.4, seed 7, from [person 1], [person 2]")


def test_what_can_not_be_sampled_is_explained() -> None:
    given = {"identity_0": random(1), "identity_1": random(2)}
    with pytest.raises(ValueError, match="at least two embeddings; identity_0 holds one and is alone"):
        sample_identities({"identity_0": random(1)})
    with pytest.raises(
        ValueError, match=rf"Only 0 of 5 new.* no further than 0\.\d+ .*in {TRIES} tries.*\(0\.9\)"
    ):
        sample_identities(given, 5, 0.1, 0.9)
    crowd = {"identity_0": random(1, n=2, size=3)}
    with pytest.raises(
        ValueError, match=r"Only [1-9]\d* of 200 new people.*Lower min_distance \(0\.4\) or count"
    ):
        sample_identities(crowd, 200, 0.9, 0.4)
    for bad in ({"count": 0}, {"spread": 1.5}, {"spread": math.nan}, {"min_distance": -0.1}):
        with pytest.raises(ValueError, match="count must be 1 or more"):
            sample_identities(given, **bad)


def test_inputs_stay_as_they_are() -> None:
    given = {"identity_0": random(1, n=3), "identity_1": random(2)}
    before = {name: i.embeddings.clone() for name, i in given.items()}
    for mode in ("mean", "slerp", "add-subtract"):
        mixed = mix_identities(given, "", mode)
        mixed.embeddings.add_(1)
    alone = mix_identities({"identity_1": given["identity_1"]})
    alone.embeddings.zero_()
    sample_identities(given).embeddings.zero_()
    _, pairs, _ = compare_identities(*given.values())
    copy = pairs.clone()
    draw_pairs(pairs).zero_()
    assert torch.equal(pairs, copy)
    assert list(given) == ["identity_0", "identity_1"]
    assert all(torch.equal(before[name], i.embeddings) for name, i in given.items())
