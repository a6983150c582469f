"""The host's landmarks and boxes, in and out, with the embedded networks on real photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, image

from likeness.faces.align import align
from likeness.faces.detect import detect
from likeness.faces.host_boxes import boxes_from_faces, faces_in_boxes, read_boxes
from likeness.faces.host_landmarks import faces_from_landmarks, landmarks_from_faces, mesh_of
from likeness.faces.masks import face_masks
from likeness.faces.mesh import landmarks
from likeness.faces.mesh_points import connection_sets, five_points
from likeness.values import Face, Faces

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def astronaut(photos: Photos) -> Faces:
    return detect(embedded(), image(photos["astronaut"]))


@pytest.fixture(scope="module")
def mesh(photos: Photos, astronaut: Faces) -> torch.Tensor:
    return landmarks(torch.from_numpy(photos["astronaut"]), astronaut.faces[0][0])


def host_landmarks(*pictures: list[torch.Tensor], size: tuple[int, int] = (512, 512)) -> dict[str, Any]:
    """FACE_LANDMARKS as the host's node gives them, of meshes."""

    def face(points: torch.Tensor) -> dict[str, Any]:
        xy = points.numpy().astype(np.float32)
        box = np.concatenate([xy.min(0), xy.max(0)])
        return {"landmarks_xy": xy, "bbox_xyxy": box, "score": 0.9, "presence": 4.0, "blendshapes": {}}

    frames = [[face(points) for points in own] for own in pictures]
    return {"frames": frames, "image_size": size, "connection_sets": {}}


# Five points out of a mesh.


def test_five_points_of_the_mesh_lie_where_the_detector_has_them(
    astronaut: Faces, mesh: torch.Tensor
) -> None:
    """The detector is the coarser of the two: its mouth corners lie inside the mouth of the photo."""
    own, detected = five_points(mesh), astronaut.faces[0][0].keypoints
    between_eyes = (detected[1] - detected[0]).norm()
    apart = (own - detected).norm(dim=1) / between_eyes
    assert apart[:2].max() < 0.1  # eyes
    assert apart[2] < 0.06  # nose
    assert apart[3:].max() < 0.2  # mouth
    assert own[0, 0] < own[1, 0] and own[3, 0] < own[4, 0]


@pytest.mark.parametrize("name", ["astronaut", "obama", "obama2", "obama3", "biden"])
def test_a_face_aligned_by_its_mesh_is_recognised(photos: Photos, name: str) -> None:
    face = detect(embedded(), image(photos[name])).faces[0][0]
    picture = torch.from_numpy(photos[name].copy())
    own = five_points(landmarks(picture, face))
    crops = torch.stack([align(picture, points) for points in (own, face.keypoints)])
    by_mesh, by_detector = embedded().recogniser("sface")(crops)
    assert torch.nn.functional.cosine_similarity(by_mesh, by_detector, dim=0) > 0.9


def test_with_irises_the_eyes_are_their_centres(mesh: torch.Tensor) -> None:
    irises = torch.arange(20, dtype=torch.float32).reshape(10, 2)
    points = five_points(torch.cat([mesh, irises]))
    assert torch.equal(points[:2], irises[[0, 5]])
    assert torch.equal(points[2:], five_points(mesh)[2:])
    deep = torch.cat([mesh, torch.full((468, 1), 9.0)], dim=1)
    assert torch.equal(five_points(deep), five_points(mesh))


@pytest.mark.parametrize("shape", [(5, 2), (468, 4), (68, 2), (468,)])
def test_what_is_no_mesh_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[468 or 478, 2 or 3\]"):
        five_points(torch.zeros(shape))


def test_the_lines_of_the_mesh_close_and_lie_on_the_face(mesh: torch.Tensor) -> None:
    sets = connection_sets(irises=True)
    for part, rings in {"face_oval": 1, "left_eye": 1, "right_eye": 1, "irises": 2, "lips": 2}.items():
        ends = [point for edge in sets[part] for point in edge]
        assert {ends.count(point) for point in ends} == {2}, part
        assert len(ends) // 2 == len(set(ends)), part
        assert _rings(sets[part]) == rings, part
    assert not connection_sets(irises=False)["irises"]
    assert all(max(edge) < 468 for edge in connection_sets(irises=False)["all"])
    # The oval is the mesh's outline, and the longest line of any part is short beside the face.
    oval = mesh[sorted({point for edge in sets["face_oval"] for point in edge})]
    height = mesh[:, 1].max() - mesh[:, 1].min()
    assert (oval.amin(dim=0) - mesh.amin(dim=0)).max() < 0.01 * height
    assert (mesh.amax(dim=0) - oval.amax(dim=0)).max() < 0.01 * height
    for part in ("face_oval", "lips", "left_eye", "right_eye", "left_eyebrow", "right_eyebrow", "nose"):
        lengths = [float((mesh[a] - mesh[b]).norm()) for a, b in sets[part]]
        assert max(lengths) < 0.17 * height, part


def _rings(edges: frozenset[tuple[int, int]]) -> int:
    groups: list[set[int]] = []
    for edge in edges:
        joined = set(edge).union(*(g for g in groups if g & set(edge)))
        groups = [g for g in groups if not g & set(edge)] + [joined]
    return len(groups)


# FACE_LANDMARKS.


def test_the_host_s_landmarks_become_faces(photos: Photos, mesh: torch.Tensor) -> None:
    images = image(photos["astronaut"], photos["astronaut"], photos["astronaut"])
    other = mesh + torch.tensor([60.0, 10.0])
    faces = faces_from_landmarks(host_landmarks([mesh, other], [], [other]), images)
    assert [len(found) for found in faces.faces] == [2, 0, 1]
    face = faces.faces[0][0]
    assert faces.images is images
    assert face.score == pytest.approx(0.9)
    assert face.box.tolist() == [*mesh.amin(dim=0).tolist(), *mesh.amax(dim=0).tolist()]
    assert torch.equal(face.keypoints, five_points(mesh))
    assert face.landmarks is not None and torch.equal(face.landmarks, mesh)
    assert torch.allclose(faces.faces[2][0].keypoints, face.keypoints + torch.tensor([60.0, 10.0]), atol=1e-4)


def test_landmarks_that_do_not_fit_are_refused(photos: Photos, mesh: torch.Tensor) -> None:
    images = image(photos["astronaut"])
    with pytest.raises(ValueError, match="face_landmarks holds 2 pictures, but image 1"):
        faces_from_landmarks(host_landmarks([mesh], []), images)
    with pytest.raises(ValueError, match="found in a picture of 640 x 480, but image is 512 x 512"):
        faces_from_landmarks(host_landmarks([mesh], size=(480, 640)), images)
    with pytest.raises(ValueError, match="it has no frames"):
        faces_from_landmarks({"faces": []}, images)
    with pytest.raises(ValueError, match=r"landmarks_xy of shape \[5, 2\]"):
        faces_from_landmarks(host_landmarks([mesh[:5]]), images)


def odd(**changes: Any) -> dict[str, Any]:
    """Landmarks of one face of which something is of another kind."""
    given = host_landmarks([torch.zeros(468, 2)])
    given["frames"][0][0].update(changes)
    return given


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"frames": None}, "frames of face_landmarks must be a list, not NoneType"),
        ({"frames": [3]}, r"a list of faces for picture 0 \(counted from 0\), not int"),
        ({"frames": [[None]]}, r"in picture 0 \(counted from 0\), must be a mapping .*, not NoneType"),
        ({"frames": [[[1, 2]]]}, "must be a mapping with landmarks_xy, not list"),
        ({"frames": [[]], "image_size": 512}, "image_size of face_landmarks must be 2 numbers, not 1"),
        (odd(score="high"), "score of face_landmarks must be numbers, not str"),
        (odd(landmarks_xy=None), "landmarks_xy of face_landmarks must be numbers, not NoneType"),
        (odd(bbox_xyxy=[1, 2]), "bbox_xyxy of face_landmarks must be 4 numbers, not 2"),
    ],
)
def test_landmarks_of_another_kind_are_refused(given: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        faces_from_landmarks(given, torch.zeros(1, 512, 512, 3))


def test_nothing_instead_of_a_list_or_a_score_is_taken(mesh: torch.Tensor) -> None:
    given = host_landmarks([mesh])
    given["frames"][0][0]["score"] = None
    given["frames"].append(None)
    faces = faces_from_landmarks(given, torch.zeros(2, 512, 512, 3))
    assert [len(found) for found in faces.faces] == [1, 0]
    assert faces.faces[0][0].score == 1


class Elsewhere(torch.Tensor):
    """A tensor on a device that, like MPS, has no float64."""

    held: torch.Tensor

    @staticmethod
    def of(held: torch.Tensor) -> Elsewhere:
        made = torch.Tensor._make_wrapper_subclass(Elsewhere, held.shape, dtype=held.dtype, device="mps")
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("dtype") == torch.float64:
            raise TypeError("no float64 here")
        return call(*(a.held if isinstance(a, Elsewhere) else a for a in args), **kwargs)


def test_landmarks_of_any_device_are_read(mesh: torch.Tensor) -> None:
    points = mesh_of({"landmarks_xy": Elsewhere.of(mesh)})
    assert points.dtype == torch.float64 and torch.equal(points, mesh.double())


def test_faces_become_landmarks_of_the_embedded_mesh(astronaut: Faces, mesh: torch.Tensor) -> None:
    given = landmarks_from_faces(astronaut)
    assert given["image_size"] == (512, 512)
    ((face,),) = given["frames"]
    assert np.array_equal(face["landmarks_xy"], mesh.numpy())
    assert face["bbox_xyxy"].tolist() == [*mesh.amin(dim=0).tolist(), *mesh.amax(dim=0).tolist()]
    assert set(face) == {"landmarks_xy", "bbox_xyxy", "score"}  # what was not computed is not there
    assert not given["connection_sets"]["irises"]
    back = faces_from_landmarks(given, astronaut.images)
    assert torch.equal(back.faces[0][0].keypoints, five_points(mesh))


def test_the_host_s_own_mesh_is_given_back(photos: Photos, mesh: torch.Tensor) -> None:
    whole = torch.cat([mesh, mesh[:10]])
    faces = faces_from_landmarks(host_landmarks([whole]), image(photos["astronaut"]))
    given = landmarks_from_faces(faces)
    assert np.array_equal(given["frames"][0][0]["landmarks_xy"], whole.numpy())
    assert given["connection_sets"]["irises"]
    given["frames"][0][0]["landmarks_xy"][:] = 0
    assert faces.faces[0][0].landmarks is not None and torch.equal(faces.faces[0][0].landmarks, whole)
    hull = face_masks(faces, "hull")  # needs no second look at the picture
    assert hull[0, 127, 221] == 1


# BOUNDING_BOX.


def box(face: Face, grow: float = 0, **more: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = face.box.tolist()
    return {"x": x1 - grow, "y": y1 - grow, "width": x2 - x1 + 2 * grow, "height": y2 - y1 + 2 * grow, **more}


@pytest.fixture(scope="module")
def six(photos: Photos) -> Faces:
    return detect(embedded(), image(photos["t1"]))


@pytest.mark.parametrize("grow", [-15, 0, 40])
def test_each_box_leads_to_its_face(six: Faces, grow: float) -> None:
    order = (3, 0, 5)
    boxes = [[box(six.faces[0][place], grow, label="face", score=0.5) for place in order]]
    faces, report, _ = faces_in_boxes(embedded(), six.images, boxes)
    assert faces.count == 3
    for found, place in zip(faces.faces[0], order, strict=True):
        known = six.faces[0][place]
        eyes = (known.keypoints[1] - known.keypoints[0]).norm()
        assert (found.keypoints.mean(dim=0) - known.keypoints.mean(dim=0)).norm() < 0.3 * eyes
        assert (found.box - known.box).abs().max() < 0.2 * (known.box[3] - known.box[1])
    assert [line.split(":")[1][:7] for line in report.splitlines()] == [" face 0", " face 1", " face 2"]


def test_a_box_around_a_body_leads_to_its_face(astronaut: Faces) -> None:
    body = {"x": 20, "y": 10, "width": 440, "height": 500}
    faces, _, _ = faces_in_boxes(embedded(), astronaut.images, body)
    assert faces.count == 1
    assert (faces.faces[0][0].box - astronaut.faces[0][0].box).abs().max() < 12


def test_boxes_without_a_face_and_of_the_same_face_are_reported(astronaut: Faces) -> None:
    face = astronaut.faces[0][0]
    boxes = [
        {"x": 400, "y": 380, "width": 60, "height": 60},
        box(face),
        box(face, 20),
        {"x": 900, "y": 10, "width": 50, "height": 50},
        {"x": 7, "y": 10, "width": 0, "height": 50},
        {"x": float("nan"), "y": 10, "width": 50, "height": 50},
    ]
    faces, report, _ = faces_in_boxes(embedded(), astronaut.images, boxes)
    assert faces.count == 1
    lines = report.splitlines()
    assert lines[0] == "picture 0, box 0: no face"
    assert lines[1].startswith("picture 0, box 1: face 0, score 0.")
    assert lines[2:] == [
        "picture 0, box 2: face 0 again",
        "picture 0, box 3: no face",
        "picture 0, box 4: no extent (0 x 50 at 7, 10)",
        "picture 0, box 5: no extent (nan x 50 at nan, 10)",
    ]


def test_what_to_do_comes_with_the_lines_of_pictures_without_a_face(astronaut: Faces) -> None:
    three = astronaut.images.expand(3, -1, -1, -1)
    nothing = {"x": 400, "y": 380, "width": 60, "height": -1}
    faces, report, advice = faces_in_boxes(
        embedded(), three, [[nothing] * 25, [box(astronaut.faces[0][0])], None]
    )
    assert [len(found) for found in faces.faces] == [0, 1, 0]
    assert report.splitlines()[-1] == "picture 2: no boxes"
    assert advice.startswith(
        "Lower min_score, check the boxes, or set if_no_face to skip. In detail: picture 0, box 0: no extent "
    )
    assert advice.endswith("; picture 0, box 19: no extent (60 x -1 at 400, 380); and 6 more.")


def test_every_form_the_host_gives_is_read() -> None:
    one, other = ({"x": x, "y": 2, "width": 3.5, "height": np.float32(4)} for x in (1, 9))
    a, b = [1.0, 2.0, 4.5, 6.0], [9.0, 2.0, 12.5, 6.0]

    def lists(boxes: Any, pictures: int) -> list[list[list[float]]]:
        return [[found.tolist() for found in own] for own in read_boxes(boxes, pictures)]

    assert lists(one, 2) == [[a], [a]]
    assert lists([one, other], 2) == [[a, b], [a, b]]
    assert lists([[one, other]], 2) == [[a, b], [a, b]]
    assert lists([[one], [], [other]], 3) == [[a], [], [b]]
    assert lists([], 2) == [[], []]
    assert lists([None, [one]], 2) == [[], [a]]
    assert lists([None], 2) == [[], []]


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ("box", "not str"),
        ([[], []], "boxes for 2 pictures, but image 3"),
        ([{"x": 1, "y": 2, "width": 3}], "box 0 of picture 0 must have the numbers x, y, width, height"),
        ([[], [[1, 2, 3, 4]], []], "box 0 of picture 1 must have the numbers"),
        ([[], 3, []], "picture 1 must have a list of boxes, not 3"),
        ([None, {"x": 1}, None], "picture 1 must have a list of boxes, not {"),
    ],
)
def test_boxes_that_are_none_are_refused(boxes: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_boxes(boxes, 3)


def test_faces_become_boxes(six: Faces) -> None:
    two = Faces(six.images.expand(2, -1, -1, -1), (six.faces[0][:2], ()))
    (first, second), none = boxes_from_faces(two)
    assert none == []
    assert first == box(six.faces[0][0], label="face", score=six.faces[0][0].score)
    assert read_boxes([[first, second], none], 2)[0][1].tolist() == pytest.approx(
        six.faces[0][1].box.tolist()
    )
