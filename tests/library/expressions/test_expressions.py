"""Reading an expression: the crop, SMIRK's network and limits, and where landmarks come from."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import smirk_files
from support.tiny_faces import embedded, image

from likeness.expressions.crop import SIZE, crop_face, upright
from likeness.expressions.read import read_expression
from likeness.expressions.smirk import build_encoder, encode, limit
from likeness.faces.align import face_angle
from likeness.faces.detect import detect
from likeness.faces.mesh import landmarks
from likeness.faces.mesh_points import five_points
from likeness.values import Expression, Face, Faces

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def content() -> dict[str, torch.Tensor]:
    return smirk_files.content()


@pytest.fixture(scope="module")
def encoder(content: dict[str, torch.Tensor]) -> Any:
    return build_encoder(content, "SMIRK_em1.pt")


@pytest.fixture(scope="module")
def astronaut(photos: Photos) -> torch.Tensor:
    return image(photos["astronaut"])


@pytest.fixture(scope="module")
def faces(astronaut: torch.Tensor) -> Faces:
    return detect(embedded(), astronaut)


# ---- the crop


def skimage_crop(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The same square by scikit-image, from the three corners of the specification."""
    from skimage.transform import estimate_transform, warp

    (left, top), (right, bottom) = points.min(axis=0)[:2], points.max(axis=0)[:2]
    size = int(((right - left + bottom - top) / 2) * 1.4)
    x, y, half = (left + right) / 2, (top + bottom) / 2, size / 2
    corners = np.array([[x - half, y - half], [x - half, y + half], [x + half, y - half]])
    there = np.array([[0, 0], [0, 223], [223, 0]])
    move = estimate_transform("similarity", corners, there)
    return warp(picture, move.inverse, output_shape=(224, 224), order=1, preserve_range=True).astype(np.uint8)


@pytest.mark.parametrize(
    "corners",
    [
        ((180.3, 60.7), (270.9, 180.2)),  # inside
        ((-40.5, 30.0), (100.25, 200.0)),  # over the left edge
        ((400.0, 380.0), (600.0, 640.0)),  # over the lower right corner
        ((10.0, 10.0), (500.0, 500.0)),  # the whole picture, made smaller
        ((220.0, 100.0), (240.0, 121.0)),  # tiny, made larger
    ],
)
def test_the_crop_is_scikit_images(photos: Photos, corners: Any) -> None:
    picture, points = photos["astronaut"], np.array(corners)
    got = crop_face(torch.from_numpy(picture.copy()), torch.from_numpy(points)).numpy()
    expected = skimage_crop(picture, points)
    assert got.shape == (SIZE, SIZE, 3) and got.dtype == np.uint8
    off = np.abs(got.astype(int) - expected.astype(int))
    # Cutting off turns a difference in the sixteenth digit into a grey level where a value is whole.
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-3


def test_the_crop_cuts_off_and_does_not_round() -> None:
    picture = torch.zeros(300, 300, 3, dtype=torch.uint8)
    picture[:, 150:] = 255
    points = torch.tensor([[100.0, 100.0], [200.0, 200.0]])
    crop = crop_face(picture, points)  # 140 wide from 80 on: columns 0.63 apart
    place = int((149 - 80) * 223 / 140) + 1  # between the columns 149 and 150
    between = 80 + place * 140 / 223 - 149
    assert 0 < between < 1
    assert crop[0, place, 0] == int(255 * between)


def test_landmarks_may_have_depth_and_only_their_extent_counts() -> None:
    picture = torch.randint(
        0, 256, (64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    box = torch.tensor([[10.0, 12.0], [50.0, 55.0]])
    inside = torch.tensor([[10.0, 12.0, 99.0], [30.0, 30.0, -99.0], [50.0, 55.0, 0.0]])
    assert torch.equal(crop_face(picture, box), crop_face(picture, inside))


def test_landmarks_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="in pixels"):
        crop_face(torch.zeros(9, 9, 3, dtype=torch.uint8), torch.rand(468, 2))


# ---- the network


def crop_of(seed: int) -> torch.Tensor:
    """Coloured, so that exchanging red and blue shows."""
    colours = torch.tensor([1.0, 0.6, 0.2])
    noise = torch.rand(SIZE, SIZE, 3, generator=torch.Generator().manual_seed(seed))
    return (noise * colours * 255).to(torch.uint8)


def test_the_network_is_the_published_one_and_sees_blue_first(encoder: Any, content: Any) -> None:
    crop = crop_of(2)
    rgb = crop.permute(2, 0, 1)[None].float() / 255
    right, wrong = (limit(smirk_files.reference(content, x)) for x in (rgb[:, [2, 1, 0]], rgb))
    got = encode(encoder, crop).parameters
    assert got.shape == (1, 55) and got.dtype == torch.float32
    torch.testing.assert_close(got, right, rtol=1e-5, atol=1e-5)
    assert (got - wrong).abs().max() > 1e-2


def test_limits_are_smirks() -> None:
    raw = torch.full((2, 55), 7.0)
    raw[1] = -7
    high, low = limit(raw)
    assert high[:50].tolist() == [7] * 50 and low[:50].tolist() == [-7] * 50
    assert high[50:].tolist() == pytest.approx([1, 1, 7, 0.2, 0.2])
    assert low[50:].tolist() == pytest.approx([0, 0, 0, -0.2, -0.2])
    assert raw[1, 50] == -7, "the input stays as it was"


def test_reading_twice_gives_the_same_and_nobodys_seed_is_touched(content: Any) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = encode(build_encoder(content, "a.pt"), crop_of(3)).parameters
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, encode(build_encoder(content, "b.pt"), crop_of(3)).parameters)


@pytest.mark.parametrize("prefix", ["expression_encoder.", ""])
def test_other_ways_to_name_the_same_tensors(content: Any, encoder: Any, prefix: str) -> None:
    old = smirk_files.PREFIX
    renamed = {prefix + key[len(old) :]: value for key, value in content.items() if key.startswith(old)}
    without_counters = {k: v for k, v in renamed.items() if not k.endswith("num_batches_tracked")}
    for tensors in (without_counters, {"state_dict": without_counters, "epoch": 3}):
        got = encode(build_encoder(tensors, "x.pt"), crop_of(4)).parameters
        assert torch.equal(got, encode(encoder, crop_of(4)).parameters)


def test_half_precision_files_are_read_in_single(content: Any) -> None:
    halved = {k: v.half() if v.is_floating_point() else v for k, v in content.items()}
    got = build_encoder(halved, "half.pt")
    assert {p.dtype for p in got.parameters()} == {torch.float32}


def changed(content: dict[str, torch.Tensor], **tensors: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """`content` with tensors of the encoder replaced, or left out for None; `__` stands for a dot."""
    result = dict(content)
    for name, value in tensors.items():
        key = smirk_files.PREFIX + name.replace("__", ".")
        if value is None:
            del result[key]
        else:
            result[key] = value
    return result


def test_a_file_that_is_something_else(content: Any) -> None:
    with pytest.raises(
        ValueError, match=r"lora\.pt is no SMIRK file.*first keys: lora_unet_a, b\).*SMIRK_em1\.pt"
    ):
        build_encoder({"lora_unet_a": torch.zeros(1), "b": torch.zeros(1)}, "lora.pt")
    with pytest.raises(ValueError, match="its first keys: nothing"):
        build_encoder({}, "empty.pt")


def test_a_file_that_lacks_something_names_it(content: Any) -> None:
    with pytest.raises(ValueError, match=r"cut\.pt does not fit.*it lacks encoder\.conv_stem\.weight\."):
        build_encoder(changed(content, encoder__conv_stem__weight=None), "cut.pt")
    with pytest.raises(ValueError, match=r"lacks expression_layers\.0\.bias"):
        build_encoder(changed(content, expression_layers__0__bias=None), "cut.pt")


def test_a_file_of_another_network_names_what_differs(content: Any) -> None:
    with pytest.raises(ValueError, match=r"has other shapes for encoder\.conv_stem\.weight"):
        build_encoder(changed(content, encoder__conv_stem__weight=torch.zeros(8, 3, 3, 3)), "x.pt")
    with pytest.raises(ValueError, match=r"unknown tensors: encoder\.blocks\.9\.weight"):
        build_encoder(changed(content, encoder__blocks__9__weight=torch.zeros(8)), "x.pt")
    with pytest.raises(ValueError, match="takes 576 numbers, but tf_mobilenetv3_large_minimal_100 gives 960"):
        build_encoder(changed(content, expression_layers__0__weight=torch.zeros(55, 576)), "x.pt")
    with pytest.raises(ValueError, match="gives 103 numbers for an expression instead of 55"):
        build_encoder(changed(content, expression_layers__0__weight=torch.zeros(103, 960)), "x.pt")


def test_a_damaged_file_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match=r"expression_layers\.0\.bias holds NaN"):
        build_encoder(changed(content, expression_layers__0__bias=torch.full((55,), torch.nan)), "x.pt")


# ---- landmarks


def host_landmarks(*frames: list[torch.Tensor], size: tuple[int, int] = (512, 512)) -> dict[str, Any]:
    """FACE_LANDMARKS as the host documents them, of points [468, 2] per face."""

    def face(points: torch.Tensor) -> dict[str, Any]:
        with_irises = torch.cat([points, points[:1].expand(10, 2)]).numpy().astype(np.float32)
        box = np.concatenate([with_irises.min(axis=0), with_irises.max(axis=0)])
        depth = np.concatenate([with_irises, np.zeros_like(with_irises[:, :1])], axis=1)
        return {
            "bbox_xyxy": box,
            "landmarks_xy": with_irises,
            "landmarks_3d": depth,
            "presence": 5.0,
            "score": 0.9,
        }

    shown = [[face(points) for points in frame] for frame in frames]
    return {"frames": shown, "image_size": size, "connection_sets": {"face_oval": frozenset({(10, 338)})}}


@pytest.fixture(scope="module")
def mesh(photos: Photos, faces: Faces) -> torch.Tensor:
    return landmarks(torch.from_numpy(photos["astronaut"].copy()), faces.faces[0][0])


@pytest.fixture(scope="module")
def expected(encoder: Any, photos: Photos, mesh: torch.Tensor) -> torch.Tensor:
    return encode(encoder, crop_face(torch.from_numpy(photos["astronaut"].copy()), mesh)).parameters


def test_faces_are_read_by_the_embedded_mesh(encoder: Any, faces: Faces, expected: torch.Tensor) -> None:
    before = faces.images.clone()
    assert torch.equal(read_expression(encoder, faces).parameters, expected)
    assert torch.equal(faces.images, before)


def test_the_mesh_frames_the_astronauts_face(photos: Photos, mesh: torch.Tensor, faces: Faces) -> None:
    crop = crop_face(torch.from_numpy(photos["astronaut"].copy()), mesh)
    found = detect(embedded(), image(crop.numpy())).faces[0]
    assert len(found) == 1
    x1, y1, x2, y2 = found[0].box.tolist()
    assert 80 < (x1 + x2) / 2 < 144 and 80 < (y1 + y2) / 2 < 144
    assert 110 < (x2 - x1 + y2 - y1) / 2 < 200


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_lies_is_read_as_it_would_stand(
    encoder: Any, photos: Photos, mesh: torch.Tensor, quarters: int
) -> None:
    picture = torch.from_numpy(photos["astronaut"].copy())
    lying = picture.rot90(quarters)
    found = detect(embedded(), image(lying.numpy()))
    points = landmarks(lying.contiguous(), found.faces[0][0])
    standing = crop_face(picture, mesh).float()
    as_it_lies = crop_face(lying, points).float()
    stood = crop_face(*upright(lying, points))
    # The mesh finds the standing face turned by 4 degrees, which stay there; hence the rest.
    assert (stood.float() - standing).abs().mean() < 0.4 * (as_it_lies - standing).abs().mean()
    assert torch.equal(read_expression(encoder, found).parameters, encode(encoder, stood).parameters)


def test_a_face_that_leans_is_cropped_as_the_reference_does(photos: Photos, mesh: torch.Tensor) -> None:
    picture = torch.from_numpy(photos["astronaut"].copy())
    same, points = upright(picture, mesh)
    assert same is picture and points is mesh
    for degrees in (20, 40):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        leaning = (mesh - 256) @ torch.tensor([[cos, sin], [-sin, cos]]) + 256
        _, points = upright(picture, leaning)
        assert (points is leaning) == (degrees < 25)
        assert abs(math.degrees(face_angle(five_points(points)))) < 25


def test_the_hosts_landmarks_give_the_same(encoder: Any, astronaut: Any, mesh: Any, expected: Any) -> None:
    given = host_landmarks([mesh])
    before = given["frames"][0][0]["landmarks_xy"].copy()
    assert torch.equal(read_expression(encoder, None, astronaut, given).parameters, expected)
    assert np.array_equal(given["frames"][0][0]["landmarks_xy"], before)


def test_the_hosts_landmarks_come_before_faces(encoder: Any, astronaut: Any, faces: Faces, mesh: Any) -> None:
    moved = host_landmarks([mesh + 40])
    by_host = read_expression(encoder, faces, None, moved).parameters
    assert torch.equal(by_host, read_expression(encoder, None, astronaut, moved).parameters)
    assert not torch.equal(by_host, read_expression(encoder, faces).parameters)


def test_a_picture_alone_is_searched(
    encoder: Any, astronaut: Any, expected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        got = read_expression(encoder, image=astronaut).parameters
    assert torch.equal(got, expected)
    assert "embedded detector" in caplog.text


def test_landmarks_that_faces_bring_are_used(encoder: Any, faces: Faces, mesh: torch.Tensor) -> None:
    face = faces.faces[0][0]
    marked = Face(face.box, face.keypoints, face.score, mesh + 25)
    got = read_expression(encoder, faces.with_faces([[marked]])).parameters
    assert not torch.equal(got, read_expression(encoder, faces).parameters)
    few = Face(
        face.box, face.keypoints, face.score, mesh[:68] + 25
    )  # another set: says too little of the face
    again = read_expression(encoder, faces.with_faces([[few]])).parameters
    assert torch.equal(again, read_expression(encoder, faces).parameters)


def test_of_several_the_largest_of_the_first_picture(
    encoder: Any, astronaut: Any, mesh: Any, expected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    small = (mesh - mesh.mean(dim=0)) / 3 + 300
    pair = astronaut.expand(2, -1, -1, -1)
    with caplog.at_level(logging.INFO):
        got = read_expression(encoder, None, pair, host_landmarks([small, mesh], [mesh + 40])).parameters
    assert torch.equal(got, expected)
    assert "largest face of picture 0 is read, of 3" in caplog.text
    skipped = host_landmarks([], [mesh])
    assert torch.equal(read_expression(encoder, None, pair, skipped).parameters, expected)

    face = Face(
        torch.tensor([mesh[:, 0].min(), mesh[:, 1].min(), *mesh.amax(dim=0)]), torch.zeros(5, 2), 0.5, mesh
    )
    other = Face(torch.tensor([0.0, 0, 30, 30]), torch.zeros(5, 2), 0.9, small)
    batch = Faces(pair, ((), (other, face)))
    assert torch.equal(read_expression(encoder, batch).parameters, expected)


def test_nothing_connected_says_what_to_connect(encoder: Any, astronaut: Any, mesh: Any) -> None:
    with pytest.raises(ValueError, match=r"connect faces .*face_landmarks with image .*or image alone"):
        read_expression(encoder)
    with pytest.raises(ValueError, match="carries no picture: connect image"):
        read_expression(encoder, face_landmarks=host_landmarks([mesh]))


def test_no_face_is_an_error(encoder: Any, astronaut: Any) -> None:
    with pytest.raises(ValueError, match="no face in any of its 1 pictures"):
        read_expression(encoder, None, astronaut, host_landmarks([]))
    with pytest.raises(ValueError, match="Read Expression got no face"):
        read_expression(encoder, Faces(astronaut, ((),)))
    with pytest.raises(ValueError, match="Read Expression got no face"):
        read_expression(encoder, image=torch.zeros(1, 64, 64, 3))


def test_landmarks_of_another_picture_are_refused(encoder: Any, astronaut: Any, mesh: Any) -> None:
    with pytest.raises(ValueError, match="found in a picture of 640 x 480, but image is 512 x 512"):
        read_expression(encoder, None, astronaut, host_landmarks([mesh], size=(480, 640)))
    with pytest.raises(ValueError, match=r"first face in picture 1 .*but image holds 1"):
        read_expression(encoder, None, astronaut, host_landmarks([], [mesh]))


def test_landmarks_of_another_form_are_refused(encoder: Any, astronaut: Any, mesh: Any) -> None:
    with pytest.raises(ValueError, match="it has no frames"):
        read_expression(encoder, None, astronaut, {"faces": []})
    with pytest.raises(ValueError, match=r"landmarks_xy of shape \[78, 2\] instead of \[478, 2\]"):
        read_expression(encoder, None, astronaut, host_landmarks([mesh[:68]]))
    with pytest.raises(ValueError, match="NaN or infinity"):
        read_expression(encoder, None, astronaut, host_landmarks([mesh * torch.nan]))


# ---- the value and the file


def test_an_expression_is_checked_when_made() -> None:
    with pytest.raises(ValueError, match=r"must have shape \[1, 55\], not \[55\]"):
        Expression(torch.zeros(55))
    with pytest.raises(ValueError, match="NaN or infinity"):
        Expression(torch.full((1, 55), torch.inf))
    made = Expression(torch.arange(55.0)[None])
    assert made.components[0, -1] == 49 and made.eyelids.tolist() == [[50, 51]] and made.jaw[0, 0] == 52
    assert len(repr(made)) < 100 and "55" not in repr(made)


def test_the_published_file_is_catalogued() -> None:
    from likeness.weights.catalogue import files_of

    file = next(file for file in files_of("arc2face-expression") if file.key == "smirk/em1")
    assert file.place == "smirk/SMIRK_em1.pt"
    assert "smirk" in str(Path(file.place).parent)
