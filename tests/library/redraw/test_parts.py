"""The parts of repairing, each by itself: seeds, ranges, who judges, who should be whom, seams, what is
kept.
"""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.drawn_faces import face, noise
from support.redrawing import cast, member, redraw

from likeness.cast import Member
from likeness.faces.crops import crop_faces
from likeness.faces.masks import face_masks
from likeness.redraw.judge import OTHER, appoint
from likeness.redraw.kept import Try, forget, key_of, tried
from likeness.redraw.look import eye_distance, no_better, to_picture
from likeness.redraw.plain import plain
from likeness.redraw.seam import put_back, room_for
from likeness.redraw.seeds import seed_of
from likeness.redraw.settings import Settings
from likeness.redraw.value import DenoiseRange, Redraw
from likeness.redraw.who import judge
from likeness.values import Face, Faces, Identity

AXES = torch.eye(512)[:, None]


def axis(n: int, lean: float = 1.0, towards: int = 500) -> torch.Tensor:
    """A vector whose cosine with axis n is `lean`."""
    return lean * AXES[n, 0] + (1 - lean**2) ** 0.5 * AXES[towards, 0]


def somebody(n: int) -> Identity:
    return Identity(AXES[n], "sface")


class Models:
    """Face models with recognisers of these names; the files of `missing` are not there."""

    name = "the test's"

    def __init__(self, *recognisers: str, missing: tuple[str, ...] = ()) -> None:
        self.recognisers, self.missing = list(recognisers), missing

    def recogniser(self, name: str) -> str:
        if name in self.missing:
            from likeness.weights.find import MissingModel

            raise MissingModel(f"{name} is missing")
        return name


def test_a_seed_for_each_person_and_try() -> None:
    seeds = {seed_of(seed, name, n) for seed in (0, 1) for name in ("a", "b") for n in range(3)}
    assert len(seeds) == 12 and all(0 <= seed < 2**48 for seed in seeds)
    assert seed_of(7, "Ann", 1) == seed_of(7, "Ann", 1)


def test_denoise_stays_in_its_range() -> None:
    reach = DenoiseRange(0.2, 0.5, 0.9)
    assert [reach.fit(wanted) for wanted in (0, 0.1, 0.3, 1.0)] == [0.5, 0.2, 0.3, 0.9]
    with pytest.raises(ValueError, match=r"denoise is 0\.1; this way to redraw takes from 0\.2 to 0\.9"):
        DenoiseRange(0.2, 0.1, 0.9)


def test_settings_say_what_is_wrong() -> None:
    for wrong, sentence in (
        ({"tries": 0}, "tries must be 1 or more"),
        ({"region": "head"}, "region must be one of face, whole crop"),
        ({"size": 100}, "crop_size must be 0"),
    ):
        with pytest.raises(ValueError, match=sentence):
            Settings(0.4, **wrong)
    with pytest.raises(ValueError, match="align must be one of"):
        redraw(align="sideways")


def test_any_model_draws_whom_it_names() -> None:
    way = plain("model", [], [], "vae", None, person=" Ann, Bob ,")
    assert way.people == ("Ann", "Bob") and way.draws("Bob") and not way.draws("Cid")
    assert plain("model", [], [], "vae", None).draws("Cid")
    assert way.pleases == "" and way.prepare(None) == ("model", [], [])


def two() -> Any:
    return cast(member("Ann", somebody(0)), member("Ben", somebody(1)))


def test_the_judge_is_another_than_who_draws() -> None:
    both = Models("glintr100", "sface")
    assert appoint(both, two(), "glintr100").recogniser == "sface"
    assert appoint(both, two(), "sface").recogniser == "glintr100"
    assert "not known" in appoint(both, two(), "").says
    assert appoint(both, two(), "glintr100", "sface").recogniser == "sface"
    same = appoint(Models("glintr100"), two(), "glintr100", allow_same=True)
    assert same.recogniser == "glintr100" and "flatter" in same.says


def test_a_judge_that_can_t_be_has_its_sentence() -> None:
    for models, drawn_by, wanted, sentence in (
        (Models(), "glintr100", OTHER, "have no recogniser, so nobody can judge"),
        (Models("glintr100"), "glintr100", OTHER, "it finds what it ordered"),
        (Models("auraface"), "glintr100", OTHER, "Nobody can judge: face_models"),
        (Models("sface"), "glintr100", "arc2face", "recogniser is arc2face, but face_models"),
        (Models("auraface"), "glintr100", "auraface", "Ann of the cast has no identity by the recogniser"),
        (Models("glintr100"), "glintr100", "glintr100", "it finds what it ordered"),
        (Models("sface", missing=("sface",)), "glintr100", OTHER, "sface is missing"),
    ):
        with pytest.raises(ValueError if "missing" not in sentence else Exception, match=sentence):
            appoint(models, two(), drawn_by, wanted)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Who is seen in a picture: faces with the vectors a test gives, from left to right."""

    def show(*pictures: list[torch.Tensor]) -> torch.Tensor:
        images = torch.zeros(len(pictures), 200, 600, 3)
        found = [
            [face(60 + 120 * n, 100).with_embedding("sface", vector) for n, vector in enumerate(vectors)]
            for vectors in pictures
        ]
        faces = Faces(images, tuple(tuple(row) for row in found))
        monkeypatch.setattr("likeness.redraw.who.detect", lambda models, images: faces)
        monkeypatch.setattr("likeness.redraw.who.embed", lambda models, faces, name: faces)
        return images

    return show


def said(judged: Any) -> list[tuple[int, int, str, bool]]:
    return [(one.picture, one.place, one.name, one.right) for one in judged.verdicts]


def test_who_is_right_and_who_should_be_whom(looks: Any) -> None:
    """Ann is right; the one who is left should be Ben."""
    images = looks([axis(7), axis(0, 0.6)])
    judged = judge(Models(), images, two(), "sface", 0.4)
    assert said(judged) == [(0, 1, "Ann", True), (0, 0, "Ben", False)]
    assert [one.name for one in judged.wrong] == ["Ben"] and not judged.missing and judged.strangers == 0


def test_among_strangers_only_who_resembles_is_taken(looks: Any) -> None:
    images = looks([axis(0, 0.9), axis(7), axis(8)], [axis(0, 0.9), axis(1, 0.25), axis(8)])
    judged = judge(Models(), images, two(), "sface", 0.4)
    assert said(judged) == [(0, 0, "Ann", True), (1, 0, "Ann", True), (1, 1, "Ben", False)]
    assert judged.missing == ((0, "Ben"),) and judged.strangers == 3


def test_at_a_place_a_stranger_is_taken_for_the_person(looks: Any) -> None:
    people = cast(member("Ann", somebody(0), "left"))
    images = looks([axis(7), axis(8), axis(9)])
    assert said(judge(Models(), images, people, "sface", 0.4)) == [(0, 0, "Ann", False)]


def test_the_swapped_are_wrong_only_where_places_are_hard(looks: Any) -> None:
    people = cast(member("Ann", somebody(0), "left"), member("Ben", somebody(1), "right"))
    images, models = looks([axis(1, 0.9), axis(0, 0.9)]), Models()
    hard, soft = (judge(models, images, people, "sface", 0.4, places) for places in (True, False))
    assert said(hard) == [(0, 0, "Ann", False), (0, 1, "Ben", False)]
    assert all(one.right for one in soft.verdicts)


def test_a_face_that_is_more_like_another_of_the_cast_is_not_right(looks: Any) -> None:
    """Ben's face stands where Ann should; they are alike enough for it to reach her bar."""
    corner = torch.zeros(200, 600)
    corner[:10, :10] = 1
    people = cast(member("Ann", somebody(0), "left"), member("Ben", somebody(1), corner))
    both = torch.nn.functional.normalize(0.5 * AXES[0, 0] + 0.8 * AXES[1, 0], dim=0)
    judged = judge(Models(), looks([both]), people, "sface", 0.4)
    assert said(judged) == [(0, 0, "Ann", False)] and judged.verdicts[0].like == "Ben"
    assert judged.verdicts[0].similarity >= 0.4 and judged.missing == ((0, "Ben"),)
    alone = judge(Models(), looks([both]), cast(member("Ann", somebody(0), "left")), "sface", 0.4)
    assert said(alone) == [(0, 0, "Ann", True)]
    twins = cast(member("Ann", somebody(0), "left"), member("Bea", somebody(0), corner))
    assert said(judge(Models(), looks([both]), twins, "sface", 0.4)) == [(0, 0, "Ann", True)]


def test_without_hard_places_the_assignment_says_whose_a_face_is(looks: Any) -> None:
    """Sisters: the left face is a little more like the one who stands on the right."""
    people = cast(member("Ann", somebody(0), "left"), member("Bea", somebody(1), "right"))
    left, right = (
        torch.nn.functional.normalize(one * AXES[0, 0] + other * AXES[1, 0], dim=0)
        for one, other in ((0.60, 0.65), (0.62, 0.60))
    )
    images = looks([left, right])
    soft, hard = (judge(Models(), images, people, "sface", 0.4, places) for places in (False, True))
    assert said(soft) == [(0, 0, "Ann", True), (0, 1, "Bea", True)]
    assert said(hard) == [(0, 0, "Ann", False), (0, 1, "Bea", False)]


@pytest.mark.parametrize(
    ("was", "best", "now", "refused"),
    [
        ((0.1, ""), None, (0.5, ""), ""),
        ((0.1, ""), None, (0.3, ""), ""),
        ((0.1, ""), None, (0.05, ""), "not more like the person"),
        ((0.1, ""), None, (0.5, "Joe"), "more like Joe"),
        ((0.1, ""), (0.3, ""), (0.2, ""), "not more like the person"),
        ((0.6, "Joe"), None, (0.45, ""), ""),
        ((0.6, "Joe"), None, (0.3, ""), "not more like the person"),
        ((0.6, "Joe"), None, (0.65, "Joe"), ""),
        ((0.6, "Joe"), (0.65, "Joe"), (0.45, ""), ""),
        ((0.6, "Joe"), (0.65, "Joe"), (0.62, "Joe"), "not more like the person"),
        ((0.6, "Joe"), (0.65, ""), (0.7, "Joe"), "not more like the person"),
    ],
)
def test_which_try_is_better(was: Any, best: Any, now: Any, refused: str) -> None:
    """(similarity, whose it is rather) of the face, the best try before, and this one; the bar is 0.4."""
    task, settings = SimpleNamespace(similarity=was[0], like=was[1]), SimpleNamespace(at_least=0.4)
    before = None if best is None else Try(torch.zeros(1), 1, 0, *best)
    assert no_better(SimpleNamespace(task=task, settings=settings), *now, before) == refused  # type: ignore[arg-type]


def test_followed_people_keep_their_face(looks: Any) -> None:
    """In the second frame Ann is below the bar, but near what she was; a stranger stands beside her."""
    near = torch.nn.functional.normalize(axis(0, 0.5) + axis(0, 0.2), dim=0)
    images = looks([axis(0, 0.5), axis(7)], [axis(8), near * 0 + axis(0, 0.39)])
    alone = cast(member("Ann", somebody(0)))
    judged = judge(Models(), images, alone, "sface", 0.4, tracked=True)
    assert said(judged)[-1] == (1, 1, "Ann", False)


def test_who_is_followed_leaves_the_other_face_to_the_other(looks: Any) -> None:
    """Ann is followed to the first face, though the second is more like her: that one should be Ben."""
    turned = torch.nn.functional.normalize(axis(0, 0.5, 7), dim=0)
    later = torch.nn.functional.normalize(0.3 * AXES[0, 0] + 0.1 * AXES[1, 0] + AXES[7, 0], dim=0)
    images = looks([turned, axis(1, 0.9)], [later, axis(0, 0.35, 9)])
    judged = judge(Models(), images, two(), "sface", 0.4, tracked=True)
    assert said(judged)[2:] == [(1, 0, "Ann", False), (1, 1, "Ben", False)]
    assert not judged.missing and judged.strangers == 0


def test_a_soft_place_is_no_reason_to_redraw_a_stranger_elsewhere(looks: Any) -> None:
    """Her place is empty; two strangers stand where she was not put."""
    place = torch.zeros(200, 600)
    place[:, 500:] = 1
    people, images = cast(member("Ann", somebody(0), place)), looks([axis(7), axis(8)])
    judged = judge(Models(), images, people, "sface", 0.4, hard_places=False)
    assert not judged.verdicts and judged.missing == ((0, "Ann"),) and judged.strangers == 2
    place[:, :120] = 1
    judged = judge(Models(), images, people, "sface", 0.4, hard_places=False)
    assert said(judged) == [(0, 0, "Ann", False)]


def test_a_seam_leaves_others_whole() -> None:
    picture = noise(1, 200, 300, 3)
    own, other = face(110, 100), face(190, 100)
    marked = [Face(f.box, f.keypoints, 1.0, _outline(f)) for f in (own, other)]
    crops, _ = crop_faces(Faces(picture, ((marked[0],),)), 96, margin=1.0)
    room = room_for(picture, marked[0], marked[1:], crops, 8)
    assert room is not None
    pasted = put_back(picture, torch.zeros(1, 96, 96, 3), crops, torch.ones(1, 96, 96), room, 8, "none")
    hull = face_masks(Faces(picture, (tuple(marked[1:]),)), "hull")[0] > 0
    assert torch.equal(pasted[0][hull], picture[0][hull])
    _, y1, x2, y2 = (round(v) for v in other.box.tolist())
    assert torch.equal(pasted[:, y1:y2, 155:x2], picture[:, y1:y2, 155:x2])  # where own does not reach
    assert torch.equal(pasted[:, :, 151:], picture[:, :, 151:])  # hair and shoulders of the other one
    assert (
        not torch.equal(pasted, picture)
        and float((pasted[0, 100, 105] - picture[0, 100, 105]).abs().max()) > 0.1
    )
    assert room_for(picture, marked[0], [], crops, 8) is None


def placed(place: torch.Tensor, one: Face) -> tuple[torch.Tensor, torch.Tensor]:
    """Where noise differs after a black crop was pasted into it, and where the face is: bool [H, W]."""
    picture = noise(1, *place.shape, 3)
    own = Face(one.box, one.keypoints, 1.0, _outline(one))
    crops, _ = crop_faces(Faces(picture, ((own,),)), 96, margin=1.0)
    room = room_for(picture, own, [], crops, 8, place)
    pasted = put_back(picture, torch.zeros(1, 96, 96, 3), crops, torch.ones(1, 96, 96), room, 8, "none")
    inside = face_masks(Faces(picture, ((own,),)), "hull")[0] > 0
    return (pasted != picture)[0].any(-1), inside


def test_a_seam_leaves_all_outside_of_a_place_but_the_face() -> None:
    """The place ends beside the middle of the face: it is drawn to its outline, what is around it not."""
    place = torch.zeros(200, 300)
    place[:, :120] = 0.6
    changed, inside = placed(place, face(110, 100))
    assert not changed[(place == 0) & ~inside].any()
    assert changed[inside & (place == 0)].any()
    assert changed[:, :120].sum() > inside[:, :120].sum()  # hair and shoulders as well


def test_a_face_is_new_to_its_outline_where_its_place_ends_there() -> None:
    """However wide the seam: old and new are mixed in a sixteenth of its height alone."""
    picture, one = noise(1, 200, 300, 3), face(150, 100)
    own = Face(one.box, one.keypoints, 1.0, _outline(one))
    single = Faces(picture, ((own,),))
    box, hull = (face_masks(single, region)[0] > 0 for region in ("box", "hull"))
    crops, _ = crop_faces(single, 96, margin=1.0)
    room = room_for(picture, own, [], crops, 32, box.float())
    assert room is not None and float((room[hull] > 0.9).float().mean()) > 0.7
    assert not room[45:155, 90:109].any()


def test_a_face_that_left_its_place_is_drawn_where_it_is() -> None:
    place = torch.zeros(200, 300)
    place[:, 250:] = 1
    changed, inside = placed(place, face(110, 100))
    assert changed[inside].all() and changed.sum() > 1.5 * inside.sum()


def test_another_far_away_keeps_what_is_nearer_to_them() -> None:
    """Whose box lies outside of the crop, and a small one in front of a large one's hair."""
    picture = noise(1, 200, 600, 3)
    one, far, small = face(110, 100), face(320, 100), face(175, 100, high=20)
    crops, _ = crop_faces(Faces(picture, ((one,),)), 96, margin=2.0)
    room = room_for(picture, one, [far], crops, 1)
    assert room is not None and not room[60:140, 216:300].any() and room[100, 180] == 1
    room = room_for(picture, one, [small], crops, 1)
    assert room is not None and not room[90:110, 168:182].any() and room[100, 230] == 1


def _outline(one: Face) -> torch.Tensor:
    turn = torch.arange(24) * (2 * torch.pi / 24)
    x1, y1, x2, y2 = one.box.tolist()
    return torch.stack(
        [(x1 + x2) / 2 + (x2 - x1) / 2 * turn.cos(), (y1 + y2) / 2 + (y2 - y1) / 2 * turn.sin()], 1
    )


def test_a_face_of_a_crop_goes_back_where_it_was() -> None:
    picture = noise(1, 200, 300, 3)
    turned = face(120, 100, degrees=20)
    crops, inside = crop_faces(Faces(picture, ((turned,),)), 96)
    back = to_picture(crops, inside.faces[0][0])
    assert torch.allclose(back.keypoints, turned.keypoints, atol=1e-3)
    assert torch.allclose(back.box.reshape(2, 2).mean(0), turned.box.reshape(2, 2).mean(0), atol=1e-2)
    (width, height), (was_wide, was_high) = back.box[2:] - back.box[:2], turned.box[2:] - turned.box[:2]
    assert max(width / was_wide, height / was_high) < 1.1  # not that of the turned box's corners
    assert eye_distance(turned) == pytest.approx(36, rel=1e-3)


def test_what_is_kept_goes_with_its_redraw() -> None:
    way: Redraw | None = redraw()
    assert way is not None
    tried(way, "a").count = 2
    assert tried(way, "a").count == 2
    forget(way, ["a"])
    assert tried(way, "a").count == 0
    for n in range(100):
        tried(way, f"{n}")
    gone = weakref.ref(way)
    way = None
    gc.collect()
    assert gone() is None


def test_keys_tell_all_that_decides() -> None:
    one = torch.zeros(2, 3)
    keys = {key_of([one], 1), key_of([one], 2), key_of([one + 1], 1), key_of([one.reshape(3, 2)], 1)}
    assert len(keys) == 4 and key_of([one], 1) in keys


def test_a_member_without_the_judges_identity_is_told() -> None:
    people = cast(Member("Ann", {"glintr100": Identity(torch.ones(1, 512), "glintr100")}))
    with pytest.raises(ValueError, match="are known by glintr100"):
        appoint(Models("sface"), people, "glintr100")
