"""The expression nodes in the real host, called with their socket ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support import smirk_files
from support.tiny_faces import image

from installer.paths import REPOSITORY

Photos = dict[str, np.ndarray]

SLIDERS = [
    "jaw_open",
    "jaw_sideways",
    "jaw_tilt",
    "left_eyelid",
    "right_eyelid",
    *(f"component_{number}" for number in range(1, 11)),
]
#: Ids, inputs in order and outputs: saved workflows depend on them.
CONTRACT = {
    "LikenessReadExpression": (["image", "faces", "face_landmarks", "encoder"], ["expression"]),
    "LikenessEditExpression": (
        ["expression", "preset", "preset_strength", *SLIDERS, "mix"],
        ["expression"],
    ),
}
NAME = "smirk_random.pt"


@pytest.fixture(scope="module")
def folder(host: Any, base: Path) -> Path:
    made = base / "models" / "smirk"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture(scope="module", autouse=True)
def encoder_file(folder: Path) -> Iterator[Path]:
    path = folder / NAME
    torch.save(smirk_files.content(), path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def astronaut(photos: Photos) -> torch.Tensor:
    return image(photos["astronaut"])


def run(loaded: Any, node_id: str, **inputs: Any) -> tuple[Any, ...]:
    return tuple(loaded.node(node_id).execute(**inputs).result)


@pytest.fixture(scope="module")
def faces(pack: Any, astronaut: torch.Tensor) -> Any:
    models = run(pack, "LikenessLoadFaceModels", pack="embedded", provider="CPU")[0]
    return run(pack, "LikenessDetectFaces", face_models=models, image=astronaut)[0]


def host_landmarks(points: torch.Tensor) -> dict[str, Any]:
    """FACE_LANDMARKS as the host's node gives them."""
    with_irises = torch.cat([points, points[:1].expand(10, 2)]).numpy().astype(np.float32)
    face = {"landmarks_xy": with_irises, "score": 0.9, "presence": 4.0}
    return {"frames": [[face]], "image_size": (512, 512), "connection_sets": {}}


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs
    assert [socket.id for socket in schema.outputs] == outputs
    assert schema.category.startswith("Likeness/") and schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_the_help_page_names_every_socket(pack: Any, node_id: str) -> None:
    page = (REPOSITORY / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    schema = pack.node(node_id).define_schema()
    assert page.startswith(f"# {schema.display_name}\n")
    for socket in [*schema.inputs, *schema.outputs]:
        assert f"`{socket.id}`" in page, socket.id
    if node_id == "LikenessEditExpression":
        for name in schema.inputs[1].options:
            assert f"`{name}`" in page, name


def test_every_slider_starts_at_nothing(pack: Any) -> None:
    inputs = {i.id: i for i in pack.node("LikenessEditExpression").define_schema().inputs}
    assert all(inputs[name].default == 0 for name in SLIDERS)
    assert (inputs["preset"].default, inputs["preset_strength"].default, inputs["mix"].default) == (
        "none",
        1,
        1,
    )
    assert len(inputs["preset"].options) >= 13  # none and a dozen
    reach = {name: (inputs[name].min, inputs[name].max) for name in SLIDERS}
    assert (
        reach["left_eyelid"] == (-1, 1)
        and reach["jaw_tilt"] == (-0.2, 0.2)
        and reach["component_1"] == (-3, 3)
    )


def test_from_a_photo_to_an_edited_expression(pack: Any, faces: Any) -> None:
    (expression,) = run(pack, "LikenessReadExpression", encoder=NAME, faces=faces)
    assert expression.parameters.shape == (1, 55)
    assert expression.eyelids.min() >= 0 and expression.eyelids.max() <= 1
    assert expression.jaw[0, 0] >= 0 and expression.jaw[0, 1:].abs().max() <= 0.2
    before = expression.parameters.clone()
    (edited,) = run(
        pack, "LikenessEditExpression", expression=expression, preset="wink left", left_eyelid=-0.5, mix=1.0
    )
    assert edited.parameters[0, 50:].tolist() == [0.5, 0, 0, 0, 0]
    assert torch.equal(expression.parameters, before)
    (neutral,) = run(pack, "LikenessEditExpression")
    assert not neutral.parameters.any()


def test_faces_landmarks_and_picture_agree(
    pack: Any, faces: Any, astronaut: torch.Tensor, photos: Photos
) -> None:
    mesh = pack.module("likeness.faces.mesh").landmarks
    points = mesh(torch.from_numpy(photos["astronaut"].copy()), faces.faces[0][0])
    ways = [
        {"faces": faces},
        {"image": astronaut},
        {"image": astronaut, "face_landmarks": host_landmarks(points)},
        {"faces": faces, "face_landmarks": host_landmarks(points)},
    ]
    before = astronaut.clone()
    with torch.inference_mode():  # as the host runs nodes
        read = [run(pack, "LikenessReadExpression", encoder=NAME, **way)[0].parameters for way in ways]
    assert all(torch.equal(read[0], other) for other in read[1:])
    assert torch.equal(astronaut, before)


def test_a_file_is_read_once_until_it_changes(pack: Any, folder: Path, encoder_file: Path) -> None:
    load = pack.module("likeness.expressions.files").load
    assert load(NAME) is load(NAME)
    node = pack.node("LikenessReadExpression")
    first, mark = load(NAME), node.fingerprint_inputs(encoder=NAME)
    torch.save(smirk_files.content(seed=9), encoder_file)
    os.utime(encoder_file, ns=(1, 1))
    try:
        assert load(NAME) is not first
        assert node.fingerprint_inputs(encoder=NAME) != mark
    finally:
        torch.save(smirk_files.content(), encoder_file)


def test_safetensors_do_as_well(pack: Any, folder: Path, faces: Any) -> None:
    tensors = {key: value.contiguous() for key, value in smirk_files.content().items()}
    save_file(tensors, str(folder / "same.safetensors"))
    by_pickle, by_safetensors = (
        run(pack, "LikenessReadExpression", encoder=name, faces=faces)[0].parameters
        for name in (NAME, "same.safetensors")
    )
    assert torch.equal(by_pickle, by_safetensors)
    (folder / "same.safetensors").unlink()


def test_a_missing_file_is_explained(pack: Any, folder: Path, faces: Any) -> None:
    node = pack.node("LikenessReadExpression")
    assert node.validate_inputs(encoder="SMIRK_em1.pt") is True, "the host must let it run to explain itself"
    assert node.fingerprint_inputs(encoder="SMIRK_em1.pt").startswith("missing")
    with pytest.raises(FileNotFoundError) as error:
        node.execute(encoder="SMIRK_em1.pt", faces=faces)
    for part in ("SMIRK_em1.pt is missing", str(folder), "MIT", "--models arc2face-expression"):
        assert part in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"other\.pt is not in models/smirk \(there: .*smirk_random"):
        node.execute(encoder="other.pt", faces=faces)


def test_a_wrong_file_is_explained(pack: Any, folder: Path, faces: Any) -> None:
    torch.save({"lora_unet_a.weight": torch.zeros(1)}, folder / "lora.pt")
    (folder / "page.pt").write_text("<html>Too many have viewed or downloaded this file.</html>")
    try:
        with pytest.raises(ValueError, match=r"lora\.pt is no SMIRK file.*Use SMIRK_em1\.pt"):
            run(pack, "LikenessReadExpression", encoder="lora.pt", faces=faces)
        with pytest.raises(ValueError, match=r"page\.pt"):
            run(pack, "LikenessReadExpression", encoder="page.pt", faces=faces)
    finally:
        for name in ("lora.pt", "page.pt"):
            (folder / name).unlink()


def test_nothing_connected_is_explained(pack: Any) -> None:
    with pytest.raises(ValueError, match="nothing to read: connect faces"):
        run(pack, "LikenessReadExpression", encoder=NAME)
