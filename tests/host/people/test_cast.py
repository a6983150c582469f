"""Cast, Save Cast, Load Cast, Assign Faces in the real host, on real photos with the embedded networks."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import fitted, image

from installer.paths import REPOSITORY

Photos = dict[str, np.ndarray]
CONTRACT = {
    "LikenessCast": ("identities names places masks cast", "cast"),
    "LikenessSaveCast": ("cast filename_prefix faces", ""),
    "LikenessLoadCast": ("file", "cast"),
    "LikenessAssignFaces": (
        "cast faces image face_models recogniser at_least places tracked region grow feather if_missing "
        "if_no_face",
        "faces masks names image table found missing strangers complete",
    ),
}


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs.split()
    assert [socket.id for socket in schema.outputs] == outputs.split()
    assert schema.category == "Likeness/People"
    assert schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    page = (REPOSITORY / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    for socket in f"{inputs} {outputs}".split():
        assert f"- **`{socket}`**" in page, socket


def test_the_lists_are_lists_for_the_host(pack: Any) -> None:
    listed = [o.id for o in pack.node("LikenessAssignFaces").define_schema().outputs if o.is_output_list]
    assert listed == ["faces", "masks", "names"]


@pytest.fixture(scope="module")
def group(pack: Any, models: Any, photos: Photos) -> Any:
    """Six faces in one photo, described."""
    found = pack.node("LikenessDetectFaces").execute(face_models=models, image=image(photos["t1"]))[0]
    return pack.module("likeness.faces.embed").embed(models, found, "sface")


def identity(pack: Any, faces: Any, place: int) -> Any:
    vector = faces.faces[0][place].embeddings["sface"]
    return pack.module("likeness.values").Identity(vector[None], "sface", source=f"face {place}")


@pytest.fixture(scope="module")
def cast(pack: Any, group: Any) -> Any:
    """anna is the third face of the group, ben the first."""
    identities = {"identity_0": identity(pack, group, 2), "identity_1": identity(pack, group, 0)}
    return pack.node("LikenessCast").execute(identities=identities, names="anna, ben")[0]


def assigned(pack: Any, **inputs: Any) -> dict[str, Any]:
    with torch.inference_mode():  # as the executor runs nodes
        result = pack.node("LikenessAssignFaces").execute(**inputs).result
    return dict(zip(CONTRACT["LikenessAssignFaces"][1].split(), result, strict=True))


def test_everybody_is_found_and_the_others_are_strangers(
    pack: Any, models: Any, group: Any, cast: Any, photos: Photos
) -> None:
    before, state = group.images.clone(), torch.random.get_rng_state()
    given = assigned(pack, cast=cast, faces=group)
    counts = [given[name] for name in ("found", "missing", "strangers", "complete", "names")]
    assert counts == [2, 0, 4, True, ["anna", "ben"]]
    anna, ben = given["faces"]
    assert torch.equal(anna.faces[0][0].box, group.faces[0][2].box)
    assert torch.equal(ben.faces[0][0].box, group.faces[0][0].box)
    for mask, own in zip(given["masks"], given["faces"], strict=True):
        expected = pack.node("LikenessFaceMask").execute(faces=own)[0]
        assert mask.shape == (1, *group.images.shape[1:3]) and torch.equal(mask, expected)
    assert given["image"].shape == group.images.shape and not torch.equal(given["image"], group.images)
    lines = given["table"].splitlines()
    assert lines[0] == "2 of 2 people found, 0 missing, 4 strangers"
    assert sum("nobody" in line for line in lines) == 4
    assert torch.equal(group.images, before) and torch.equal(torch.random.get_rng_state(), state)
    # From the picture itself, and once more: the same.
    again = assigned(pack, cast=cast, image=image(photos["t1"]), face_models=models)
    assert again["table"] == given["table"] and torch.equal(again["image"], given["image"])


def test_a_batch_is_its_pictures_one_by_one(pack: Any, models: Any, cast: Any, group: Any) -> None:
    mirrored = group.images.flip(2)
    both = torch.cat([group.images, mirrored])
    given = assigned(pack, cast=cast, image=both, face_models=models)
    for place in range(2):
        alone = assigned(pack, cast=cast, image=both[place : place + 1], face_models=models)
        assert torch.equal(alone["image"][0], given["image"][place])
        for one, all_of_them in zip(alone["masks"], given["masks"], strict=True):
            assert torch.equal(one[0], all_of_them[place])


def test_who_is_missing_is_told_or_stops(pack: Any, models: Any, cast: Any, photos: Photos) -> None:
    him = fitted(photos["obama"])
    given = assigned(pack, cast=cast, image=him, face_models=models)
    assert (given["found"], given["missing"], given["strangers"], given["complete"]) == (0, 2, 1, False)
    assert "missing: the nearest face has" in given["table"]
    assert not any(mask.any() for mask in given["masks"])
    with pytest.raises(ValueError, match="shows 1 face for 2 people of the cast: anna, ben can't be there"):
        assigned(pack, cast=cast, image=him, face_models=models, if_missing="error")
    cup = fitted(photos["coffee"])
    with pytest.raises(ValueError, match=r"No face in picture 0 \(counted from 0\)\. Use other pictures"):
        assigned(pack, cast=cast, image=cup, face_models=models)
    given = assigned(pack, cast=cast, image=cup, face_models=models, if_no_face="pass through")
    assert given["missing"] == 2 and "no face there" in given["table"]


def test_bad_input_has_its_sentence(pack: Any, models: Any, cast: Any, group: Any) -> None:
    with pytest.raises(ValueError, match="The cast is empty: it holds nobody"):
        pack.node("LikenessCast").execute(identities={})
    with pytest.raises(ValueError, match="Neither faces nor image is connected"):
        assigned(pack, cast=cast)
    with pytest.raises(ValueError, match="Both faces and image are connected"):
        assigned(pack, cast=cast, faces=group, image=group.images)
    with pytest.raises(ValueError, match="image needs face_models"):
        assigned(pack, cast=cast, image=group.images)
    placed = pack.node("LikenessCast").execute(cast=cast, masks={"mask_0": torch.ones(1, 64, 64)})[0]
    with pytest.raises(ValueError, match="The place mask of anna is 64 x 64, but the faces were found in"):
        assigned(pack, cast=placed, faces=group)
    with pytest.raises(ValueError, match="at_least is 1 in 1000000, but the calibration of sface"):
        assigned(pack, cast=cast, faces=group, at_least="1 in 1000000")
    with pytest.raises(ValueError, match="at_least is empty, but who is who needs a bar"):
        assigned(pack, cast=cast, faces=group, at_least="")


def saved(output: Any) -> str:
    path = Path(output.ui["text"][0].removeprefix("Saved "))
    return os.path.relpath(path, path.parents[1])


def test_a_cast_is_saved_and_loaded_and_its_people_one_by_one(pack: Any, cast: Any, group: Any) -> None:
    other = pack.module("likeness.values").Identity(torch.ones(1, 512), "glintr100")
    both = pack.node("LikenessCast").execute(
        identities={"identity_0": other}, names="anna", cast=cast, places="left, right"
    )[0]
    assert both.names == ("anna", "ben") and both.member("anna").recognisers == ("sface", "glintr100")
    two = group.with_faces([[group.faces[0][2], group.faces[0][0]]])
    output = pack.node("LikenessSaveCast").execute(cast=both, filename_prefix="people/cast", faces=two)
    assert len(output.ui["images"]) == 2
    loaded = pack.node("LikenessLoadCast").execute(file=saved(output))
    assert len(loaded.ui["images"]) == 2
    assert loaded[0].names == both.names and loaded[0].member("anna").place is None
    for name in both.names:
        for recogniser, one in both.member(name).identities.items():
            assert torch.equal(loaded[0].target(name, recogniser).embeddings, one.embeddings)
    alone = pack.node("LikenessLoadIdentity").execute(file=saved(output), person="ben")[0]
    assert torch.equal(alone.embeddings, cast.target("ben", "sface").embeddings)
    with pytest.raises(FileNotFoundError, match="no identity file 'nowhere"):
        pack.node("LikenessLoadCast").execute(file="nowhere.safetensors")


def test_a_file_without_names_is_a_cast_of_numbers(pack: Any, group: Any) -> None:
    output = pack.node("LikenessSaveIdentity").execute(
        identity=identity(pack, group, 0),
        filename_prefix="people/plain",
        others={"identity_0": identity(pack, group, 1)},
    )
    assert pack.node("LikenessLoadCast").execute(file=saved(output))[0].names == ("person 0", "person 1")


def test_the_users_own_calibration_is_used(pack: Any, base: Path, cast: Any, group: Any) -> None:
    file = base / "models" / "identities" / "calibration.json"
    file.write_text(
        '{"format": "likeness-calibration/1", "recognisers": {"sface": {"points": '
        '[{"similarity": 0.2, "one_in": 10}, {"similarity": 0.6, "one_in": 1000}], "source": "ours"}}}'
    )
    try:
        given = assigned(pack, cast=cast, faces=group, at_least="1 in 100")
        assert "at_least 0.400 (similarity)" in given["table"] and "Source: ours" in given["table"]
        compared = pack.node("LikenessCompareIdentities").execute(
            identity_a=cast.target("anna", "sface"), identity_b=cast.target("anna", "sface")
        )
        assert "one stranger in: at least 1000. " in compared[1]
    finally:
        file.unlink()


def test_the_hosts_validation_takes_growing_sockets(
    host: ModuleType, pack: Any, cast: Any, group: Any
) -> None:
    import execution

    name = saved(pack.node("LikenessSaveCast").execute(cast=cast, filename_prefix="people/valid"))
    graph = {
        "1": {"class_type": "LikenessLoadIdentity", "inputs": {"file": name}},
        "2": {
            "class_type": "LikenessCast",
            "inputs": {"identities.identity_0": ["1", 0], "names": "anna", "places": "left"},
        },
        "3": {"class_type": "LikenessSaveCast", "inputs": {"cast": ["2", 0], "filename_prefix": "x"}},
        "4": {"class_type": "LikenessLoadCast", "inputs": {"file": name}},
        "5": {
            "class_type": "LikenessCast",
            "inputs": {"names": "", "places": "left, right", "cast": ["4", 0]},
        },
        "6": {"class_type": "LikenessSaveCast", "inputs": {"cast": ["5", 0], "filename_prefix": "x"}},
    }
    good, _, _, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    assert good, errors


def test_growing_sockets_reach_the_node_as_the_host_hands_them_over(
    host: ModuleType, pack: Any, group: Any
) -> None:
    import execution

    node = pack.node("LikenessCast")
    given = {
        "identities.identity_0": identity(pack, group, 0),
        "identities.identity_1": identity(pack, group, 1),
        "masks.mask_1": torch.ones(1, 8, 8),
        "names": "anna, ben",
        "places": "",
    }
    values, _, v3_data = execution.get_input_data(given, node, "1")
    outputs, *_ = asyncio.run(execution.get_output_data("test", "1", node(), values, v3_data=v3_data))
    (made,) = outputs[0]
    assert made.names == ("anna", "ben")
    assert made.member("anna").place is None and made.member("ben").place.shape == (8, 8)
