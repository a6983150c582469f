"""Faces to and from the host's own nodes, and another pack's face models, in the real host."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import EMBEDDED, image, write_recogniser

from installer.paths import REPOSITORY

Photos = dict[str, np.ndarray]
Run = Any  # a function of node id and inputs

#: Ids, inputs in order and outputs: saved workflows depend on them.
CONTRACT = {
    "LikenessFacesFromLandmarks": ("face_landmarks image if_no_face", "faces count found"),
    "LikenessFacesFromBoxes": (
        "face_models image bboxes min_score if_no_face",
        "faces count found report",
    ),
    "LikenessFacesToLandmarks": ("faces", "face_landmarks"),
    "LikenessFacesToBoxes": ("faces", "bboxes"),
    "LikenessFaceModelsFromAnalysis": ("face_analysis", "face_models"),
}


@pytest.fixture(scope="module")
def run(pack: Any) -> Run:
    def call(node_id: str, **inputs: Any) -> tuple[Any, ...]:
        return tuple(pack.node(node_id).execute(**inputs).result or ())

    return call


@pytest.fixture(scope="module")
def astronaut(photos: Photos) -> torch.Tensor:
    return image(photos["astronaut"])


@pytest.fixture(scope="module")
def faces(run: Run, models: Any, astronaut: torch.Tensor) -> Any:
    return run("LikenessDetectFaces", face_models=models, image=astronaut)[0]


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs.split()
    assert [socket.id for socket in schema.outputs] == outputs.split()
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    page = (REPOSITORY / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {schema.display_name}\n")
    assert not [s.id for s in [*schema.inputs, *schema.outputs] if f"`{s.id}`" not in page]


def test_types_are_those_of_the_host_and_of_other_packs(host: ModuleType, pack: Any) -> None:
    from comfy_extras.nodes_mediapipe import MediaPipeFaceLandmarker

    theirs = [out.get_io_type() for out in MediaPipeFaceLandmarker.define_schema().outputs]

    def kinds(node_id: str) -> dict[str, str]:
        schema = pack.node(node_id).define_schema()
        return {s.id: s.get_io_type() for s in [*schema.inputs, *schema.outputs]}

    assert theirs == ["FACE_LANDMARKS", "BOUNDING_BOX"]
    assert kinds("LikenessFacesFromLandmarks")["face_landmarks"] == theirs[0]
    assert kinds("LikenessFacesToLandmarks")["face_landmarks"] == theirs[0]
    assert kinds("LikenessFacesFromBoxes")["bboxes"] == theirs[1]
    assert kinds("LikenessFacesToBoxes")["bboxes"] == theirs[1]
    accepted = kinds("LikenessFaceModelsFromAnalysis")["face_analysis"].split(",")
    assert accepted[0] == "FACEANALYSIS" and "INSIGHTFACE" in accepted


def test_the_host_draws_and_masks_our_faces(
    host: ModuleType, run: Run, faces: Any, astronaut: torch.Tensor
) -> None:
    from comfy_extras.nodes_mediapipe import MediaPipeFaceMask, MediaPipeFaceMeshVisualize

    (given,) = run("LikenessFacesToLandmarks", faces=faces)
    (hull,) = run("LikenessFaceMask", faces=faces, region="hull")
    (mask,) = MediaPipeFaceMask.execute(given, {"regions": "all"}).result
    together, either = (hull * mask).sum(), torch.maximum(hull, mask).sum()
    assert together / either > 0.93
    x, y = faces.faces[0][0].keypoints.round().int().T.tolist()
    eyes = MediaPipeFaceMask.execute(
        given, {"regions": "custom", "left_eye": True, "right_eye": True, "face_oval": False}
    ).result[0]
    assert 0.005 < eyes.sum() / mask.sum() < 0.1
    assert eyes[0, y[0] - 6 : y[0] + 6, x[0] - 8 : x[0] + 8].any()
    assert eyes[0, y[1] - 6 : y[1] + 6, x[1] - 8 : x[1] + 8].any()
    assert not eyes[0, y[2], x[2]]
    drawn = MediaPipeFaceMeshVisualize.execute(given, {"connections": "all"}, "#00ff00", 1, 2, astronaut)
    changed = (drawn.result[0] - astronaut).abs().amax(dim=-1) > 0.02
    assert changed.any()
    assert not (changed[0] & (mask[0] == 0))[:40].any()


def test_the_host_draws_and_crops_our_boxes(
    host: ModuleType, run: Run, models: Any, faces: Any, astronaut: torch.Tensor
) -> None:
    from comfy_extras.nodes_rtdetr import DrawBBoxes
    from comfy_extras.nodes_sdpose import CropByBBoxes

    (boxes,) = run("LikenessFacesToBoxes", faces=faces)
    assert DrawBBoxes.execute(boxes, astronaut).result[0].shape == astronaut.shape
    (crop,) = CropByBBoxes.execute(astronaut, boxes, 128, 128, 40, "stretch").result
    assert run("LikenessDetectFaces", face_models=models, image=crop)[1] == 1
    again, count, _, report = run("LikenessFacesFromBoxes", face_models=models, image=astronaut, bboxes=boxes)
    assert count == 1
    assert (again.faces[0][0].box - faces.faces[0][0].box).abs().max() < 12
    assert report.startswith("picture 0, box 0: face 0, score 0.")


def test_a_box_drawn_by_hand_leads_to_a_face_or_to_the_policy(
    host: ModuleType, run: Run, models: Any, astronaut: torch.Tensor
) -> None:
    from comfy_extras.nodes_images import BoundingBox

    (head,) = BoundingBox.execute(150, 20, 150, 180).result
    (boot,) = BoundingBox.execute(10, 400, 80, 80).result
    both = astronaut.repeat(2, 1, 1, 1)
    given = {"face_models": models, "image": both}
    assert run("LikenessFacesFromBoxes", bboxes=head, **given)[1:3] == (2, True)
    kept = run("LikenessFacesFromBoxes", bboxes=[[boot], [head]], if_no_face="skip", **given)
    assert (kept[0].indices, kept[1]) == ((1,), 1)
    assert kept[3].startswith("picture 0, box 0: no face\npicture 1, box 0: face 0")
    says = (
        r"No face in pictures 0, 1 \(counted from 0\)\. Lower min_score, .* In detail: picture 0, box 0: no "
        r"face; picture 1, box 0: no face\."
    )
    with pytest.raises(ValueError, match=says):
        run("LikenessFacesFromBoxes", bboxes=boot, **given)


def test_the_host_s_landmarks_go_through_selection_and_back(
    run: Run, models: Any, faces: Any, astronaut: torch.Tensor
) -> None:
    (given,) = run("LikenessFacesToLandmarks", faces=faces)
    two = {**given, "frames": [[*given["frames"][0], {**given["frames"][0][0], "score": 0.2}], []]}
    both = astronaut.repeat(2, 1, 1, 1)
    with pytest.raises(ValueError, match=r"No face in picture 1 .* Lower min_confidence"):
        run("LikenessFacesFromLandmarks", face_landmarks=two, image=both)
    found, count, _ = run(
        "LikenessFacesFromLandmarks", face_landmarks=two, image=both, if_no_face="pass through"
    )
    assert count == 2
    best = run("LikenessSelectFaces", faces=found, by="highest score", if_no_face="pass through")[0]
    (back,) = run("LikenessFacesToLandmarks", faces=best)
    assert [len(frame) for frame in back["frames"]] == [1, 0]
    assert back["frames"][0][0]["score"] == pytest.approx(given["frames"][0][0]["score"])
    (who,) = run("LikenessEmbedFaces", face_models=models, faces=best, recogniser="sface")
    (known,) = run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface")
    assert torch.nn.functional.cosine_similarity(who.embeddings, known.embeddings).item() > 0.9


def test_a_foreign_analysis_serves_as_face_models(run: Run, astronaut: torch.Tensor, tmp_path: Path) -> None:
    from insightface.app import FaceAnalysis

    folder = tmp_path / "buffalo_l"
    write_recogniser(folder / "w600k_r50.onnx", seed=3)
    shutil.copy(EMBEDDED / "det_yunet_scrfd.onnx", folder / "det_10g.onnx")
    analysis = FaceAnalysis(str(folder), providers=["CPUExecutionProvider"])
    (foreign,) = run("LikenessFaceModelsFromAnalysis", face_analysis=analysis)
    found = run("LikenessDetectFaces", face_models=foreign, image=astronaut)[0]
    own = "whatever face_models has"
    (who,) = run("LikenessEmbedFaces", face_models=foreign, faces=found, recogniser=own)
    assert who.recogniser == "w600k_r50"
    chosen = run("LikenessSelectFaces", faces=found, by="most similar", reference=who, face_models=foreign)
    assert chosen[3] == "picture 0 (1 face): face 0, similarity 1.000, no other face"
    with pytest.raises(ValueError, match="buffalo_l have no recogniser glintr100; they have: w600k_r50"):
        run("LikenessEmbedFaces", face_models=foreign, faces=found, recogniser="glintr100")


def test_outputs_share_no_memory_with_the_faces(run: Run, faces: Any) -> None:
    before = faces.faces[0][0].box.clone()
    (given,) = run("LikenessFacesToLandmarks", faces=faces)
    given["frames"][0][0]["landmarks_xy"][:] = 0
    (boxes,) = run("LikenessFacesToBoxes", faces=faces)
    boxes[0][0]["x"] = -5
    assert faces.faces[0][0].box.equal(before)
    assert run("LikenessFacesToLandmarks", faces=faces)[0]["frames"][0][0]["landmarks_xy"].any()
