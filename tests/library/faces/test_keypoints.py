"""The five points, drawn as InstantID's authors draw them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.keypoints import WITHOUT_FACE, draw_kps, keypoint_images, placement
from likeness.faces.policy import apply_policy
from likeness.values import Face, Faces

FIRST = torch.tensor([[180.2, 250.7], [320.9, 245.1], [255.5, 330.3], [195.8, 410.6], [312.4, 405.9]])
SECOND = torch.tensor([[400.5, 420.25], [610.75, 430.5], [500.1, 560.9], [420.3, 680.2], [590.8, 690.7]])


def faces(*found: torch.Tensor, size: tuple[int, int] = (512, 640)) -> Faces:
    made = tuple(Face(torch.tensor([0.0, 0.0, 1.0, 1.0]), points) for points in found)
    return Faces(torch.zeros(1, size[1], size[0], 3), (made,))


@pytest.mark.parametrize(
    ("size", "points", "sums", "sha256"),
    [
        (
            (512, 640),
            FIRST,
            [542691, 366996, 253776],
            "2f03f281c9cd941c5778b26c4fb2a4d720eb2da8b16bb808c17e3bae3d9a5f5f",
        ),
        (
            (1024, 1024),
            SECOND,
            [729810, 480522, 323085],
            "49ad997a15e6bae97a9a209ad54be9e54ccb19bff98fef1afb3ecf2aa035e934",
        ),
    ],
)
def test_drawing_is_pixel_exact(
    size: tuple[int, int], points: torch.Tensor, sums: list[int], sha256: str
) -> None:
    drawn = draw_kps(*size, [points])
    assert drawn.reshape(-1, 3).sum(axis=0).tolist() == sums
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == sha256


def test_dots_and_sticks_have_their_sizes() -> None:
    drawn = draw_kps(512, 640, [FIRST]).reshape(-1, 3)

    def count(*colour: int) -> int:
        return int((drawn == colour).all(axis=1).sum())

    dots = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)]
    assert [count(*colour) for colour in dots] == [317] * 5
    sticks = [(153, 0, 0), (0, 153, 0), (153, 153, 0), (153, 0, 153)]
    assert [count(*colour) for colour in sticks] == [715, 697, 645, 602]


def test_the_image_is_the_drawing() -> None:
    images = keypoint_images(faces(FIRST))
    assert images.shape == (1, 640, 512, 3)
    assert np.array_equal((images[0] * 255).round().to(torch.uint8).numpy(), draw_kps(512, 640, [FIRST]))


def test_drawn_at_the_output_size_dots_keep_their_radius() -> None:
    images = keypoint_images(faces(FIRST), 1024, 1280)
    drawn = (images[0] * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(drawn, draw_kps(1024, 1280, [FIRST * 2]))
    assert (drawn.reshape(-1, 3) == (255, 0, 0)).all(axis=1).sum() == 317


def test_several_faces_share_a_canvas() -> None:
    other = FIRST + torch.tensor([250.0, 0.0])
    both = draw_kps(900, 640, [FIRST, other])
    apart = np.maximum(draw_kps(900, 640, [FIRST]), draw_kps(900, 640, [other]))
    assert np.array_equal(both, apart)


@pytest.mark.parametrize(
    ("fit", "scale", "offset"),
    [
        ("stretch", [2.0, 1.0], [0.0, 0.0]),
        ("crop", [2.0, 2.0], [0.0, -100.0]),
        ("pad", [1.0, 1.0], [50.0, 0.0]),
    ],
)
def test_fit(fit: str, scale: list[float], offset: list[float]) -> None:
    got = placement((100, 200), (200, 200), fit)
    assert [value.tolist() for value in got] == [scale, offset]


def test_one_side_may_be_the_sources() -> None:
    assert keypoint_images(faces(FIRST), width=256).shape == (1, 640, 256, 3)


def test_points_outside_the_picture_do_no_harm() -> None:
    assert not draw_kps(64, 64, [FIRST + 4000]).any()


def test_pictures_without_a_face_are_named() -> None:
    some = Faces(torch.zeros(3, 64, 64, 3), ((), faces(FIRST).faces[0], ()), (0, 4, 7))
    with pytest.raises(ValueError, match="no face in pictures 0, 7"):
        keypoint_images(some)
    with pytest.raises(ValueError, match="an empty batch"):
        keypoint_images(Faces(torch.zeros(0, 64, 64, 3), ()))


def clip(photos: dict[str, np.ndarray]) -> Faces:
    """Real pictures: nobody, the astronaut, nobody twice, her mirrored, nobody."""
    her, nobody = photos["astronaut"], photos["coffee"][:400, :400]
    her = np.asarray(Image.fromarray(her).resize((400, 400)))
    frames = image(nobody, her, nobody, nobody, her[:, ::-1], nobody)
    return apply_policy(detect(embedded(), frames), "pass through", "")


def test_a_clip_stays_in_step_where_there_is_no_face(
    photos: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    found = clip(photos)
    with pytest.raises(ValueError, match=r"pictures 0, 2, 3, 5 .*set without_face to black or last picture"):
        keypoint_images(found)
    black = keypoint_images(found, without_face="black")
    again = keypoint_images(found, 300, 200, "pad", "eyes and nose", "last picture")
    assert black.shape == (6, 400, 400, 3) and again.shape == (6, 200, 300, 3)
    assert [bool(picture.any()) for picture in black] == [False, True, False, False, True, False]
    her, mirrored = again[1], again[4]
    assert her.any() and not torch.equal(her, mirrored)
    for picture, wanted in zip(again, (her, her, her, her, mirrored, mirrored), strict=True):
        assert torch.equal(picture, wanted)
    assert "pictures 0, 2, 3, 5 (counted from 0): drawn as last picture" in caplog.text


def test_a_clip_with_all_its_faces_is_drawn_as_ever(photos: dict[str, np.ndarray]) -> None:
    found = detect(embedded(), image(photos["astronaut"], photos["astronaut"][:, ::-1]))
    plain = keypoint_images(found)
    for choice in WITHOUT_FACE:
        assert torch.equal(keypoint_images(found, without_face=choice), plain)


def test_a_clip_of_nobody() -> None:
    nobody = Faces(torch.zeros(2, 64, 64, 3), ((), ()))
    assert not keypoint_images(nobody, without_face="black").any()
    with pytest.raises(ValueError, match="no face in any picture"):
        keypoint_images(nobody, without_face="last picture")
    with pytest.raises(ValueError, match="an empty batch"):
        keypoint_images(Faces(torch.zeros(0, 64, 64, 3), ()), without_face="black")
    with pytest.raises(ValueError, match="'grey'"):
        keypoint_images(nobody, without_face="grey")


def test_an_unknown_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="'fill'"):
        keypoint_images(faces(FIRST), fit="fill")
