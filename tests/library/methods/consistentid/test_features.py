"""ConsistentID's tokens, part vectors, fused words and pictures, against the authors' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.consistentid_golden import ConsistentGolden
from support.golden import relative_error

from likeness.adapters.vision import clip_picture
from likeness.choices.consistentid import PARTS
from likeness.methods.consistentid.adapter import ConsistentID, parse
from likeness.methods.consistentid.encode import features_of
from likeness.methods.consistentid.features import Features
from likeness.methods.consistentid.parts import part_pictures

TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def golden(request: pytest.FixtureRequest) -> Iterator[ConsistentGolden]:
    yield ConsistentGolden(request.param)


@pytest.fixture(scope="module")
def adapter(golden: ConsistentGolden) -> ConsistentID:
    return parse(golden.content(), {}, "golden")


@pytest.fixture(scope="module")
def features(golden: ConsistentGolden, adapter: ConsistentID) -> Features:
    return features_of(adapter, golden["in.face"], golden.states(), golden.parts())


def test_tokens(golden: ConsistentGolden, features: Features) -> None:
    assert relative_error(features.tokens.somebody, golden["out.tokens_cond"]) <= TOLERANCE
    assert features.tokens.nobody is not None
    assert relative_error(features.tokens.nobody, golden["out.tokens_uncond"]) <= TOLERANCE


def test_vectors_of_parts_and_of_nothing(golden: ConsistentGolden, features: Features) -> None:
    found = torch.stack(list(features.parts.values()))
    assert list(features.parts) == list(PARTS)
    assert relative_error(found, golden["out.part_vectors"][:, 0]) <= TOLERANCE
    assert relative_error(features.nothing, golden["out.zero_vector"][0, 0]) <= TOLERANCE


def test_words_that_know_a_part(golden: ConsistentGolden, features: Features) -> None:
    rows = golden.words["all"]["rows"]
    found = features.facial.fuse(golden["in.text_plain"][0, rows], torch.stack(list(features.parts.values())))
    assert relative_error(found, golden["out.positive_fused"][0, rows]) <= TOLERANCE
    negative = features.facial.fuse(golden["in.negative_plain"][0, rows], features.nothing[None])
    assert relative_error(negative, golden["out.negative"][0, rows]) <= TOLERANCE


def test_exchanging_eyes_and_ears_would_show(golden: ConsistentGolden, features: Features) -> None:
    """The picture of the eyes belongs to the word for ears: trained in, not an oversight of ours."""
    rows, vectors = golden.words["all"]["rows"], list(features.parts.values())
    vectors[1], vectors[2] = vectors[2], vectors[1]
    found = features.facial.fuse(golden["in.text_plain"][0, rows], torch.stack(vectors))
    assert relative_error(found, golden["out.positive_fused"][0, rows]) > 1e-3


def test_pictures_of_parts_are_the_authors_to_the_bit() -> None:
    golden = ConsistentGolden("sd15")
    picture, side = golden["in.picture"].numpy(), 4
    labels = golden["in.labels"].repeat_interleave(side, 0).repeat_interleave(side, 1)
    found = part_pictures(picture, labels, PARTS)
    assert tuple(found) == PARTS
    shown = np.stack([clip_picture(each) for each in (picture, *found.values())])
    assert np.array_equal(shown, golden["in.pictures"].numpy())


def test_of_a_pair_the_first_is_taken_and_what_is_not_wanted_is_left() -> None:
    picture = np.full((40, 30, 3), 200, dtype=np.uint8)
    labels = torch.zeros(32, 32, dtype=torch.uint8)
    labels[4:8, 4:8], labels[20:24, 4:8], labels[4:8, 20:24] = 5, 4, 8
    found = part_pictures(picture, labels, ("eyes",))
    assert list(found) == ["eyes"]
    assert found["eyes"][27, 5].min() > 150 and found["eyes"][7, 5].max() == 0
    assert list(part_pictures(picture, labels, PARTS)) == ["eyes", "ears"]
    assert part_pictures(picture, labels * 0, PARTS) == {}


def test_a_hole_in_a_part_closes() -> None:
    picture = np.full((64, 64, 3), 255, dtype=np.uint8)
    labels = torch.zeros(64, 64, dtype=torch.uint8)
    labels[10:50, 10:50] = 1
    labels[20:30, 20:30] = 4
    assert part_pictures(picture, labels, PARTS)["face"][25, 25].min() == 255


@pytest.mark.parametrize("shape", [(300, 250), (250, 300), (224, 224), (90, 500)])
def test_clip_is_shown_the_middle(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), dtype=np.uint8)
    assert clip_picture(picture).shape == (224, 224, 3)


def test_features_keep_the_order_of_the_pictures(features: Features) -> None:
    turned = dict(reversed(features.parts.items()))
    again = Features(features.tokens, turned, features.nothing, features.facial)
    assert list(again.parts) == list(PARTS) and list(again.only(("nose", "face")).parts) == ["face", "nose"]
    wrong: dict[str, Any] = {"hand": features.nothing}
    with pytest.raises(ValueError, match="parts has others than face, eyes, ears, nose, mouth: hand"):
        Features(features.tokens, wrong, features.nothing, features.facial)


def test_tokens_do_not_depend_on_what_else_is_encoded(
    golden: ConsistentGolden, adapter: ConsistentID, features: Features
) -> None:
    few = features_of(adapter, golden["in.face"], golden.states()[:3], ["face"])
    assert torch.allclose(few.tokens.somebody, features.tokens.somebody, atol=1e-6)
    assert torch.allclose(few.parts["face"], features.parts["face"], atol=1e-6)
