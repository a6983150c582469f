"""Alignment and embedding, against insightface's own path and on real people."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, image, write_antelopev2

from likeness.faces import align as aligning
from likeness.faces.detect import detect
from likeness.faces.embed import embed, identify
from likeness.faces.models import FaceModels
from likeness.values import Face, Faces

Photos = dict[str, np.ndarray]


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def test_a_similarity_is_recovered_exactly() -> None:
    angle, scale = 0.7, 2.5
    turn = scale * torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )
    target = aligning.TEMPLATE @ turn.T + torch.tensor([30.0, -8.0])
    matrix = aligning.similarity(aligning.TEMPLATE, target)
    assert torch.allclose(matrix[:, :2], turn, atol=1e-12)
    assert torch.allclose(aligning.transform(aligning.invert(matrix), target), aligning.TEMPLATE, atol=1e-9)


def test_mirrored_points_are_turned_never_mirrored() -> None:
    mirrored = aligning.TEMPLATE * torch.tensor([-1.0, 1.0])
    assert torch.det(aligning.similarity(mirrored, aligning.TEMPLATE)[:, :2]) > 0


def test_points_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="one place"):
        aligning.similarity(torch.full((5, 2), 3.0), aligning.TEMPLATE)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["astronaut", "t1"])
def test_embeddings_are_those_of_insightfaces_own_crop(photos: Photos, name: str) -> None:
    from insightface.utils.face_align import norm_crop

    models = embedded()
    network = models.recogniser("sface")
    faces = embed(models, detect(models, image(photos[name])), "sface")
    for face in faces.faces[0]:
        crop = norm_crop(photos[name], face.keypoints.numpy())
        ours = aligning.align(torch.from_numpy(photos[name]), face.keypoints)
        assert np.abs(crop.astype(float) - ours.numpy().astype(float)).mean() < 0.5
        assert cosine(network(torch.from_numpy(crop)[None]), face.embeddings["sface"]) >= 0.9999


def test_only_the_part_that_is_seen_is_warped_and_nothing_changes_by_it(photos: Photos) -> None:
    from kornia.geometry.transform import warp_affine

    picture = torch.from_numpy(photos["astronaut"])
    beyond = torch.tensor([[-20.0, -9.0], [31.0, -14.0], [8.0, 20.0], [-10.0, 41.0], [30.0, 40.0]])
    matrix = aligning.similarity(beyond, aligning.TEMPLATE)
    planes = picture.permute(2, 0, 1)[None].to(torch.float64)
    whole = warp_affine(planes, matrix[None], (112, 112), "bilinear", "zeros", True)[0].permute(1, 2, 0)
    ours = aligning.align(picture, beyond)
    assert (ours.to(torch.float64) - whole).abs().max() <= 0.51
    assert ours[0, 0].tolist() == [0, 0, 0]


def test_a_face_outside_the_picture_is_black() -> None:
    far = aligning.TEMPLATE + 5000
    assert not aligning.align(torch.full((50, 60, 3), 255, dtype=torch.uint8), far).any()


@pytest.fixture(scope="module")
def people(photos: Photos) -> dict[str, torch.Tensor]:
    models = embedded()
    names = ("obama", "obama2", "obama3", "biden", "astronaut")
    return {
        name: identify(models, detect(models, image(photos[name])), "sface", "mean").embeddings[0]
        for name in names
    }


def test_one_person_is_like_himself_and_unlike_others(people: dict[str, torch.Tensor]) -> None:
    for a, b in combinations(people, 2):
        same = a.startswith("obama") and b.startswith("obama")
        likeness = cosine(people[a], people[b])
        assert likeness >= 0.6 if same else likeness <= 0.4, (a, b, likeness)


def test_six_people_in_one_picture_are_six_people(photos: Photos) -> None:
    models = embedded()
    six = identify(models, detect(models, image(photos["t1"])), "sface", "none")
    alike = six.unit @ six.unit.T - torch.eye(6)
    assert six.embeddings.shape == (6, 512)
    assert alike.max() <= 0.4


def test_vectors_are_kept_on_the_faces_and_used_again(photos: Photos) -> None:
    models = embedded()
    faces = detect(models, image(photos["astronaut"]))
    assert faces.faces[0][0].embeddings == {}
    once = embed(models, faces, "sface")
    assert faces.faces[0][0].embeddings == {}
    twice = embed(models, once, "sface")
    assert twice.faces[0][0].embeddings["sface"] is once.faces[0][0].embeddings["sface"]


def test_a_batch_gives_what_its_pictures_give_alone(photos: Photos, tmp_path: Path) -> None:
    write_antelopev2(tmp_path)
    models = FaceModels.open("antelopev2", "CPU", [tmp_path])
    group = detect(models, image(photos["t1"]))
    together = identify(models, group, "glintr100", "none")
    for place, face in enumerate(group.faces[0]):
        alone = identify(models, Faces(group.images, ((face,),)), "glintr100", "none")
        assert torch.allclose(alone.embeddings[0], together.embeddings[place], atol=1e-4)


def test_identity_says_where_it_comes_from(photos: Photos) -> None:
    models = embedded()
    faces = detect(models, image(photos["t1"]))
    assert identify(models, faces, "sface", "median").source == "faces of picture 0: 6; median"


def test_no_face_at_all_is_refused(photos: Photos) -> None:
    faces = detect(embedded(), image(photos["coffee"]))
    with pytest.raises(ValueError, match="Embed Faces got no face"):
        identify(embedded(), faces, "sface", "mean")


def test_a_face_whose_picture_turned_to_nan_is_refused() -> None:
    broken = torch.full((1, 64, 64, 3), float("nan"))
    faces = Faces(broken, ((Face(torch.tensor([0.0, 0, 60, 60]), aligning.TEMPLATE / 2),),))
    with pytest.raises(ValueError, match="input faces holds NaN or infinity in picture 0"):
        identify(embedded(), faces, "sface", "mean")
