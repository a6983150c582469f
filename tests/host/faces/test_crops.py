"""Crop Faces and Paste Faces in the real host, on a real photo, called with their socket ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import image

from installer.paths import REPOSITORY

Run = Any  # a function of node id and inputs

#: Ids, inputs in order and outputs: saved workflows depend on them.
CONTRACT = {
    "LikenessCropFaces": ("faces size margin align if_no_face", "crops masks crops_info faces"),
    "LikenessPasteFaces": ("image crops crops_info seam colour_match mask", "image"),
}


@pytest.fixture(scope="module")
def run(pack: Any) -> Run:
    def call(node_id: str, **inputs: Any) -> tuple[Any, ...]:
        with torch.inference_mode():  # as the host runs nodes
            return tuple(pack.node(node_id).execute(**inputs).result)

    return call


@pytest.fixture(scope="module")
def astronaut(photos: dict[str, np.ndarray]) -> torch.Tensor:
    return image(photos["astronaut"])


@pytest.fixture(scope="module")
def faces(run: Run, models: Any, astronaut: torch.Tensor) -> Any:
    """Two pictures: she, and she in a mirror."""
    both = torch.cat([astronaut, astronaut.flip(2)])
    return run("LikenessDetectFaces", face_models=models, image=both)[0]


@pytest.fixture
def half_precision(host: Any) -> Iterator[None]:
    from comfy.cli_args import args

    args.fp16_intermediates = True
    yield
    args.fp16_intermediates = False


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs.split()
    assert [socket.id for socket in schema.outputs] == outputs.split()
    assert schema.category == "Likeness/Regions" and schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)
    page = REPOSITORY / "web" / "docs" / f"{node_id}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {schema.display_name}\n")
    assert all(f"`{socket.id}`" in text for socket in [*schema.inputs, *schema.outputs])


def test_defaults_are_what_the_table_says(pack: Any) -> None:
    def defaults(node_id: str) -> dict[str, Any]:
        schema = pack.node(node_id).define_schema()
        return {s.id: s.default for s in schema.inputs if getattr(s, "default", None) is not None}

    crop = {"size": 512, "margin": 0.5, "align": "upright", "if_no_face": "error"}
    assert defaults("LikenessCropFaces") == crop
    assert defaults("LikenessPasteFaces") == {"seam": 32, "colour_match": "none"}
    assert [s.id for s in pack.node("LikenessPasteFaces").define_schema().inputs if s.optional] == ["mask"]


def test_there_and_back_on_a_real_photo(run: Run, faces: Any) -> None:
    pictures = faces.images
    before = pictures.clone()
    crops, masks, info, inside = run("LikenessCropFaces", faces=faces)
    assert crops.shape == (2, 512, 512, 3) and masks.shape == (2, 512, 512) and inside.count == 2
    (same,) = run("LikenessPasteFaces", image=pictures, crops=crops, crops_info=info)
    assert torch.equal(same, pictures)
    edited = 1 - crops
    (pasted,) = run("LikenessPasteFaces", image=pictures, crops=edited, crops_info=info, mask=masks)
    for index, found in enumerate(faces.faces):
        x, y = (round(v) for v in found[0].keypoints[2].tolist())
        assert (pasted - (1 - pictures))[index, y - 5 : y + 5, x - 5 : x + 5].abs().max() < 0.1
    assert torch.equal(pasted[:, 260:], pictures[:, 260:]) and torch.equal(pictures, before)


def test_in_a_host_of_half_precision(run: Run, faces: Any, half_precision: None) -> None:
    crops, masks, info, _ = run("LikenessCropFaces", faces=faces, size=256, align="ffhq")
    assert crops.dtype == masks.dtype == torch.float16
    (same,) = run("LikenessPasteFaces", image=faces.images.half(), crops=crops, crops_info=info)
    assert same.dtype == torch.float16 and torch.equal(same, faces.images.half())


def test_the_faces_of_crops_go_on_to_other_nodes(run: Run, models: Any, faces: Any) -> None:
    crops, masks, _, inside = run("LikenessCropFaces", faces=faces, size=256)
    (points,) = run("LikenessFaceKeypoints", faces=inside)
    assert points.shape == crops.shape
    for index, found in enumerate(inside.faces):
        x, y = (round(v) for v in found[0].keypoints[0].tolist())
        assert points[index, y, x].tolist() == [1, 0, 0]
    (mask,) = run("LikenessFaceMask", faces=inside, region="hull")
    assert ((mask > 0.5) & (masks < 0.5)).sum() < 0.01 * mask.sum()
    (one,) = run("LikenessEmbedFaces", face_models=models, faces=inside, recogniser="sface", combine="none")
    (two,) = run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface", combine="none")
    assert (one.unit * two.unit).sum(dim=1).min() > 0.9


def test_a_latent_and_back_is_a_face_detailer(host: Any, run: Run, faces: Any) -> None:
    """Through a real VAE of the host (tiny, so that nothing is recognisable): sizes and places hold."""
    crops, _, info, _ = run("LikenessCropFaces", faces=faces, size=128)
    with torch.inference_mode():
        vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[2]
        latent = host.VAEEncode().encode(vae, crops)[0]
        decoded = host.VAEDecode().decode(vae, latent)[0]
    (pasted,) = run(
        "LikenessPasteFaces",
        image=faces.images,
        crops=decoded,
        crops_info=info,
        seam=8,
        colour_match="mean and deviation",
    )
    assert pasted.shape == faces.images.shape and torch.isfinite(pasted).all()
    for index, found in enumerate(faces.faces):
        x, y = (round(v) for v in found[0].keypoints[2].tolist())
        assert (pasted != faces.images)[index, y, x].any()
    assert torch.equal(pasted[:, 280:], faces.images[:, 280:])


def test_pictures_without_a_face(
    run: Run, models: Any, astronaut: torch.Tensor, photos: dict[str, np.ndarray]
) -> None:
    empty = torch.zeros_like(astronaut)
    pictures = torch.cat([empty, astronaut])
    found = run("LikenessDetectFaces", face_models=models, image=pictures, if_no_face="pass through")[0]
    with pytest.raises(ValueError, match=r"No face in picture 0 \(counted from 0\)\. Choose other faces"):
        run("LikenessCropFaces", faces=found)
    skipped = run("LikenessCropFaces", faces=found, size=128, if_no_face="skip")
    assert skipped[0].shape[0] == 1
    (pasted,) = run("LikenessPasteFaces", image=pictures, crops=1 - skipped[0], crops_info=skipped[2])
    assert torch.equal(pasted[0], pictures[0]) and not torch.equal(pasted[1], pictures[1])
    passed = run("LikenessCropFaces", faces=found, size=128, if_no_face="pass through")
    assert passed[0].shape[0] == 2 and not passed[1][0].any() and passed[3].count == 1
    (again,) = run("LikenessPasteFaces", image=pictures, crops=1 - passed[0], crops_info=passed[2])
    assert torch.equal(again, pasted)
    none = run("LikenessDetectFaces", face_models=models, image=empty, if_no_face="pass through")[0]
    with pytest.raises(ValueError, match="nothing to crop: every picture was skipped"):
        run("LikenessCropFaces", faces=none, if_no_face="skip")


def test_bad_input_is_explained(run: Run, faces: Any) -> None:
    crops, _, info, _ = run("LikenessCropFaces", faces=faces, size=64)
    with pytest.raises(ValueError, match="crops holds 1 pictures, but crops_info is of 2 crops"):
        run("LikenessPasteFaces", image=faces.images, crops=crops[:1], crops_info=info)
    with pytest.raises(ValueError, match="image is 512 x 256"):
        run("LikenessPasteFaces", image=faces.images[:, :256], crops=crops, crops_info=info)
