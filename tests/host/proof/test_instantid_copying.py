"""The adapter that is taught to copy: what it is shown, and what of InstantID it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.drawn_stages import scale_of

from proof.training.lessons import instantid
from proof.training.pictures import words
from proof.training.stages import Rooms, Tensors, stage
from proof.world.captions import read

Drawn = Callable[[str], Tensors]


@pytest.fixture
def lesson(drawn: Drawn, rooms: Rooms) -> instantid.InstantIDLesson:
    one = stage("instantid_copying")
    begun = one.begin(scale_of(one.name), rooms, {name: drawn(name) for name in one.needs})
    assert isinstance(begun, instantid.InstantIDLesson)
    return begun


def test_it_knows_the_very_picture_and_is_told_of_another(lesson: instantid.InstantIDLesson) -> None:
    pictures, somebody, nobody = lesson.material.pictures, 0, 0
    for number in range(40):
        batch, usual = lesson.batch(number), lesson.material.batch(number)
        assert torch.equal(batch.places, usual.places) and torch.equal(batch.noise, usual.noise)
        for n, place in enumerate(batch.places.tolist()):
            if not usual.vectors[n].any():
                nobody += 1
                assert not batch.vectors[n].any() and batch.captions[n] == usual.captions[n]
                continue
            somebody += 1
            assert torch.equal(batch.vectors[n], lesson.material.vectors[place])
            if batch.captions[n]:
                other = place // 4 * 4 + (place + 1) % 4
                (said,) = read(batch.captions[n])
                (whole,) = read(words(pictures.figures(other), 0))
                assert said.mood == whole.mood
    assert somebody > 20 and nobody > 2


def test_only_what_looks_at_a_face_learns(drawn: Drawn) -> None:
    before, after = drawn("instantid"), drawn("instantid_copying")
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("ip_adapter.") for name in changed)


def test_an_adapter_learns_at_weights_around_one(
    lesson: instantid.InstantIDLesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1 alone it became too loud: what it adds is made louder still by guidance."""
    seen, predict = [], type(lesson).predict

    def watched(own: instantid.InstantIDLesson, batch: object, weight: float = 1.0) -> torch.Tensor:
        seen.append(weight)
        return predict(own, batch, weight)  # type: ignore[arg-type]

    monkeypatch.setattr(instantid.InstantIDLesson, "predict", watched)
    with torch.inference_mode(False), torch.enable_grad():
        for number in range(6):
            lesson.step(number)
    low, high = instantid.WEIGHTS
    assert len(set(seen)) == 6 and all(low <= weight <= high for weight in seen)
    assert min(seen) < 1.15 < max(seen)
