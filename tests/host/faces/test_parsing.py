"""The face parser's nodes in the real host, called with their socket ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support import parser_files

from installer.paths import REPOSITORY

#: Ids, inputs in order and outputs: saved workflows depend on them.
CONTRACT = {
    "LikenessLoadFaceParser": (["file"], ["face_parser"]),
    "LikenessParseFaces": (
        ["face_parser", "image", "faces", "classes", "words", "word_matching", "grow", "feather"],
        ["mask", "labels"],
    ),
}
NAME, RANDOM = "colours.pth", "random.safetensors"


@pytest.fixture(scope="module")
def folder(host: Any, base: Path) -> Path:
    made = base / "models" / "face_parsing"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture(scope="module", autouse=True)
def files(folder: Path) -> Iterator[None]:
    torch.save(parser_files.colours(), folder / NAME)
    save_file(parser_files.random(), str(folder / RANDOM))
    yield
    (folder / NAME).unlink()
    (folder / RANDOM).unlink()


def run(loaded: Any, node_id: str, **inputs: Any) -> tuple[Any, ...]:
    with torch.inference_mode():  # as the host runs nodes
        return tuple(loaded.node(node_id).execute(**inputs).result)


@pytest.fixture(scope="module")
def parser(pack: Any, files: None) -> Any:
    return run(pack, "LikenessLoadFaceParser", file=NAME)[0]


def scene() -> torch.Tensor:
    """A red field in the left half of a wide picture, a green one in its right half, black around."""
    picture = torch.zeros(1, 240, 480, 3)
    picture[:, 40:200, 40:200, 0] = 1
    picture[:, 80:160, 300:400, 1] = 1
    return picture


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs
    assert [socket.id for socket in schema.outputs] == outputs
    assert schema.category == "Likeness/Regions" and schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_the_help_page_names_every_socket_and_class(pack: Any, node_id: str) -> None:
    page = (REPOSITORY / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    schema = pack.node(node_id).define_schema()
    assert page.startswith(f"# {schema.display_name}\n")
    for socket in [*schema.inputs, *schema.outputs]:
        assert f"`{socket.id}`" in page, socket.id
    if node_id == "LikenessParseFaces":
        inputs = {socket.id: socket for socket in schema.inputs}
        assert all(f"`{name}`" in page for name in inputs["classes"].options)
        assert inputs["classes"].multiselect and inputs["classes"].default == ["hair"]
        assert inputs["image"].optional and inputs["faces"].optional


def test_a_portrait_becomes_a_mask_and_a_drawing(pack: Any, parser: Any) -> None:
    picture = scene()
    mask, drawn = run(pack, "LikenessParseFaces", face_parser=parser, image=picture)
    assert mask.shape == (1, 240, 480) and set(mask.unique().tolist()) == {0, 1}
    assert mask[0, 50:190, 50:190].all() and not mask[0, :, 215:].any() and not mask[0, :30].any()
    assert drawn.shape[:2] == (1, 240) and drawn.shape[2] > 480 and torch.equal(picture, scene())
    both, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=picture, words="sunglasses")
    assert torch.equal(both[:, :, :215], mask[:, :, :215]) and both[0, 90:150, 310:390].all()
    only, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=picture, classes=["glasses"])
    assert torch.equal(torch.maximum(only, mask), both)


def test_faces_are_parsed_one_by_one(pack: Any, parser: Any) -> None:
    values = pack.module("likeness.values")
    boxes = ((60, 60, 180, 180), (310, 80, 390, 160))
    found = tuple(values.Face(torch.tensor(box, dtype=torch.float32), torch.zeros(5, 2)) for box in boxes)
    faces = values.Faces(scene(), (found,))
    mask, _ = run(pack, "LikenessParseFaces", face_parser=parser, faces=faces, classes=["hair", "glasses"])
    assert mask[0, 50:190, 50:190].all() and mask[0, 84:156, 304:396].all()
    assert not mask[0, :, 210:290].any() and not mask[0, 215:].any()
    one = faces.with_faces([found[:1]])
    mask, _ = run(pack, "LikenessParseFaces", face_parser=parser, faces=one, classes=["hair", "glasses"])
    assert mask[0, 50:190, 50:190].all() and not mask[0, :, 290:].any()


def test_grow_and_feather_reach_the_mask(pack: Any, parser: Any) -> None:
    plain, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=scene())
    grown, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=scene(), grow=10)
    soft, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=scene(), feather=8)
    across = [int(mask[0, 120, :240].sum()) for mask in (plain, grown)]
    assert across[1] == across[0] + 20
    assert len(soft.unique()) > 5 and soft[0, 120, 120] == pytest.approx(1)


def test_real_photos_with_random_weights_are_repeatable(pack: Any, photos: dict[str, np.ndarray]) -> None:
    image = torch.from_numpy(photos["astronaut"][None].astype(np.float32) / 255)
    models = run(pack, "LikenessLoadFaceModels", pack="embedded", provider="CPU")[0]
    faces = run(pack, "LikenessDetectFaces", face_models=models, image=image)[0]
    parser = run(pack, "LikenessLoadFaceParser", file=RANDOM)[0]
    everything = list(pack.module("likeness.faces.labels").NAMES)
    given = {"face_parser": parser, "faces": faces, "image": image}
    first, again = (run(pack, "LikenessParseFaces", **given, classes=everything[1:]) for _ in range(2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    rest = run(pack, "LikenessParseFaces", **given, classes=["background"])[0]
    assert torch.equal(first[0] + rest, torch.ones(1, 512, 512))
    assert run(pack, "LikenessParseFaces", **given, classes=everything)[0].all()


def test_nothing_found_is_a_mask_of_zeros_and_a_line(
    pack: Any, parser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mask, drawn = run(pack, "LikenessParseFaces", face_parser=parser, image=scene(), classes=["hat"])
    assert mask.shape == (1, 240, 480) and not mask.any() and torch.isfinite(drawn).all()
    assert "No hat in picture 0 (counted from 0): the mask is empty there." in caplog.text


def test_the_host_manages_the_networks_memory(host: Any, pack: Any, parser: Any) -> None:
    import comfy.model_management as management

    management.unload_all_models()
    assert not any(loaded.model is parser.patcher for loaded in management.current_loaded_models)
    before, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=scene())
    assert any(loaded.model is parser.patcher for loaded in management.current_loaded_models)
    management.unload_all_models()
    assert not any(loaded.model is parser.patcher for loaded in management.current_loaded_models)
    after, _ = run(pack, "LikenessParseFaces", face_parser=parser, image=scene())
    assert torch.equal(before, after)
    outside = pack.node("LikenessParseFaces").execute(face_parser=parser, image=scene()).result[0]
    assert torch.equal(outside, before)


def test_cancelling_stops_between_faces(host: Any, pack: Any, parser: Any) -> None:
    import comfy.model_management as management

    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        run(pack, "LikenessParseFaces", face_parser=parser, image=scene().expand(3, -1, -1, -1))


def test_a_file_is_read_once_until_it_changes(pack: Any, folder: Path, parser: Any) -> None:
    node = pack.node("LikenessLoadFaceParser")
    assert run(pack, "LikenessLoadFaceParser", file=NAME)[0] is parser
    mark = node.fingerprint_inputs(file=NAME)
    stat = (folder / NAME).stat()
    os.utime(folder / NAME, ns=(1, 1))
    try:
        assert run(pack, "LikenessLoadFaceParser", file=NAME)[0] is not parser
        assert node.fingerprint_inputs(file=NAME) != mark
    finally:
        os.utime(folder / NAME, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_missing_file_is_explained(pack: Any, folder: Path) -> None:
    node = pack.node("LikenessLoadFaceParser")
    assert node.validate_inputs(file="79999_iter.pth") is True, "the host must let it explain itself"
    with pytest.raises(FileNotFoundError) as error:
        run(pack, "LikenessLoadFaceParser", file="79999_iter.pth")
    for part in ("79999_iter.pth is missing", str(folder), "MIT", "53.3 MB", "--models freecure"):
        assert part in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"other\.pth is not in models/face_parsing \(there: colours"):
        run(pack, "LikenessLoadFaceParser", file="other.pth")


def test_wrong_and_truncated_files_are_explained(pack: Any, folder: Path) -> None:
    whole = (folder / NAME).read_bytes()
    short = {k: v for k, v in parser_files.colours().items() if not k.startswith("cp.arm")}
    (folder / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "page.pth").write_text("<html>quota exceeded</html>")
    torch.save(short, folder / "short.pth")
    torch.save({"net": torch.nn.Linear(1, 1)}, folder / "code.pth")
    said = {
        "cut.pth": r"cut\.pth can't be read as weights.*incomplete",
        "page.pth": r"page\.pth",
        "short.pth": r"short\.pth does not fit the face parser.*lacks cp\.arm16\.conv\.conv\.weight",
        "code.pth": r"code\.pth holds more than tensors",
    }
    try:
        for name, sentence in said.items():
            with pytest.raises(ValueError, match=sentence):
                run(pack, "LikenessLoadFaceParser", file=name)
    finally:
        for name in said:
            (folder / name).unlink()


def test_bad_input_is_explained(pack: Any, parser: Any) -> None:
    with pytest.raises(ValueError, match="There is nothing to parse: connect image"):
        run(pack, "LikenessParseFaces", face_parser=parser)
    with pytest.raises(ValueError, match="Nothing is to be masked"):
        run(pack, "LikenessParseFaces", face_parser=parser, image=scene(), classes=[])
    with pytest.raises(ValueError, match="name nothing that can be masked"):
        run(pack, "LikenessParseFaces", face_parser=parser, image=scene(), words="a long beard")


def test_a_queued_list_of_classes_is_accepted_by_the_host(host: Any, pack: Any) -> None:
    import asyncio

    from execution import validate_prompt

    def asked(classes: Any) -> Any:
        prompt = {
            "1": {"class_type": "LikenessLoadFaceParser", "inputs": {"file": NAME}},
            "2": {
                "class_type": "EmptyImage",
                "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
            },
            "3": {
                "class_type": "LikenessParseFaces",
                "inputs": {
                    **{"face_parser": ["1", 0], "image": ["2", 0], "classes": classes, "words": ""},
                    **{"word_matching": "whole words", "grow": 0, "feather": 0},
                },
            },
            "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 1]}},
        }
        return asyncio.run(validate_prompt("id", prompt, None))

    assert asked({"__value__": ["hair", "glasses"]})[0], asked({"__value__": ["hair", "glasses"]})
    assert asked({"__value__": []})[0]
    assert not asked({"__value__": ["beard"]})[0]
