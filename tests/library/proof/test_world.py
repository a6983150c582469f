"""The drawn world: the same from the same seed, labels and points where the picture has them, words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness.faces.labels import NAMES
from proof.__main__ import main
from proof.world import hair
from proof.world.captions import CLOSED, THRESHOLD, WORDS, Said, caption, read, said
from proof.world.draw import Drawing, draw
from proof.world.dress import HAT_COLOURS
from proof.world.people import NUMBERS, SKIN, Person
from proof.world.scene import (
    HAIR_COLOURS,
    HAIR_STYLES,
    HATS,
    Attributes,
    Expression,
    Figure,
    Pose,
    Scene,
    figure,
    full,
    group,
)

PLAIN = Person(np.zeros(len(NUMBERS), np.float32))


def share(drawing: Drawing, name: str) -> float:
    return float((drawing.labels == NAMES.index(name)).mean())


def near(drawing: Drawing, point: np.ndarray, names: set[str], reach: int) -> bool:
    """Whether one of the classes is seen within so many pixels of a point."""
    x, y = np.rint(point).astype(int)
    there = drawing.labels[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    return bool(np.isin(there, [NAMES.index(name) for name in names]).any())


def test_one_seed_one_picture() -> None:
    assert Person.of(3) == Person.of(3) != Person.of(4)
    assert figure(3) == figure(3) != figure(4)
    first, again = draw(figure(3), 96), draw(figure(3), 96)
    for name in ("picture", "labels", "points"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    assert not np.array_equal(first.picture, draw(figure(4), 96).picture)


def test_who_somebody_is_does_not_show_in_the_rest() -> None:
    one, other = figure(9, Person.of(1)), figure(9, Person.of(2))
    assert (one.expression, one.attributes, one.pose) == (other.expression, other.attributes, other.pose)
    assert caption(one) == caption(other)
    # Over many figures no number goes with an attribute either: 3 deviations of chance.
    many = [figure(seed) for seed in range(900)]
    numbers = np.stack([each.person.numbers for each in many])
    for asked in ("glasses", "hat", "beard"):
        has = np.array([bool(getattr(each.attributes, asked)) for each in many])
        apart = numbers[has].mean(0) - numbers[~has].mean(0)
        assert np.abs(apart).max() < 4 * 0.577 * np.sqrt(1 / has.sum() + 1 / (~has).sum())


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_seen_at_128_pixels(name: str) -> None:
    """A mole's place needs a mole."""
    base = PLAIN.with_({"mole": 1.0}) if name in ("mole_side", "mole_height") else PLAIN
    low, high = (draw(Figure(base.with_({name: end}))).picture.astype(int) for end in (-1.0, 1.0))
    seen = np.abs(low - high).max(axis=2) > 24
    assert seen.sum() >= 15, f"{name} changes {seen.sum()} pixels"


def test_geometry_outweighs_skin() -> None:
    """In pixels: other faces of one skin differ more than one face in the lightest and the darkest."""
    light, dark = (draw(Figure(PLAIN.with_({"skin": end}))).picture.astype(float) for end in (-1.0, 1.0))
    by_skin = np.abs(light - dark).mean()
    people = [draw(Figure(Person.of(seed).with_({"skin": 0.0}))).picture.astype(float) for seed in range(12)]
    apart = [np.abs(one - other).mean() for one, other in pairwise(people)]
    assert np.mean(apart) > by_skin
    assert NUMBERS[SKIN] == "skin"


def test_labels_agree_with_the_picture() -> None:
    plain = draw(Figure(PLAIN), 128)
    found = set(np.unique(plain.labels).tolist())
    whole = {NAMES[n] for n in found}
    assert whole >= {"background", "skin", "nose", "neck", "hair", "upper lip", "lower lip", "left ear"}
    assert whole >= {"left brow", "right brow", "left eye", "right eye"}
    assert not whole & {"glasses", "hat", "mouth", "earring", "necklace"}

    asked = Attributes(glasses="round", hat="red", beard=True)
    dressed = draw(Figure(PLAIN, Expression(open=1), asked), 128)
    assert share(dressed, "glasses") > 0.02 and share(dressed, "hat") > 0.05
    assert share(dressed, "mouth") > 0.003
    assert share(dressed, "left eye") > 0.5 * share(plain, "left eye")


@pytest.mark.parametrize("colour", HAIR_COLOURS)
@pytest.mark.parametrize("style", HAIR_STYLES)
def test_hair_has_its_colour(style: str, colour: str) -> None:
    drawn = draw(Figure(PLAIN, attributes=Attributes(hair_style=style, hair_colour=colour)), 128)
    seen = drawn.picture[drawn.labels == NAMES.index("hair")].astype(float)
    middle = np.median(seen, axis=0)
    apart = {name: np.abs(middle - np.array(rgb)).sum() for name, rgb in hair.COLOURS.items()}
    assert min(apart, key=apart.__getitem__) == colour


@pytest.mark.parametrize("hat", HATS[1:])
def test_hats_have_their_colour(hat: str) -> None:
    drawn = draw(Figure(PLAIN, attributes=Attributes(hat=hat)), 128)
    middle = np.median(drawn.picture[drawn.labels == NAMES.index("hat")].astype(float), axis=0)
    apart = {name: np.abs(middle - np.array(rgb)).sum() for name, rgb in HAT_COLOURS.items()}
    assert min(apart, key=apart.__getitem__) == hat


def test_points_lie_in_their_parts() -> None:
    for seed in range(60):
        drawn = draw(figure(seed, wide=seed % 2 == 1), 256)
        assert drawn.points.shape == (1, 5, 2)
        left, right, nose, one, other = drawn.points[0]
        assert left[0] < nose[0] < right[0] and one[0] < other[0], seed
        # Rims and a low lid may lie over an eye's middle; corners are where lips end.
        assert near(drawn, left, {"left eye"}, 5) and near(drawn, right, {"right eye"}, 5), seed
        assert near(drawn, nose, {"nose"}, 0), seed
        for corner in (one, other):
            assert near(drawn, corner, {"upper lip", "lower lip"}, 3), seed


def test_points_scale_with_the_picture() -> None:
    small, large = draw(figure(5), 64), draw(figure(5), (256, 256))
    assert np.allclose((small.points + 0.5) * 4, large.points + 0.5, atol=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, -45])
def test_roll_turns_picture_and_points(degrees: float) -> None:
    """About the face's middle, clockwise; quarter turns of a face in the middle turn the picture itself."""
    # MIDDLE stands lower than the picture's: shifted there, so that the picture turns about its own.
    upright = Figure(PLAIN, Expression(smile=0.5), Attributes(), Pose(shift=(0, -0.04)))
    turned = replace(upright, pose=replace(upright.pose, roll=degrees))
    first, second = draw(upright, 128), draw(turned, 128)
    angle, middle = np.radians(degrees), 63.5
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert np.allclose((first.points[0] - middle) @ matrix + middle, second.points[0], atol=0.01)
    if degrees % 90 == 0:
        expected = np.rot90(first.labels, -int(degrees // 90))
        face = expected == NAMES.index("nose")
        assert (second.labels[face] == NAMES.index("nose")).mean() > 0.9


@pytest.mark.parametrize("size", [32, 128, (96, 160), (200, 120), 300])
def test_any_size(size: int | tuple[int, int]) -> None:
    high, wide = (size, size) if isinstance(size, int) else size
    drawn = draw(figure(2), size)
    assert drawn.picture.shape == (high, wide, 3) and drawn.picture.dtype == np.uint8
    assert drawn.labels.shape == (high, wide) and drawn.labels.dtype == np.uint8
    assert drawn.points.dtype == np.float32
    assert share(drawn, "skin") > 0.05


def test_larger_is_the_same_picture() -> None:
    small, large = draw(figure(7), 96).picture, draw(figure(7), 384).picture
    shrunk = cv2.resize(large, (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shrunk).mean() < 4


def test_several_people_each_in_their_place() -> None:
    scene = group([figure(seed) for seed in (1, 2, 3)])
    drawn = draw(scene, (256, 384))
    noses = drawn.points[:, 2]
    assert drawn.points.shape == (3, 5, 2)
    assert np.all(np.abs(noses[:, 0] - 384 * np.array([1, 3, 5]) / 6) < 25)
    assert all(near(drawn, nose, {"nose"}, 1) for nose in noses)
    background = {draw(replace(scene, figures=scene.figures[:n]), 64).picture[0, 0].tobytes() for n in (1, 2)}
    assert len(background) == 1  # the first one's


def test_who_stands_in_front_hides_the_other() -> None:
    behind, before = figure(1), replace(figure(2), pose=figure(1).pose)
    assert np.array_equal(draw(Scene((behind, before)), 96).points[1], draw(before, 96).points[0])
    alone = draw(replace(before, attributes=replace(before.attributes, background="grey", light=0.0)), 96)
    first = replace(behind, attributes=replace(behind.attributes, background="grey", light=0.0))
    both = draw(Scene((first, before)), 96)
    mine = alone.labels != 0
    assert np.array_equal(both.labels[mine], alone.labels[mine])


def test_whole_figures_stand_in_the_picture() -> None:
    drawn = draw(full(replace(figure(4), attributes=Attributes(hat="red"))), 512)
    there = np.flatnonzero((drawn.labels != 0).any(axis=1))
    assert 0 < there[0] < 60 and 440 < there[-1] < 511
    assert share(drawn, "hat") > 0 and share(drawn, "cloth") > 0.05
    assert "full figure" in caption(full(figure(4))) and "full figure" not in caption(figure(4))


def test_somebody_outside_of_the_picture_is_not_seen() -> None:
    away = replace(figure(4), pose=Pose(shift=(5.0, 5.0)))
    assert not draw(away, 64).labels.any()


def test_captions_say_what_is_there_and_can_be_read_back() -> None:
    for seed in range(300):
        one = figure(seed)
        text = caption(one)
        assert set(text.replace(",", "").split()) <= set(WORDS)
        (back,) = read(text)
        assert back == said(one)
        asked, shown = one.attributes, one.expression
        assert (back.hair_style, back.hair_colour, back.hat) == (
            asked.hair_style,
            asked.hair_colour,
            asked.hat,
        )
        assert (back.glasses, back.beard, back.background) == (asked.glasses, asked.beard, asked.background)
        assert (back.mood > 0, back.mood < 0) == (shown.smile >= THRESHOLD, shown.smile <= -THRESHOLD)
        assert back.closed == (shown.lids >= CLOSED)
    assert all(word == word.lower() and " " not in word for word in WORDS)
    assert len(set(WORDS)) == len(WORDS)


def test_captions_of_several_people() -> None:
    figures = [figure(1), figure(2)]
    text = caption(group(figures))
    assert text.startswith("two people, a ") and text.count(" person") == 2
    first, second = read(text)
    assert first == said(figures[0])
    assert second.hair_colour == figures[1].attributes.hair_colour
    assert second.background == figures[0].attributes.background
    with pytest.raises(ValueError, match="counts up to 4 people, not 5"):
        caption(group([figure(1)] * 5))


def test_parts_of_a_caption_are_left_out_by_seed() -> None:
    whole = said(figure(12))
    texts = {caption(figure(12), seed) for seed in range(40)}
    assert len(texts) > 5 and caption(figure(12), 3) == caption(figure(12), 3)
    for text in texts:
        (back,) = read(text)
        for name in Said.__dataclass_fields__:
            assert getattr(back, name) in (getattr(whole, name), Said.__dataclass_fields__[name].default)
        assert back.mood == whole.mood
    assert caption(figure(12), 0, left_out=0.0) == caption(figure(12))


@pytest.mark.parametrize(
    "text", ["", "a dog", "a sad person with", "a sad person, blue background, purple hat"]
)
def test_other_texts_are_no_captions(text: str) -> None:
    with pytest.raises(ValueError, match="aption of the drawn world"):
        read(text)


def test_bad_worlds_are_named() -> None:
    with pytest.raises(ValueError, match="32 numbers, not \\[3\\]"):
        Person(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"lies in -1\.\.1"):
        Person(np.full(len(NUMBERS), np.nan, np.float32))
    with pytest.raises(ValueError, match="no number named 'height'"):
        PLAIN.with_({"height": 1})
    with pytest.raises(ValueError, match="hat can't be 'purple'"):
        Attributes(hat="purple")
    with pytest.raises(ValueError, match=r"smile must lie in -1\.\.1, not 2"):
        Expression(smile=2)
    with pytest.raises(ValueError, match="at least one figure"):
        Scene(())
    with pytest.raises(ValueError, match="at least 16 x 16"):
        draw(figure(1), 8)


def test_the_command_draws_a_sheet(tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    main(["world", "show", str(file), "--people", "2", "--days", "3", "--size", "32"])
    drawn = cv2.imread(str(file))
    assert drawn is not None and drawn.shape == (96, 96, 3)
    with pytest.raises(SystemExit, match="in a folder that is there"):
        main(["world", "show", str(tmp_path / "none" / "sheet.png")])
    with pytest.raises(SystemExit, match="at least one person"):
        main(["world", "show", str(file), "--people", "0"])
