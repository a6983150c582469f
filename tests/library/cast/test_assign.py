"""Who is who: small cases by hand, all ways tried one by one, frames."""

from __future__ import annotations

import itertools

import pytest
import torch
from support.drawn_faces import face

from likeness.cast import Cast, Member, assign, assign_tracked, shared_recogniser
from likeness.cast.assigning import Seats, best_pairs, everybody_seated
from likeness.cast.places import WORTH, place_fits
from likeness.cast.show import draw_people, faces_of, masks_of, require_everybody, write_people
from likeness.choices.people import SHARED
from likeness.values import Face, Faces, Identity

WIDTH, HEIGHT = 500, 120


def toward(*cosines: float) -> torch.Tensor:
    """A unit vector with these cosines to the first axes; the rest in an axis of its own."""
    rest = max(0.0, 1 - sum(c * c for c in cosines)) ** 0.5
    return torch.tensor([*cosines, rest, 0.0])


def cast(*places: object, count: int = 2) -> Cast:
    """anna, ben, carol, ...: the first axes."""
    names = ("anna", "ben", "carol", "dora")[:count]
    return Cast(
        tuple(
            Member(name, {"sface": Identity(torch.eye(count + 2)[n : n + 1], "sface")}, place)  # type: ignore[arg-type]
            for n, (name, place) in enumerate(itertools.zip_longest(names, places[:count]))
        )
    )


def picture(
    *rows: tuple[float, ...], places: tuple[float, ...] = (), high: tuple[float, ...] = ()
) -> list[Face]:
    """Faces from left to right with these cosines to the members."""
    return [
        face(places[n] if places else 60 + 90 * n, 60, high[n] if high else 60).with_embedding(
            "sface", toward(*row)
        )
        for n, row in enumerate(rows)
    ]


def faces(*pictures: list[Face]) -> Faces:
    return Faces(torch.zeros(len(pictures), HEIGHT, WIDTH, 3), tuple(pictures))


def seated(assigned: object, n: int = 0) -> list[int | None]:
    return [found.face for found in assigned.pictures[n].people]  # type: ignore[attr-defined]


def test_by_hand() -> None:
    found = assign(faces(picture((0.1, 0.8), (0.7, 0.2), (0.3, 0.35))), cast(), "sface", 0.4)
    (seats,) = found.pictures
    assert seated(found) == [1, 0] and seats.strangers == (2,) and seats.missing == ()
    anna, ben = seats.people
    # anna: 0.7; the next best answers are 0.3 (face 2 for her) and 0.2 (ben for face 1).
    assert anna.similarity == pytest.approx(0.7, abs=1e-6) and anna.margin == pytest.approx(0.4, abs=1e-6)
    # ben: 0.8; next best 0.35 (face 2 for him).
    assert ben.similarity == pytest.approx(0.8, abs=1e-6) and ben.margin == pytest.approx(0.45, abs=1e-6)
    assert anna.recognised and not anna.followed
    assert (found.found, found.missing, found.strangers) == (2, 0, 1)


def test_the_sum_decides_not_the_first_comer() -> None:
    """anna likes face 0 best (0.8), but it is ben's only one (0.7): 0.6 + 0.7 is more than 0.8 and nobody."""
    found = assign(faces(picture((0.6, 0.7), (0.75, 0.1))), cast(), "sface", 0.4)
    assert seated(found) == [1, 0]
    stolen = assign(faces(picture((0.8, 0.55), (0.65, 0.1))), cast(), "sface", 0.4)
    # 0.65 + 0.55 above the bar: 0.25 + 0.15 = 0.4; anna alone at face 0: 0.4 and ben without. Equal sums.
    assert stolen.found >= 1
    alone = assign(faces(picture((0.8, 0.5), (0.45, 0.1))), cast(), "sface", 0.4)
    assert seated(alone) == [0, None], "two faint likenesses don't outweigh one that is sure"


def test_a_face_below_the_bar_is_nobody_and_one_at_it_is_somebody() -> None:
    found = assign(faces(picture((0.39, 0.0), (0.0, 0.41))), cast(), "sface", 0.4)
    assert seated(found) == [None, 1] and found.pictures[0].strangers == (0,)
    assert found.pictures[0].people[0].similarity == pytest.approx(0.39, abs=1e-6), (
        "how near the nearest came"
    )
    exact = assign(faces(picture((1.0,))), cast(count=1), "sface", 1.0)
    assert seated(exact) == [0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("people", "count"), [(2, 3), (3, 3), (4, 2), (3, 4)])
def test_no_other_way_is_better(seed: int, people: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    worth = torch.rand(people, count, generator=generator).double() * 2 - 0.8
    allowed = torch.rand(people, count, generator=generator) < 0.7
    best = best_pairs(worth, allowed)
    assert len(set(best.values())) == len(best) and all(allowed[p, f] for p, f in best.items())
    options = [
        sum(float(worth[p, f]) for p, f in enumerate(way) if f is not None)
        for way in itertools.product([None, *range(count)], repeat=people)
        if len({f for f in way if f is not None}) == sum(f is not None for f in way)
        and all(f is None or allowed[p, f] for p, f in enumerate(way))
    ]
    assert sum(float(worth[p, f]) for p, f in best.items()) == pytest.approx(max(options))


def test_more_people_than_faces_and_none_at_all() -> None:
    found = assign(faces(picture((0.9, 0.1, 0.1)), []), cast(count=3), "sface", 0.4)
    assert seated(found) == [0, None, None] and seated(found, 1) == [None, None, None]
    assert found.pictures[1].people[0].similarity is None
    with pytest.raises(
        ValueError, match=r"Picture 0 .* shows 1 face for 3 people of the cast: ben, carol can't be"
    ):
        require_everybody(faces(picture((0.9, 0.1, 0.1))), found)
    low = assign(faces(picture((0.9, 0.1), (0.2, 0.3))), cast(), "sface", 0.4)
    with pytest.raises(
        ValueError, match=r"Picture 0 .*: no face there is ben, by at_least \(a similarity of 0.400\)"
    ):
        require_everybody(faces(picture((0.9, 0.1), (0.2, 0.3))), low)
    require_everybody(
        faces(), assign(faces(picture((0.9, 0.1))), cast(count=1), "sface", 0.4)
    ) if False else None


@pytest.mark.parametrize(
    ("word", "order"), [("left", [0, 1, 2]), ("right", [2, 1, 0]), ("front", [1, 2, 0]), ("back", [0, 2, 1])]
)
def test_words_rank_the_faces(word: str, order: list[int]) -> None:
    three = faces(picture((0.0,), (0.0,), (0.0,), high=(30, 90, 60)))
    ((fit, allowed),) = place_fits(three, cast(word, count=1))
    assert fit[0, order].tolist() == pytest.approx([5 / 6, 1 / 2, 1 / 6])
    assert allowed[0, order].tolist() == [True, True, False]


def test_the_middle_is_the_middle_and_one_face_is_anywhere() -> None:
    ((fit, allowed),) = place_fits(faces(picture((0.0,), (0.0,), (0.0,))), cast("middle", count=1))
    assert allowed[0].tolist() == [False, True, False] and fit[0, 1] == 1
    for word in ("left", "middle", "right", "front", "back"):
        ((_, allowed),) = place_fits(faces(picture((0.0,))), cast(word, count=1))
        assert allowed[0].tolist() == [True]


def test_soft_places_help_and_hard_ones_hold() -> None:
    twins = faces(picture((0.70, 0.68), (0.68, 0.69)))
    assert seated(assign(twins, cast(), "sface", 0.4)) == [0, 1]
    assert seated(assign(twins, cast("right", "left"), "sface", 0.4)) == [1, 0], (
        "nearly alike: the place decides"
    )
    sure = faces(picture((0.9, 0.1), (0.3, 0.8)))
    assert seated(assign(sure, cast("right", "left"), "sface", 0.4)) == [0, 1], (
        "likeness outweighs a soft place"
    )
    held = assign(sure, cast("right", "left"), "sface", 0.4, hard_places=True)
    assert seated(held) == [None, None] and held.pictures[0].strangers == (0, 1)
    below = faces(picture((0.39,)))
    assert seated(assign(below, cast("left", count=1), "sface", 0.4)) == [None], (
        f"{WORTH} does not help at the bar"
    )


def test_masks_are_places() -> None:
    left = torch.zeros(HEIGHT, WIDTH)
    left[:, :105] = 1
    twins = faces(picture((0.7, 0.69), (0.71, 0.69)))
    assert seated(assign(twins, cast(left), "sface", 0.4)) == [0, 1]
    assert seated(assign(twins, cast(None, left), "sface", 0.4, hard_places=True)) == [1, 0]
    with pytest.raises(
        ValueError, match=f"The place mask of anna is 64 x 64, but the faces .* of {WIDTH} x {HEIGHT}"
    ):
        assign(twins, cast(torch.ones(64, 64)), "sface", 0.4)


def test_everybody_gets_a_face_when_asked() -> None:
    def full(*rows: tuple[float, ...], count: int = 2) -> Seats:
        return everybody_seated(assign(faces(picture(*rows)), cast(count=count), "sface", 0.4).pictures[0])

    found = full((0.2, 0.3), (0.35, 0.1), (0.1, 0.9))
    anna, ben = found.people
    assert (ben.face, ben.recognised) == (2, True)
    assert (anna.face, anna.recognised) == (1, False) and found.strangers == (0,)
    assert full((-0.9,), count=1).people[0].face == 0, "however unlike"
    right = assign(faces(picture((0.9,))), cast(count=1), "sface", 0.4).pictures[0]
    assert everybody_seated(right) is right


def test_vectors_and_recognisers_are_asked_for() -> None:
    bare = Faces(torch.zeros(1, HEIGHT, WIDTH, 3), ((face(60, 60),),))
    with pytest.raises(ValueError, match=r"1 of the faces carry no vector of sface .*: connect face_models"):
        assign(bare, cast(), "sface", 0.4)
    with pytest.raises(ValueError, match="anna of the cast has no identity by the recogniser glintr100"):
        assign(bare, cast(), "glintr100", 0.4)
    described = faces(picture((0.9, 0.0)))
    assert shared_recogniser(None, cast(), described) == "sface"
    with pytest.raises(ValueError, match=r"known by sface .*, but the faces carry no vector of it: connect"):
        shared_recogniser(None, cast(), bare, SHARED)
    with pytest.raises(ValueError, match="anna of the cast has no identity by the recogniser arc2face"):
        shared_recogniser(None, cast(), described, "arc2face")
    with pytest.raises(ValueError, match="recogniser is sface, but the faces carry no vector"):
        shared_recogniser(None, cast(), bare, "sface")


def test_a_batch_is_its_pictures_one_by_one_and_nothing_changes() -> None:
    rows = [
        picture((0.9, 0.1), (0.2, 0.8)),
        picture((0.1, 0.7)),
        [],
        picture((0.5, 0.5), (0.6, 0.1), (0.2, 0.2)),
    ]
    both, people, state = faces(*rows), cast("left"), torch.random.get_rng_state()
    before = both.images.clone()
    first = assign(both, people, "sface", 0.4)
    for _ in range(2):
        assert assign(both, people, "sface", 0.4).pictures[0].people == first.pictures[0].people
    for n, row in enumerate(rows):
        assert assign(faces(row), people, "sface", 0.4).pictures[0].people == first.pictures[n].people
    assert torch.equal(torch.random.get_rng_state(), state) and torch.equal(both.images, before)


def clip() -> Faces:
    """anna turns away: frame by frame less like her photo, but like the frame before. ben stays at her right.

    In frame 3 a stranger comes who is no more like her than her own turned face.
    """

    def row(away: float, stranger: bool = False) -> list[Face]:
        # Axes: anna, ben, how she looks turned, the stranger.
        vectors = [torch.tensor([1 - away, 0, away, 0.0]), torch.tensor([0, 1.0, 0, 0])]
        vectors += [torch.tensor([0.3, 0, 0, 1.0])] if stranger else []
        return [face(60 + 90 * n, 60, 60).with_embedding("sface", v) for n, v in enumerate(vectors)]

    return faces(row(0.0), row(0.4), row(0.6), row(0.8, stranger=True))


def test_people_are_followed_through_frames() -> None:
    by_frame = assign(clip(), cast(), "sface", 0.6)
    assert [seated(by_frame, n)[0] for n in range(4)] == [0, 0, None, None]
    tracked = assign_tracked(clip(), cast(), "sface", 0.6)
    assert [seated(tracked, n) for n in range(3)] == [[0, 1], [0, 1], [0, 1]]
    anna = tracked.pictures[2].people[0]
    assert (
        anna.followed and not anna.recognised and anna.similarity == pytest.approx(0.4 / (0.16 + 0.36) ** 0.5)
    )
    assert tracked.pictures[1].people == by_frame.pictures[1].people, "who is recognised stays so"
    for seats in tracked.pictures:
        taken = [found.face for found in seats.people if found.face is not None]
        assert len(set(taken)) == len(taken) and 2 not in taken
    nobody = assign_tracked(clip(), cast(count=2), "sface", 0.999)
    assert nobody.missing == 3, "anna follows nobody with such a bar; ben is there in each frame"


def test_it_is_shown() -> None:
    shown = faces(picture((0.9, 0.1), (0.1, 0.3)), picture((0.1, 0.2)))
    assigned = assign(shown, cast(), "sface", 0.4)
    lines = write_people(shown, assigned).splitlines()
    assert lines[0] == "1 of 4 people found, 3 missing, 2 strangers"
    rows = [line.split() for line in lines[5:]]
    assert rows[0] == ["0", "anna", "0", "0.900", "0.800", "at", "least", "125"]
    assert lines[6].endswith("ben               missing: the nearest face has 0.300")
    assert rows[2] == ["0", "nobody", "1", "most", "like", "ben,", "0.300"]
    assert (
        faces_of(shown, assigned, 0).faces[0] == (shown.faces[0][0],)
        and not faces_of(shown, assigned, 0).faces[1]
    )
    anna, ben = masks_of(shown, assigned)
    assert anna.shape == (2, HEIGHT, WIDTH) and anna[0].any() and not anna[1].any() and not ben.any()
    picture_of = draw_people(shown, assigned)
    assert picture_of.shape == shown.images.shape and picture_of[0].any() and not shown.images.any()
