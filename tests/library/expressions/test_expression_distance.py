"""How far expressions are apart: exact on moved points, and on real photos with the embedded mesh."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_faces import embedded, fitted, image

from likeness.expressions.distance import (
    RATIO_NAMES,
    blendshape_distance,
    ratio_distance,
    ratios,
    yaw,
)
from likeness.expressions.measure import RATIO_BARS, Measure, Reading, distance
from likeness.expressions.score import NOBODY, score_expressions, write_table
from likeness.faces.detect import detect
from likeness.faces.mesh import landmarks

Photos = dict[str, np.ndarray]


def mesh_of(photo: np.ndarray) -> torch.Tensor:
    pixels = np.array(photo)
    return landmarks(torch.from_numpy(pixels), detect(embedded(), image(pixels)).faces[0][0])


@pytest.fixture(scope="module")
def meshes(photos: Photos) -> dict[str, torch.Tensor]:
    return {name: mesh_of(photos[name]) for name in ("astronaut", "obama", "obama2", "obama3", "biden")}


def gap(one: torch.Tensor, other: torch.Tensor) -> float:
    return ratio_distance(ratios(one), ratios(other))


def test_turning_size_place_and_a_mirror_do_not_count(meshes: dict[str, torch.Tensor]) -> None:
    mesh = meshes["obama2"]
    cos, sin = math.cos(2.1), math.sin(2.1)
    moved = mesh @ torch.tensor([[cos, sin], [-sin, cos]]) * 3.7 + torch.tensor([400.0, -90.0])
    assert gap(mesh, moved) < 1e-5
    assert gap(mesh, mesh * torch.tensor([-1.0, 1.0])) < 1e-5
    deep = torch.cat([mesh, torch.randn(468, 1)], dim=1)
    assert gap(mesh, torch.cat([deep, torch.zeros(10, 3)])) == 0  # depth and irises are not looked at
    assert gap(mesh, mesh) == 0


@pytest.mark.parametrize(
    ("points", "move", "moved"),
    [
        ((159, 160, 158), (0, 6), "eyes open"),
        ((300, 293, 334, 296, 336), (0, -9), "brows up"),
        ((14, 87, 317), (0, 12), "mouth open"),
        ((61,), (-10, 0), "mouth wide"),
        ((291,), (0, -10), "mouth corners up"),
    ],
)
def test_each_proportion_sees_its_own_part(
    meshes: dict[str, torch.Tensor], points: tuple[int, ...], move: tuple[float, float], moved: str
) -> None:
    mesh = meshes["astronaut"]
    other = mesh.clone()
    other[list(points)] += torch.tensor(move, dtype=torch.float32)
    change = (ratios(other) - ratios(mesh)).abs().mean(dim=1)
    assert RATIO_NAMES[int(change.argmax())] == moved
    assert float(change.max()) > 0.02


def test_one_wink_is_half_of_two(meshes: dict[str, torch.Tensor]) -> None:
    mesh = meshes["astronaut"]
    upper = torch.tensor([160, 159, 158, 387, 386, 385])
    lower = torch.tensor([144, 145, 153, 373, 374, 380])
    both, one = mesh.clone(), mesh.clone()
    both[upper] = mesh[lower]
    one[upper[:3]] = mesh[lower[:3]]
    assert gap(mesh, both) > 0.03
    assert gap(mesh, one) == pytest.approx(gap(mesh, both) / 2, rel=0.2)


def test_one_photo_changed_is_near_and_a_smile_far_from_a_closed_mouth(
    photos: Photos, meshes: dict[str, torch.Tensor]
) -> None:
    same, other = RATIO_BARS
    for name in ("astronaut", "obama", "obama3", "biden", "obama2"):
        photo = Image.fromarray(photos[name])
        small = photo.copy()
        small.thumbnail((360, 360))
        changed = {
            "mirrored": photos[name][:, ::-1],
            "turned": np.asarray(photo.rotate(20, Image.Resampling.BICUBIC, expand=True)),
            "small": np.asarray(small),
            "dark": (photos[name] * 0.7).astype(np.uint8),
        }
        for how, pixels in changed.items():
            assert gap(meshes[name], mesh_of(pixels)) < same, (name, how)
    for smile in ("astronaut", "obama", "obama2"):
        for closed in ("obama3", "biden"):
            assert gap(meshes[smile], meshes[closed]) > other, (smile, closed)
    assert gap(meshes["obama"], meshes["obama2"]) < other
    assert gap(meshes["obama3"], meshes["biden"]) < other  # two people, one expression


def test_the_turn_of_a_head(photos: Photos, meshes: dict[str, torch.Tensor]) -> None:
    assert abs(yaw(meshes["obama"])) < 6
    turned = yaw(meshes["obama2"])
    assert 10 < abs(turned) < 25
    assert yaw(mesh_of(photos["obama2"][:, ::-1])) == pytest.approx(-turned, abs=5)


def test_bad_meshes_are_explained() -> None:
    with pytest.raises(ValueError, match=r"shape \[468 or 478, 2 or 3\], not \[68, 2\]"):
        ratios(torch.zeros(68, 2))
    with pytest.raises(ValueError, match="lies in one place"):
        ratios(torch.zeros(468, 2))
    with pytest.raises(ValueError, match="lies in one place"):
        yaw(torch.zeros(468, 2))


def test_blendshapes_are_compared_by_name() -> None:
    one = {f"shape{n}": n / 100 for n in range(52)}
    other = dict(reversed([(name, value + 0.06) for name, value in one.items()]))
    assert blendshape_distance(one, other) == pytest.approx(0.06)
    assert blendshape_distance(one, one) == 0
    with pytest.raises(ValueError, match="51 and 52"):
        blendshape_distance(dict(list(one.items())[1:]), one)
    with pytest.raises(ValueError, match="different names"):
        blendshape_distance({**dict(list(one.items())[1:]), "else": 0.0}, one)
    with pytest.raises(ValueError, match="can't be compared"):
        distance(Reading(blendshapes=one), Reading(ratios=torch.zeros(5, 2)))


def test_something_else_is_no_landmarker() -> None:
    with pytest.raises(ValueError, match="landmarker is int, not a face landmarker"):
        Measure(3)


def test_the_nearest_comes_first_and_the_measure_is_said(photos: Photos) -> None:
    batch = fitted(*(photos[name] for name in ("obama3", "coffee", "obama", "biden")), side=512)
    scores = score_expressions(
        embedded(), batch, fitted(photos["obama2"], side=512), keep=9, if_no_face="skip"
    )
    smile, closed = scores.distances[2], scores.distances[0]
    assert smile is not None and closed is not None and smile < closed
    assert scores.kept[0] == 2 and sorted(scores.kept) == [0, 2, 3]
    assert (scores.distance, scores.similarity) == (smile, NOBODY)
    lines = write_table(scores).splitlines()
    assert lines[0] == f"expression distance {smile:.3f}: picture 2, the best of 4"
    assert lines[1].startswith("Measure: ratios, ") and "no landmarker is connected" in lines[1]
    assert lines[2].startswith("Judge: nobody")
    assert lines[5].split() == ["1", "no", "face", "-", "-"]
    assert lines[6].split() == ["2", f"{smile:.3f}", "-", "1"]
    itself = score_expressions(embedded(), batch[2:3], batch[2:3])
    assert itself.distance == 0


def test_templates_one_for_all_or_one_for_each(photos: Photos) -> None:
    batch = fitted(photos["obama"], photos["biden"], side=512)
    assert score_expressions(embedded(), batch, batch).distances == (0, 0)
    swapped = score_expressions(embedded(), batch, detect(embedded(), batch.flip(0)))
    assert swapped.distances[0] == swapped.distances[1]
    with pytest.raises(ValueError, match="template holds 2 pictures for 1 to score"):
        score_expressions(embedded(), batch[:1], batch)
    with pytest.raises(ValueError, match="The template shows no face that can be measured, in picture 0"):
        score_expressions(embedded(), batch, fitted(photos["coffee"], side=512))
    with pytest.raises(ValueError, match="There is no expression to compare with"):
        score_expressions(embedded(), batch, None)
    with pytest.raises(ValueError, match="keep must be 1 or more"):
        score_expressions(embedded(), batch, batch, keep=0)
