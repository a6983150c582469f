"""The face, identity and region nodes in the real host, called with their socket ids."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.counting import count_runs
from support.tiny_faces import image

Photos = dict[str, np.ndarray]
Run = Any  # a function of node id and inputs

#: Ids, inputs in order (? optional) and outputs: saved workflows depend on them.
CONTRACT = {
    "LikenessLoadFaceModels": ("pack provider", "face_models"),
    "LikenessDetectFaces": ("face_models image min_score max_faces if_no_face", "faces count found"),
    "LikenessSelectFaces": (
        "faces by indices if_no_face reference mask face_models min_similarity track",
        "faces count found report",
    ),
    "LikenessDrawFaces": ("image faces", "image"),
    "LikenessEmbedFaces": ("face_models faces recogniser combine", "identity"),
    "LikenessSaveIdentity": ("identity filename_prefix others names faces", ""),
    "LikenessLoadIdentity": ("file person recogniser", "identity"),
    "LikenessFaceKeypoints": ("faces width height fit points without_face", "image"),
    "LikenessFaceMask": ("faces region grow feather", "mask"),
}


@pytest.fixture(scope="module")
def run(pack: Any) -> Run:
    def call(node_id: str, **inputs: Any) -> tuple[Any, ...]:
        return tuple(pack.node(node_id).execute(**inputs).result or ())

    return call


@pytest.fixture(scope="module")
def astronaut(photos: Photos) -> torch.Tensor:
    return image(photos["astronaut"])


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs.split()
    assert [socket.id for socket in schema.outputs] == outputs.split()
    assert schema.node_id == node_id
    assert schema.category.startswith("Likeness/")
    assert schema.description
    assert schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)


def test_defaults_are_what_the_table_says(pack: Any) -> None:
    def defaults(node_id: str) -> dict[str, Any]:
        return {i.id: i.default for i in pack.node(node_id).define_schema().inputs if hasattr(i, "default")}

    assert defaults("LikenessDetectFaces") == {"min_score": 0.5, "max_faces": 0, "if_no_face": "error"}
    assert defaults("LikenessSelectFaces") == {
        "by": "largest",
        "indices": "0",
        "if_no_face": "error",
        "min_similarity": 0.4,
        "track": False,
    }
    assert defaults("LikenessLoadFaceModels")["pack"] == "embedded"  # antelopev2's files are not there
    assert defaults("LikenessEmbedFaces") == {"recogniser": "sface", "combine": "mean"}
    assert defaults("LikenessSaveIdentity") == {"filename_prefix": "identity", "names": ""}
    assert defaults("LikenessLoadIdentity") == {"file": None, "person": "", "recogniser": "any"}


def test_from_a_photo_to_everything(run: Run, models: Any, astronaut: torch.Tensor) -> None:
    before = astronaut.clone()
    faces, count, found = run("LikenessDetectFaces", face_models=models, image=astronaut)
    assert (count, found) == (1, True)
    faces, count, found, report = run("LikenessSelectFaces", faces=faces)
    assert (count, found, report) == (1, True, "picture 0 (1 face): face 0")
    (drawn,) = run("LikenessDrawFaces", image=astronaut, faces=faces)
    assert drawn.shape == astronaut.shape
    assert not torch.equal(drawn, astronaut)
    (kps,) = run("LikenessFaceKeypoints", faces=faces, width=256, height=320, fit="crop")
    assert kps.shape == (1, 320, 256, 3)
    for region in ("box", "hull", "ellipse"):
        (mask,) = run("LikenessFaceMask", faces=faces, region=region, grow=4, feather=3)
        assert mask.shape == (1, 512, 512)
        assert mask[0, 120, 223] == 1
    (identity,) = run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface")
    assert identity.embeddings.shape == (1, 512)
    assert identity.recogniser == "sface"
    assert torch.equal(astronaut, before)


def test_outputs_share_no_memory_with_inputs(run: Run, models: Any, astronaut: torch.Tensor) -> None:
    blank = torch.zeros_like(astronaut)
    faces = run("LikenessDetectFaces", face_models=models, image=blank, if_no_face="pass through")[0]
    (drawn,) = run("LikenessDrawFaces", image=blank, faces=faces)
    drawn += 1
    assert not blank.any()


def test_the_three_policies(run: Run, models: Any, photos: Photos) -> None:
    blank = np.zeros_like(photos["astronaut"])
    images = image(photos["astronaut"], blank)
    with pytest.raises(ValueError, match=r"No face in picture 1 \(counted from 0\)\. Lower min_score"):
        run("LikenessDetectFaces", face_models=models, image=images)
    faces, count, found = run("LikenessDetectFaces", face_models=models, image=images, if_no_face="skip")
    assert (faces.indices, count, found) == ((0,), 1, True)
    faces, count, found = run(
        "LikenessDetectFaces", face_models=models, image=images, if_no_face="pass through"
    )
    assert ([len(f) for f in faces.faces], count, found) == ([1, 0], 1, True)
    faces, count, found = run("LikenessDetectFaces", face_models=models, image=images[1:], if_no_face="skip")
    assert (faces.images.shape[0], count, found) == (0, 0, False)
    with pytest.raises(ValueError, match="got no face"):
        run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface")


def test_a_place_that_is_not_there_follows_the_policy(run: Run, models: Any, astronaut: torch.Tensor) -> None:
    faces = run("LikenessDetectFaces", face_models=models, image=astronaut)[0]
    with pytest.raises(ValueError, match=r"No face in picture 0 .* places '5' pick none"):
        run("LikenessSelectFaces", faces=faces, indices="5")
    assert run("LikenessSelectFaces", faces=faces, indices="5", if_no_face="skip")[1:3] == (0, False)
    with pytest.raises(ValueError, match="'first'"):
        run("LikenessSelectFaces", faces=faces, indices="first")


def test_old_prompts_of_select_faces_lack_nothing(pack: Any) -> None:
    """The host refuses a prompt that lacks a required input, even one with a default."""
    optional = {i.id: i.optional for i in pack.node("LikenessSelectFaces").define_schema().inputs}
    assert [name for name, free in optional.items() if not free] == ["faces", "by", "indices", "if_no_face"]


def test_one_person_of_six_is_chosen_by_an_identity(
    run: Run, models: Any, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    six = run("LikenessDetectFaces", face_models=models, image=image(photos["t1"]))[0]
    third = run("LikenessSelectFaces", faces=six, by="index list", indices="2")[0]
    (who,) = run("LikenessEmbedFaces", face_models=models, faces=third, recogniser="sface")
    runs = count_runs(models.recogniser("sface"), monkeypatch)
    faces, count, found, report = run(
        "LikenessSelectFaces", faces=six, by="most similar", reference=who, face_models=models
    )
    assert (count, found) == (1, True)
    assert faces.faces[0][0].box.equal(third.faces[0][0].box)
    assert report.startswith("picture 0 (6 faces): face 2, similarity 1.000, margin 0.")
    (again,) = run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface")
    assert len(runs) == 6
    assert torch.equal(again.embeddings, who.embeddings)
    with pytest.raises(
        ValueError, match=r"No face in picture 0 .*reaches -?0\.\d+ of 0\.4: lower min_similarity"
    ):
        stranger = run("LikenessDetectFaces", face_models=models, image=image(photos["astronaut"]))[0]
        run(
            "LikenessSelectFaces",
            faces=stranger,
            by="most similar",
            reference=who,
            face_models=models,
        )


def test_a_mask_chooses_and_skipping_drops_the_picture(run: Run, models: Any, photos: Photos) -> None:
    six = run("LikenessDetectFaces", face_models=models, image=image(photos["t1"], photos["t1"]))[0]
    x1, y1, x2, y2 = (round(v) for v in six.faces[0][4].box.tolist())
    masks = torch.zeros(2, *photos["t1"].shape[:2])
    masks[1, y1:y2, x1:x2] = 1
    faces, count, _, report = run(
        "LikenessSelectFaces", faces=six, by="largest mask overlap", mask=masks, if_no_face="skip"
    )
    assert (faces.indices, count) == ((1,), 1)
    assert faces.faces[0][0] is six.faces[1][4]
    assert report.splitlines()[0].startswith("picture 0 (6 faces): none: no face there lies in the mask")


def test_a_missing_pack_and_a_foreign_recogniser_are_explained(run: Run, models: Any) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"scrfd_10g_bnkps\.onnx is missing\. Searched: .*install\.py"
    ):
        run("LikenessLoadFaceModels", pack="antelopev2", provider="CPU")
    with pytest.raises(ValueError, match="no recogniser glintr100; it has: sface"):
        models.recogniser("glintr100")


def test_nan_is_refused(run: Run, models: Any) -> None:
    broken = torch.zeros(1, 64, 64, 3)
    broken[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity in picture 0"):
        run("LikenessDetectFaces", face_models=models, image=broken)


def test_an_identity_is_saved_under_the_next_number_and_read_again(pack: Any, run: Run, base: Path) -> None:
    Identity = pack.module("likeness.values").Identity
    identity = Identity(
        torch.randn(2, 512, generator=torch.Generator().manual_seed(0)), "sface", source="here"
    )
    folder = base / "models" / "identities" / "family"
    for _ in range(2):
        text = pack.node("LikenessSaveIdentity").execute(identity=identity, filename_prefix="family/anna").ui
        assert "anna_0000" in text["text"][0]
    assert sorted(p.name for p in folder.iterdir()) == ["anna_00001_.safetensors", "anna_00002_.safetensors"]
    name = os.path.join("family", "anna_00002_.safetensors")
    assert name in pack.node("LikenessLoadIdentity").define_schema().inputs[0].options
    (again,) = run("LikenessLoadIdentity", file=name)
    assert torch.equal(again.embeddings, identity.embeddings)
    assert (again.recogniser, again.source) == ("sface", "here")


def test_an_overwritten_file_is_read_again(pack: Any, run: Run, base: Path) -> None:
    library = pack.module("likeness.identity")
    Identity = pack.module("likeness.values").Identity
    file = base / "models" / "identities" / "ben.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    node = pack.node("LikenessLoadIdentity")
    assert node.fingerprint_inputs(file="ben.safetensors") == "missing"
    library.save_people([library.Person(Identity(torch.ones(1, 512), "sface"))], file)
    first = node.fingerprint_inputs(file="ben.safetensors")
    assert node.fingerprint_inputs(file="ben.safetensors") == first
    library.save_people([library.Person(Identity(torch.full((2, 512), 2.0), "sface"))], file)
    assert node.fingerprint_inputs(file="ben.safetensors") != first
    assert run("LikenessLoadIdentity", file="ben.safetensors")[0].embeddings.shape == (2, 512)


@pytest.mark.parametrize(
    "prefix", ["../outside", "a/../../outside", "/outside", "", "folder/", "C:\\outside"]
)
def test_nothing_is_written_outside_the_folder(pack: Any, base: Path, prefix: str) -> None:
    identity = pack.module("likeness.values").Identity(torch.ones(1, 512), "sface")
    before = sorted(base.rglob("*.safetensors"))
    with pytest.raises(ValueError, match="filename_prefix"):
        pack.node("LikenessSaveIdentity").execute(identity=identity, filename_prefix=prefix)
    assert sorted(base.rglob("*.safetensors")) == before


@pytest.mark.parametrize("name", ["nobody.safetensors", "../../../secret.safetensors", ""])
def test_a_missing_identity_is_explained(run: Run, base: Path, name: str) -> None:
    (base / "secret.safetensors").write_bytes(b"secret")
    with pytest.raises(FileNotFoundError, match="no identity file") as caught:
        run("LikenessLoadIdentity", file=name)
    assert "identities" in str(caught.value)


def test_nodes_may_run_in_several_threads(run: Run, models: Any, astronaut: torch.Tensor) -> None:
    got: list[list[float]] = []

    def work() -> None:
        faces = run("LikenessDetectFaces", face_models=models, image=astronaut)[0]
        got.append(faces.faces[0][0].box.tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [got[0]] * 4


def test_the_graph_runs_in_inference_mode(run: Run, models: Any, astronaut: torch.Tensor) -> None:
    with torch.inference_mode():
        faces = run("LikenessDetectFaces", face_models=models, image=astronaut.clone())[0]
        run("LikenessDrawFaces", image=astronaut.clone(), faces=faces)
        run("LikenessFaceMask", faces=faces, region="hull", grow=2, feather=2)
        run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface", combine="unit mean")


def test_values_print_short(host: ModuleType, run: Run, models: Any, astronaut: torch.Tensor) -> None:
    faces = run("LikenessDetectFaces", face_models=models, image=astronaut)[0]
    (identity,) = run("LikenessEmbedFaces", face_models=models, faces=faces, recogniser="sface")
    assert [repr(value) for value in (models, faces, identity)] == [
        "FaceModels(embedded, CPU)",
        "Faces([1] in 1 pictures 512x512)",
        "Identity(1 x 512, sface)",
    ]
