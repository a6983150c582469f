"""Repairing pictures: who is judged wrong, what is kept, and that nothing becomes worse."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.redrawing import STEPS, Cancelled, Studio, cast, crop_of, member, person, redraw, side_by_side
from support.tiny_faces import embedded, fitted

import likeness.redraw.cut as cutting
import likeness.redraw.look as look
from likeness.algebra.calibration import Curve
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.masks import face_masks
from likeness.redraw.judge import Judge
from likeness.redraw.look import eye_distance
from likeness.redraw.repair import Repaired, repair, write_table
from likeness.redraw.seeds import seed_of
from likeness.redraw.settings import Settings
from likeness.redraw.who import Judged, Verdict
from likeness.values import Faces, Identity

BAR = 0.4
JUDGE = Judge("sface", "Judge: sface.")
#: Photos are no drawings of one pose.
FREE = {"pose_shift": 0.0, "expression_shift": 0.0}


@pytest.fixture(scope="module")
def room(photos: Any) -> SimpleNamespace:
    models = embedded()
    obama, biden = fitted(photos["obama3"]), fitted(photos["biden"])
    return SimpleNamespace(
        models=models,
        obama=person(models, obama),
        biden=person(models, biden),
        like_obama=crop_of(models, fitted(photos["obama2"])),
        like_biden=crop_of(models, biden),
        stranger=crop_of(models, fitted(photos["astronaut"])),
        alone=biden,
        both=side_by_side(photos["biden"], photos["obama2"]),
    )


def run(room: Any, images: torch.Tensor, people: Any, way: Any = None, **options: Any) -> Repaired:
    settings = Settings(**{"at_least": BAR, **FREE, **options.pop("settings", {})})
    return repair(room.models, images, people, way or redraw(), JUDGE, settings, **options)


def test_a_stranger_in_a_persons_place_becomes_the_person(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    images = room.alone.clone()
    with studio.at_work(monkeypatch):
        done = run(room, images, cast(member("Barack", room.obama)))
    assert torch.equal(images, room.alone) and not torch.equal(done.images, images)
    assert done.passed and done.rows[0].verdict.similarity < BAR <= done.rows[0].similarity
    assert studio.seeds == [seed_of(0, "Barack", 0)] and studio.denoised == [0.5]
    assert studio.steps == studio.total == 1 + 3 * STEPS
    subject = studio.subjects[0]
    assert subject.crop.shape == (1, 256, 256, 3) and subject.mask.shape == (1, 256, 256)
    assert subject.identity is not None and subject.identity.recogniser == "glintr100"
    assert "repaired (try 1" in write_table(done)
    mine = {"sface": Curve(((0.1, 5), (0.2, 50)), "ours")}
    assert "at least 50      1  repaired" in write_table(done, mine) and "Source: ours" in write_table(
        done, mine
    )
    assert " at least 125      1  repaired" in write_table(done)
    assert done.before_after.shape == (1, 448, 896, 3)
    changed = done.masks > 0
    assert 0.01 < float(done.masks.mean()) < 0.5
    assert torch.equal(done.images[~changed], images[~changed])


def test_a_picture_that_is_right_comes_back_itself(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.stranger])
    people = cast(member("Barack", room.obama), member("Joe", room.biden))
    with studio.at_work(monkeypatch):
        done = run(room, room.both, people)
    assert done.images is room.both and done.passed and not studio.subjects
    assert not done.masks.any() and "right, left alone" in write_table(done)


def test_a_face_whose_points_are_beside_it_is_looked_at_once_more(room: Any, monkeypatch: Any) -> None:
    """As the detector has small faces'. Joe is right; Joan is not, and is drawn by where the face is."""
    face = detect(room.models, room.alone).faces[0][0]
    beside = replace(face, keypoints=face.keypoints + 0.3 * eye_distance(face))
    beside = embed(room.models, Faces(room.alone, ((beside,),)), "sface").faces[0][0]

    def judged(*given: Any) -> Judged:
        name = given[2].names[0]
        return Judged(Faces(room.alone, ((beside,),)), (Verdict(0, 0, name, beside, 0.1, "", False),), (), 0)

    monkeypatch.setattr("likeness.redraw.repair.judge", judged)
    studio = Studio([room.stranger])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Joe", room.biden)))
    assert done.images is room.alone and done.passed and not studio.subjects
    assert done.rows[0].verdict.similarity >= BAR
    assert studio.steps == studio.total and "right, left alone" in write_table(done)
    with studio.at_work(monkeypatch):
        run(room, room.alone, cast(member("Joan", person(room.models, room.stranger))))
    points = studio.subjects[0].face.keypoints
    found = detect(room.models, studio.subjects[0].crop).faces[0][0].keypoints
    assert (points - found).norm(dim=1).max() < 0.1 * eye_distance(studio.subjects[0].face)


def test_the_neighbour_who_is_right_stays_to_the_bit(room: Any, monkeypatch: Any) -> None:
    """Joe stands where Joan should be, beside Barack; whatever is drawn over the whole crop."""
    studio = Studio([room.stranger])
    people = cast(member("Barack", room.obama), member("Joan", person(room.models, room.stranger)))
    with studio.at_work(monkeypatch):
        done = run(room, room.both, people, settings={"region": "whole crop", "margin": 3.0})
    right = next(row.verdict for row in done.rows if row.verdict.name == "Barack")
    x1, y1, x2, y2 = (round(v) for v in right.face.box.tolist())
    assert right.right and torch.equal(done.images[:, y1:y2, x1:x2], room.both[:, y1:y2, x1:x2])
    assert not torch.equal(done.images, room.both)


@pytest.mark.parametrize("hard", [True, False])
def test_outside_of_a_place_that_is_a_mask_nothing_changes(room: Any, monkeypatch: Any, hard: bool) -> None:
    """The place is a little wider than Joe's face, the whole crop much wider; drawn is Joan."""
    x1, _, x2, _ = (round(v) for v in detect(room.models, room.alone).faces[0][0].box.tolist())
    place = torch.zeros(room.alone.shape[1:3])
    place[:, x1 - 10 : x2 + 10] = 1
    studio = Studio([room.stranger])
    people = cast(member("Joan", person(room.models, room.stranger), place))
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, people, settings={"region": "whole crop"}, hard_places=hard)
    changed = done.masks[0].bool()
    assert changed[:, x1:x2].any()
    assert bool(changed[place == 0].any()) is not hard


def test_swapped_people_with_places_are_both_redrawn(room: Any, monkeypatch: Any) -> None:
    """Each face is somebody of the cast, only not the one whose place it is."""
    studio = Studio([room.like_obama, room.like_biden])
    people = cast(member("Barack", room.obama, "left"), member("Joe", room.biden, "right"))
    with studio.at_work(monkeypatch):
        done = run(room, room.both, people)
    assert [row.verdict.right for row in done.rows] == [False, False]
    assert done.passed, write_table(done)


def test_a_try_that_is_no_better_is_not_kept(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.stranger, torch.zeros(1, 256, 256, 3)])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)), settings={"tries": 2})
    assert torch.equal(done.images, room.alone) or done.rows[0].similarity > done.rows[0].verdict.similarity
    with studio.at_work(monkeypatch):
        flat = Studio([torch.zeros(1, 256, 256, 3)])
        with flat.at_work(monkeypatch):
            done = run(room, room.alone, cast(member("Barack", room.obama)), redraw(), settings={"tries": 2})
    assert torch.equal(done.images, room.alone) and not done.passed
    assert len(set(flat.seeds)) == 2 and "left as it was: no face was drawn" in write_table(done)


def test_the_best_of_several_is_kept_and_the_first_that_is_right_ends_it(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.stranger, room.like_obama, room.stranger])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)))
    best = done.rows[0].tried
    assert best is not None and best.best is not None and best.best.number == 2
    assert len(studio.seeds) == 2 and done.passed and studio.steps == studio.total


@pytest.fixture(scope="module")
def alike(room: Any) -> SimpleNamespace:
    """A cast of Bo, who looks like Barack and nearly as much like Joe, and of Joe, who is not there."""
    both = [torch.nn.functional.normalize(one.embeddings, dim=1) for one in (room.obama, room.biden)]
    corner = torch.zeros(room.alone.shape[1:3])
    corner[:10, :10] = 1
    bo = member("Bo", Identity(both[0] + 0.8 * both[1], "sface"), 1 - corner)
    return SimpleNamespace(cast=cast(bo, member("Joe", room.biden, corner)))


def test_a_face_that_is_somebody_elses_is_redrawn_though_it_reaches_the_bar(
    room: Any, alike: Any, monkeypatch: Any
) -> None:
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, alike.cast)
    row = done.rows[0]
    assert row.verdict.like == "Joe" and row.verdict.similarity >= BAR and not row.verdict.right
    assert row.right(BAR) and "; was more like Joe" in write_table(done)
    assert "1 of 2 people right (before: 0)" in write_table(done)


def test_a_try_that_is_more_like_another_of_the_cast_is_not_kept(
    room: Any, alike: Any, photos: Any, monkeypatch: Any
) -> None:
    """Joe reaches Bo's bar, and would have ended the tries."""
    images = fitted(photos["astronaut"])
    with (joe := Studio([room.like_biden])).at_work(monkeypatch):
        done = run(room, images, alike.cast, settings={"tries": 2})
    assert torch.equal(done.images, images) and len(joe.seeds) == 2
    assert "left as it was: more like Joe" in write_table(done)
    with (studio := Studio([room.like_biden, room.like_obama])).at_work(monkeypatch):
        done = run(room, images, alike.cast)
    best = done.rows[0].best
    assert best is not None and best.number == 2 and not best.like and len(studio.seeds) == 2


def test_a_try_whose_pose_ran_away_is_not_kept(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama.roll(24, dims=2)])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)), settings={"pose_shift": 0.25})
    assert torch.equal(done.images, room.alone) and "the pose moved by" in write_table(done)


def test_a_try_whose_expression_ran_away_is_not_kept(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)), settings={"expression_shift": 0.001})
    assert torch.equal(done.images, room.alone) and "the expression is" in write_table(done)


class Blind:
    """A measure of expressions that no face is clear enough for."""

    def read(self, faces: Any) -> list[None]:
        return [None]


def test_a_try_whose_expression_cannot_be_read_is_not_kept(room: Any, monkeypatch: Any) -> None:
    """It may have run away. Where the old face's can't be read, there is nothing to keep: the log says so."""
    studio, wanted = Studio([room.like_obama]), cast(member("Barack", room.obama))
    with studio.at_work(monkeypatch):
        monkeypatch.setattr(look, "Measure", Blind)
        done = run(room, room.alone, wanted, settings={"expression_shift": 10.0})
    assert torch.equal(done.images, room.alone) and "no expression can be read" in write_table(done)


def test_an_old_face_without_a_readable_expression_is_said(room: Any, monkeypatch: Any, caplog: Any) -> None:
    studio, wanted = Studio([room.like_obama]), cast(member("Barack", room.obama))
    with studio.at_work(monkeypatch), caplog.at_level("WARNING"):
        monkeypatch.setattr(cutting, "Measure", Blind)
        done = run(room, room.alone, wanted, settings={"expression_shift": 0.001})
    assert not torch.equal(done.images, room.alone)
    assert "no expression can be read off the face that is to be Barack" in caplog.text


def test_strangers_among_more_faces_than_people_are_left_alone(room: Any, monkeypatch: Any) -> None:
    """Nobody can tell which of two strangers should be somebody who is missing."""
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        done = run(room, room.both, cast(member("Joan", person(room.models, room.stranger))))
    assert done.images is room.both and done.judged.missing == ((0, "Joan"),) and done.judged.strangers == 2
    table = write_table(done)
    assert "missing: no face is theirs" in table and "2 faces are nobody's" in table and not done.passed


def test_whoever_a_redraw_does_not_draw_is_left_alone(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    way = redraw(people=("Joe",), recogniser="")
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)), way)
    assert done.images is room.alone and "does not draw Barack" in write_table(done)


def test_a_batch_is_what_its_pictures_are_one_by_one(room: Any, photos: Any, monkeypatch: Any) -> None:
    batch = fitted(photos["biden"], photos["obama2"], photos["astronaut"])
    people = cast(member("Barack", room.obama))
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        whole = run(room, batch, people)
        single = [run(room, one, people) for one in batch.split(1)]
    assert torch.equal(whole.images, torch.cat([one.images for one in single]))
    assert torch.equal(whole.images[1], batch[1]) and whole.passed


def test_three_runs_are_one_and_nobodys_random_numbers_move(room: Any, monkeypatch: Any) -> None:
    studio, people = Studio([room.like_obama]), cast(member("Barack", room.obama))
    before = torch.random.get_rng_state()
    with studio.at_work(monkeypatch):
        first, *others = [run(room, room.alone, people) for _ in range(3)]
    assert all(torch.equal(one.images, first.images) for one in others)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_cancelled_run_is_gone_on_with(room: Any, monkeypatch: Any) -> None:
    """The host ends the node; the next run draws only what is left."""
    people = cast(member("Barack", room.obama, "left"), member("Joe", room.biden, "right"))
    way, studio = redraw(), Studio([room.like_obama, room.like_biden])
    studio.stop_after = 1
    with studio.at_work(monkeypatch):
        with pytest.raises(Cancelled):
            run(room, room.both, people, way)
        studio.stop_after = None
        done = run(room, room.both, people, way)
        assert done.passed and len(studio.seeds) == 2 and studio.steps == studio.total
        whole = Studio([room.like_obama, room.like_biden])
    with whole.at_work(monkeypatch):
        again = run(room, room.both, people, redraw())
    assert torch.equal(done.images, again.images)


@pytest.mark.parametrize(("painted", "drawn"), [(0.0, 2), (1.0, 3)])
def test_a_cancelled_run_begins_again_in_another_place(
    room: Any, monkeypatch: Any, painted: float, drawn: int
) -> None:
    """The first face was drawn before the cancel; it is judged anew where more of its picture may change."""
    height, width = room.both.shape[1:3]
    left = torch.zeros(height, width)
    left[:, : width // 2] = 1
    wider = left.clone()
    wider[:10, width // 2 :] = painted
    way, studio = redraw(), Studio([room.like_obama, room.like_biden, room.like_biden])
    studio.stop_after = 1
    with studio.at_work(monkeypatch):
        with pytest.raises(Cancelled):
            run(room, room.both, _placed(room, left), way, settings={"tries": 1})
        studio.stop_after = None
        run(room, room.both, _placed(room, wider), way, settings={"tries": 1})
    assert len(studio.seeds) == drawn


def test_a_cancelled_run_begins_again_when_another_of_the_cast_is_somebody_else(
    room: Any, monkeypatch: Any
) -> None:
    """Whether a try is rather another one's depends on who that is."""
    left = torch.zeros(room.both.shape[1:3])
    left[:, : left.shape[1] // 2] = 1
    way, studio = redraw(), Studio([room.like_obama, room.like_biden, room.like_biden])
    studio.stop_after = 1
    stranger = person(room.models, room.stranger)
    with studio.at_work(monkeypatch):
        with pytest.raises(Cancelled):
            run(room, room.both, _placed(room, left), way, settings={"tries": 1})
        studio.stop_after = None
        run(room, room.both, _placed(room, left, stranger), way, settings={"tries": 1})
    assert len(studio.seeds) == 3


def _placed(room: Any, place: torch.Tensor, right: Identity | None = None) -> Any:
    return cast(member("Barack", room.obama, place), member("Joe", right or room.biden, "right"))


def test_alpha_and_small_floats_stay(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    images = torch.cat(
        [room.alone, torch.rand(1, 448, 448, 1, generator=torch.Generator().manual_seed(1))], -1
    )
    with studio.at_work(monkeypatch):
        done = run(room, images, cast(member("Barack", room.obama)))
    assert torch.equal(done.images[..., 3], images[..., 3]) and done.passed


def test_notes_say_what_was_asked_for_and_not_done(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        done = run(
            room,
            room.alone,
            cast(member("Barack", room.obama)),
            settings={"denoise": 0.1, "read_expression": True},
        )
    table = write_table(done)
    assert "denoise 0.1 is outside of what the test draws with (0.2 to 1): 0.2 is used" in table
    assert studio.denoised == [0.2] and "takes no expression" in table


def test_no_face_has_its_sentence(room: Any, photos: Any) -> None:
    images = fitted(photos["coffee"])
    with pytest.raises(ValueError, match=r"No face in picture 0 \(counted from 0\). Use other pictures"):
        run(room, images, cast(member("Barack", room.obama)))
    done = run(room, images, cast(member("Barack", room.obama)), if_no_face="pass through")
    assert done.images is images and not done.passed
    with pytest.raises(ValueError, match="if_no_face must be one of error, pass through"):
        run(room, images, cast(member("Barack", room.obama)), if_no_face="skip")


def test_a_redraw_of_a_recogniser_that_the_cast_lacks_has_its_sentence(room: Any) -> None:
    with pytest.raises(ValueError, match=r"Barack of the cast has no identity by the recogniser arc2face"):
        run(room, room.alone, cast(member("Barack", room.obama)), redraw(recogniser="arc2face"))


def test_judging_looks_once_at_each_picture_and_face(room: Any, photos: Any, monkeypatch: Any) -> None:
    from support.counting import count_runs

    looks: list[int] = []
    real = detect
    monkeypatch.setattr("likeness.redraw.who.detect", lambda m, i: looks.append(len(i)) or real(m, i))
    runs = count_runs(room.models.recogniser("sface"), monkeypatch)
    people = cast(member("Barack", room.obama), member("Joe", room.biden))
    assert run(room, room.both, people).passed
    assert looks == [1] and sum(runs) == 2


def test_masks_of_what_changed_stay_near_the_face(room: Any, monkeypatch: Any) -> None:
    studio = Studio([room.like_obama])
    with studio.at_work(monkeypatch):
        done = run(room, room.alone, cast(member("Barack", room.obama)))
    near = face_masks(done.judged.faces, "hull", grow=80)
    assert not (done.masks[near == 0]).any()
