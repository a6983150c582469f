"""Finding faces in real photos with the embedded detector."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.policy import apply_policy
from likeness.values import Faces

Photos = dict[str, np.ndarray]


def boxes(faces: Faces) -> list[list[list[float]]]:
    return [[face.box.tolist() for face in found] for found in faces.faces]


@pytest.mark.parametrize(("name", "count"), [("astronaut", 1), ("t1", 6), ("coffee", 0), ("chelsea", 0)])
def test_faces_in_real_photos_are_counted_right(photos: Photos, name: str, count: int) -> None:
    assert detect(embedded(), image(photos[name])).count == count


def test_the_astronauts_box_and_points_are_where_the_measurements_say(photos: Photos) -> None:
    face = detect(embedded(), image(photos["astronaut"])).faces[0][0]
    assert face.box.tolist() == pytest.approx([179, 63, 269, 174], abs=1)
    points = [[202, 106], [245, 105], [221, 127], [204, 145], [242, 145]]
    assert face.keypoints.tolist() == [pytest.approx(p, abs=1) for p in points]
    assert face.score == pytest.approx(0.943, abs=0.002)


def test_the_best_score_comes_first_and_max_faces_keeps_the_best(photos: Photos) -> None:
    faces = detect(embedded(), image(photos["t1"]))
    scores = [face.score for face in faces.faces[0]]
    assert scores == sorted(scores, reverse=True)
    best = detect(embedded(), image(photos["t1"]), max_faces=2)
    assert boxes(best) == [boxes(faces)[0][:2]]


def test_a_batch_is_searched_picture_by_picture(photos: Photos) -> None:
    astronaut = photos["astronaut"]
    blank = np.zeros_like(astronaut)
    images = image(astronaut, blank, astronaut[:, ::-1])
    faces = detect(embedded(), images)
    assert [len(found) for found in faces.faces] == [1, 0, 1]
    assert faces.images is images
    x1, _, x2, _ = faces.faces[0][0].box.tolist()
    assert faces.faces[2][0].box.tolist()[::2] == pytest.approx([512 - x2, 512 - x1], abs=4)


def test_no_state_leaks_from_one_picture_to_the_next(photos: Photos) -> None:
    close = image(photos["astronaut"][96:140, 201:246])  # needs the padded retry
    group = image(photos["t1"])
    first = boxes(detect(embedded(), group))
    detect(embedded(), close, min_score=0.7, max_faces=1)
    detect(embedded(), image(photos["coffee"]))
    assert boxes(detect(embedded(), group)) == first


def test_every_kind_of_image_the_host_hands_over_is_read(photos: Photos) -> None:
    plain = image(photos["astronaut"])
    expected = boxes(detect(embedded(), plain))
    before = plain.clone()
    rgba = torch.cat([plain, torch.rand(1, 512, 512, 1)], dim=-1)
    assert boxes(detect(embedded(), rgba)) == expected
    assert torch.equal(plain, before)
    half = detect(embedded(), plain.to(torch.float16))
    assert half.faces[0][0].box.tolist() == pytest.approx(expected[0][0], abs=1)
    grey = plain.mean(dim=-1, keepdim=True)
    assert detect(embedded(), grey).faces[0][0].box.tolist() == pytest.approx(expected[0][0], abs=4)
    over = plain * 1.5 - 0.1  # upscalers leave the range
    assert detect(embedded(), over).count == 1


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 1, 700, 3), (1, 700, 1, 4)])
def test_pictures_of_a_pixel_hold_no_face_and_break_nothing(shape: tuple[int, ...]) -> None:
    faces = detect(embedded(), torch.rand(shape))
    assert faces.count == 0
    assert len(faces.faces) == shape[0]


def test_eight_megapixels_are_searched_in_their_own_coordinates(photos: Photos) -> None:
    large = torch.zeros(1, 2448, 3264, 3)
    large[:, 400:1936, 900:2436] = torch.nn.functional.interpolate(
        image(photos["astronaut"]).movedim(-1, 1), scale_factor=3
    ).movedim(1, -1)
    face = detect(embedded(), large).faces[0][0]
    expected = [179 * 3 + 900, 63 * 3 + 400, 269 * 3 + 900, 174 * 3 + 400]
    assert face.box.tolist() == pytest.approx(expected, abs=20)


def test_a_face_that_fills_the_frame_is_found_with_a_border_and_put_back(
    photos: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    whole = detect(embedded(), image(photos["astronaut"])).faces[0][0]
    close = detect(embedded(), image(photos["astronaut"][96:140, 201:246]), min_score=0.7).faces[0]
    assert len(close) == 1
    assert "a border was put around" in caplog.text
    shift = torch.tensor([201.0, 96.0])
    assert (close[0].keypoints + shift - whole.keypoints).abs().max() < 8


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_is_reported_with_the_pictures_place(photos: Photos, bad: float) -> None:
    images = image(photos["astronaut"], photos["astronaut"])
    images[1, 5, 5, 0] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity in picture 1 "):
        detect(embedded(), images)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.zeros(8, 8, 3), r"\[8, 8, 3\]"),
        (torch.zeros(1, 8, 8, 2), "not 2"),
        (torch.zeros(1, 8, 8, 3, dtype=torch.uint8), "uint8"),
        (torch.zeros(0, 8, 8, 3), "no pictures"),
        (torch.zeros(1, 0, 8, 3), "without pixels"),
    ],
)
def test_what_is_no_image_is_refused(images: torch.Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        detect(embedded(), images)


def some_without(photos: Photos) -> Faces:
    blank = np.zeros_like(photos["astronaut"])
    return detect(embedded(), image(blank, photos["astronaut"], blank))


def test_no_face_error_names_every_picture(photos: Photos) -> None:
    with pytest.raises(ValueError, match=r"No face in pictures 0, 2 \(counted from 0\)\. Do this\."):
        apply_policy(some_without(photos), "error", "Do this.")


def test_no_face_skip_drops_the_pictures_and_keeps_their_numbers(
    photos: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    faces = some_without(photos)
    kept = apply_policy(faces, "skip", "")
    assert (kept.indices, kept.count, kept.images.shape[0]) == ((1,), 1, 1)
    assert torch.equal(kept.images[0], faces.images[1])
    assert "pictures 0, 2" in caplog.text
    assert apply_policy(kept, "error", "") is kept


def test_no_face_skip_can_leave_nothing(photos: Photos) -> None:
    none = apply_policy(detect(embedded(), image(photos["coffee"])), "skip", "")
    assert (none.count, none.images.shape[0], none.size) == (0, 0, (600, 400))
    with pytest.raises(ValueError, match="every picture was skipped"):
        apply_policy(none, "error", "")


def test_no_face_pass_through_keeps_everything(photos: Photos) -> None:
    faces = some_without(photos)
    assert apply_policy(faces, "pass through", "") is faces


def test_an_unknown_policy_is_refused(photos: Photos) -> None:
    with pytest.raises(ValueError, match="'ignore'"):
        apply_policy(some_without(photos), "ignore", "")
