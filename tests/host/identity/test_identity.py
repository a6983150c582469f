"""Save and Load Identity in the real host: several people, their pictures, and where the page shows them."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_faces import image

Photos = dict[str, np.ndarray]


def identity(pack: Any, seed: int, recogniser: str = "sface") -> Any:
    vectors = torch.randn(1, 512, generator=torch.Generator().manual_seed(seed))
    return pack.module("likeness.values").Identity(vectors, recogniser, source=f"photo {seed}")


def saved(output: Any) -> str:
    """The name of the file that Save Identity tells of, as Load Identity lists it."""
    path = Path(output.ui["text"][0].removeprefix("Saved "))
    assert path.is_file()
    return os.path.relpath(path, path.parents[1])


@pytest.fixture(scope="module")
def group(pack: Any, photos: Photos) -> Any:
    models = pack.node("LikenessLoadFaceModels").execute(pack="embedded", provider="CPU")[0]
    return pack.node("LikenessDetectFaces").execute(face_models=models, image=image(photos["t1"]))[0]


@pytest.fixture(scope="module")
def family(pack: Any, group: Any) -> str:
    """anna (sface), ben (sface) and anna (glintr100), each with the picture of a face."""
    others = {"identity_0": identity(pack, 2), "identity_1": identity(pack, 1, "glintr100")}
    three = group.with_faces([group.faces[0][:3]])
    output = pack.node("LikenessSaveIdentity").execute(
        identity=identity(pack, 1),
        filename_prefix="people/family",
        others=others,
        names="anna, ben, anna",
        faces=three,
    )
    assert len(output.ui["images"]) == 3
    return saved(output)


def test_what_was_saved_before_is_saved_as_before(pack: Any) -> None:
    node = pack.node("LikenessSaveIdentity")
    output = node.execute(identity=identity(pack, 1), filename_prefix="plain/anna")
    assert set(output.ui) == {"text"}
    loaded = pack.node("LikenessLoadIdentity").execute(file=saved(output))
    assert loaded.ui is None
    assert torch.equal(loaded[0].embeddings, identity(pack, 1).embeddings)


def test_people_are_loaded_by_name_number_and_recogniser(pack: Any, family: str) -> None:
    def load(**inputs: Any) -> Any:
        return pack.node("LikenessLoadIdentity").execute(file=family, **inputs)[0]

    assert load().source == load(person="0").source == "photo 1"
    assert load(person="ben").source == "photo 2"
    assert load(person="anna", recogniser="glintr100").recogniser == "glintr100"
    assert load(recogniser="glintr100").recogniser == "glintr100"
    with pytest.raises(ValueError, match=r"'carol' is not in family_\d+_\.safetensors, which holds 0 anna"):
        load(person="carol")
    with pytest.raises(ValueError, match="holds no identity of anybody by the recogniser arc2face"):
        load(recogniser="arc2face")


def test_a_loaded_person_is_shown(pack: Any, base: Path, family: str) -> None:
    seen = []
    for person in ("0", "1"):
        (shown,) = pack.node("LikenessLoadIdentity").execute(file=family, person=person).ui["images"]
        assert shown["type"] == "temp"
        with Image.open(base / "temp" / shown["subfolder"] / shown["filename"]) as picture:
            assert picture.size == (192, 192)
            seen.append(np.asarray(picture, dtype=float))
    assert np.abs(seen[0] - seen[1]).mean() > 10, "two faces"


def test_the_pages_model_library_gets_the_picture(host: ModuleType, base: Path, family: str) -> None:
    """The page asks /view_metadata, which answers with this part of the header up to 1 MB."""
    import comfy.utils

    header = comfy.utils.safetensors_header(
        str(base / "models" / "identities" / family), max_size=1024 * 1024
    )
    facts = json.loads(header)["__metadata__"]
    assert facts["modelspec.thumbnail"].startswith("data:image/jpeg;base64,")
    assert facts["modelspec.description"] == "Identity: 0 anna (sface), 1 ben (sface), 2 anna (glintr100)"


def test_a_fresh_file_is_in_the_list_of_the_next_refresh(pack: Any) -> None:
    def listed() -> list[str]:
        options: list[str] = pack.node("LikenessLoadIdentity").define_schema().inputs[0].options
        return options

    before = listed()
    output = pack.node("LikenessSaveIdentity").execute(
        identity=identity(pack, 5), filename_prefix="new/folder"
    )
    assert set(listed()) - set(before) == {saved(output)}


def test_faces_that_do_not_fit_the_people_write_nothing(pack: Any, base: Path, group: Any) -> None:
    before = sorted(base.rglob("*.safetensors"))
    with pytest.raises(ValueError, match="faces holds 6 faces for 2 people"):
        pack.node("LikenessSaveIdentity").execute(
            identity=identity(pack, 1), others={"identity_0": identity(pack, 2)}, faces=group
        )
    with pytest.raises(ValueError, match=r"names: '\.\./anna, b, c' holds 3"):
        pack.node("LikenessSaveIdentity").execute(identity=identity(pack, 1), names="../anna, b, c")
    assert sorted(base.rglob("*.safetensors")) == before


def test_a_pickle_in_the_folder_is_told(pack: Any, base: Path) -> None:
    folder = base / "models" / "identities"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"embeddings": torch.ones(1, 512)}, folder / "pickle.safetensors")
    with pytest.raises(ValueError, match=r"pickle\.safetensors is no identity file but a pickle"):
        pack.node("LikenessLoadIdentity").execute(file="pickle.safetensors")


def test_the_hosts_validation_takes_old_prompts_and_new_sockets(
    host: ModuleType, pack: Any, family: str
) -> None:
    import execution

    def errors(load: dict[str, Any], save: dict[str, Any]) -> list[str]:
        graph = {
            "1": {"class_type": "LikenessLoadIdentity", "inputs": {"file": family, **load}},
            "2": {"class_type": "LikenessSaveIdentity", "inputs": {"identity": ["1", 0], **save}},
        }
        good, _, _, found = asyncio.run(execution.validate_prompt("test", graph, None))
        said = [e["type"] for node in found.values() for e in node["errors"]]
        assert good == (not said)
        return said

    assert errors({}, {"filename_prefix": "a"}) == []  # as before there were people and names
    full = {"filename_prefix": "a", "names": "a, b"}
    assert errors({"person": "", "recogniser": "any"}, {**full, "others.identity_0": ["1", 0]}) == []
    assert errors({"person": "ben", "recogniser": "sface"}, full) == []
    assert errors({"person": "", "recogniser": "facenet"}, full) == ["value_not_in_list"]


def test_growing_sockets_reach_the_node_as_the_host_hands_them_over(host: ModuleType, pack: Any) -> None:
    import execution

    node = pack.node("LikenessSaveIdentity")

    def run(**inputs: Any) -> str:
        given = {"identity": identity(pack, 1), "filename_prefix": "handed/over", "names": "", **inputs}
        values, _, v3_data = execution.get_input_data(given, node, "1")
        _, ui, *_ = asyncio.run(execution.get_output_data("test", "1", node(), values, v3_data=v3_data))
        return os.path.join("handed", os.path.basename(ui["text"][0]))

    several = run(**{"others.identity_0": identity(pack, 7), "others.identity_2": identity(pack, 8)})
    loaded = pack.node("LikenessLoadIdentity").execute(file=several, person="2")[0]
    assert loaded.source == "photo 8"
    with pytest.raises(ValueError, match="which holds 0"):
        pack.node("LikenessLoadIdentity").execute(file=run(), person="1")
