"""Score Expression in the real host: photos with the embedded mesh, and the host's own landmarker."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import fitted

from installer.paths import REPOSITORY

Photos = dict[str, np.ndarray]
INPUTS = (
    "image face_models template template_faces identity reference landmarker recogniser keep min_similarity "
    "if_no_face"
)
OUTPUTS = "distance similarity table best indices found"


@pytest.fixture(scope="module")
def batch(photos: Photos) -> torch.Tensor:
    return fitted(*(photos[name] for name in ("biden", "obama2", "coffee", "obama3")))


@pytest.fixture(scope="module")
def him(pack: Any, models: Any, photos: Photos) -> Any:
    faces = pack.node("LikenessDetectFaces").execute(face_models=models, image=fitted(photos["obama"]))[0]
    return pack.node("LikenessEmbedFaces").execute(face_models=models, faces=faces, recogniser="sface")[0]


@pytest.fixture(scope="module")
def landmarker(host: ModuleType) -> Any:
    """The host's FACE_DETECTION_MODEL with untrained weights: its detector sees a face in noise too."""
    from comfy_extras.mediapipe.face_landmarker import FaceLandmarker
    from comfy_extras.nodes_mediapipe import _CANONICAL_KEYS, _CONTOUR_PARTS, FaceLandmarkerModel

    torch.manual_seed(0)
    tensors: dict[str, torch.Tensor] = {}
    for variant in ("short", "full"):
        network = FaceLandmarker(detector_variant=variant)
        for name, tensor in network.state_dict().items():
            fresh = torch.randn_like(tensor) * 0.05 if tensor.is_floating_point() else tensor
            prefix, rest = name.split(".", 1) if "." in name else (name, "")
            tensors[f"detector_{variant}.{rest}" if prefix == "detector" else name] = fresh
    for name in (*_CONTOUR_PARTS, "irises", "nose"):
        tensors[f"topology.{name}"] = torch.tensor([[0, 1]], dtype=torch.int32)
    tensors |= {name: torch.zeros(3, 3) for name in _CANONICAL_KEYS}
    return FaceLandmarkerModel(tensors)


def run(pack: Any, **inputs: Any) -> tuple[Any, ...]:
    with torch.inference_mode():  # as the executor runs nodes
        return tuple(pack.node("LikenessScoreExpression").execute(**inputs).result)


def test_sockets_are_as_promised_and_explained(pack: Any) -> None:
    schema = pack.node("LikenessScoreExpression").define_schema()
    assert [socket.id for socket in schema.inputs] == INPUTS.split()
    assert [socket.id for socket in schema.outputs] == OUTPUTS.split()
    assert schema.category == "Likeness/Expression" and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    page = (REPOSITORY / "web" / "docs" / "LikenessScoreExpression.md").read_text(encoding="utf-8")
    for socket in f"{INPUTS} {OUTPUTS}".split():
        assert f"- **`{socket}`**" in page, socket


def test_the_two_numbers_of_the_nearest_that_is_still_the_person(
    pack: Any, models: Any, batch: torch.Tensor, him: Any, photos: Photos
) -> None:
    before = batch.clone()
    given = {"image": batch, "face_models": models, "template": fitted(photos["obama3"]), "keep": 3}
    given |= {"identity": him, "if_no_face": "skip"}
    distance, similarity, table, best, indices, found = run(pack, **given)
    assert (distance, indices, found) == (0.0, "3,0,1", True)  # himself, then another with a closed mouth
    assert similarity >= 0.6 and torch.equal(best, batch[[3, 0, 1]])
    assert "Measure: ratios" in table and "Judge: sface" in table
    _, _, table, _, indices, _ = run(pack, **given, min_similarity=0.4)
    assert indices == "3,1,0"  # the other person comes last
    assert "below min_similarity 0.4" in table.splitlines()[4]
    assert torch.equal(batch, before)


def test_the_policies_and_what_is_missing(pack: Any, models: Any, batch: torch.Tensor, him: Any) -> None:
    given = {"image": batch, "face_models": models, "template": batch[1:2]}
    for more in ({}, {"identity": him}):
        with pytest.raises(ValueError, match=r"No face in picture 2 \(counted from 0\)"):
            run(pack, **given, **more)
        *_, indices, _ = run(pack, **given, **more, if_no_face="pass through", keep=4)
        assert indices[0] == "1" and indices[-1] == "2"
    cup = {**given, "image": batch[2:3], "if_no_face": "skip"}
    distance, similarity, table, best, indices, found = run(pack, **cup)
    assert (distance, similarity, len(best), indices, found) == (-1.0, -1.0, 0, "", False)
    assert table.startswith("expression distance: no face in any of 1 pictures")
    faces = pack.node("LikenessDetectFaces").execute(face_models=models, image=batch[3:])[0]
    by_faces = run(pack, image=batch[:1], face_models=models, template_faces=faces)
    assert by_faces[0] == run(pack, image=batch[:1], face_models=models, template=batch[3:])[0] > 0
    with pytest.raises(ValueError, match="landmarker is dict, not a face landmarker"):
        run(pack, **given, landmarker={})


def test_with_the_hosts_landmarker_blendshapes_are_compared(
    pack: Any, models: Any, batch: torch.Tensor, landmarker: Any
) -> None:
    with torch.inference_mode():
        crops = pack.module("likeness.faces.crops")
        faces = pack.node("LikenessDetectFaces").execute(face_models=models, image=batch[:2])[0]
        pixels = [np.asarray((c * 255).round().byte()) for c in crops.crop_faces(faces, 512, 0.5)[0].images]
        seen = landmarker.detect_batch(pixels, num_faces=1, score_thresh=0.5, variant="short")
    assert all(seen), "The untrained detector must see something everywhere for this test to say anything."
    one, other = (found[0]["blendshapes"] for found in seen)
    expected = sum(abs(one[name] - other[name]) for name in one) / 52
    given = {"face_models": models, "landmarker": landmarker}
    distance, _, table, *_ = run(pack, image=batch[:1], template=batch[1:2], **given)
    assert distance == pytest.approx(expected, abs=1e-6) and expected > 1e-6
    assert "Measure: blendshapes" in table and "ratios" not in table
    assert run(pack, image=batch[:1], template=batch[:1], **given)[0] == 0
