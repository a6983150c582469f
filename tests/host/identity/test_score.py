"""Score Faces in the real host, on real photos with the embedded networks."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import fitted

from installer.paths import REPOSITORY

Photos = dict[str, np.ndarray]
INPUTS = "image identity face_models reference recogniser keep face if_no_face at_least truth"
OUTPUTS = "similarity table best scores indices found passed rejected"


@pytest.fixture(scope="module")
def batch(photos: Photos) -> torch.Tensor:
    return fitted(*(photos[name] for name in ("biden", "obama2", "coffee", "obama3")))


@pytest.fixture(scope="module")
def drawn_with(pack: Any) -> Any:
    """The identity of a graph with InstantID: made by a network that is not in the embedded pack."""
    vectors = torch.randn(1, 512, generator=torch.Generator().manual_seed(1))
    return pack.module("likeness.values").Identity(vectors, "glintr100")


def whole(pack: Any, **inputs: Any) -> tuple[Any, ...]:
    with torch.inference_mode():  # as the executor runs nodes
        return tuple(pack.node("LikenessScoreFaces").execute(**inputs).result)


def run(pack: Any, **inputs: Any) -> tuple[Any, ...]:
    """What came out before there was a bar."""
    return whole(pack, **inputs)[:6]


def test_sockets_are_as_promised_and_explained(pack: Any) -> None:
    schema = pack.node("LikenessScoreFaces").define_schema()
    assert [socket.id for socket in schema.inputs] == INPUTS.split()
    assert [socket.id for socket in schema.outputs] == OUTPUTS.split()
    assert [socket.io_type for socket in schema.outputs[:3]] == ["FLOAT", "STRING", "IMAGE"]
    assert schema.category == "Likeness/Identity"
    assert schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)
    defaults = {i.id: i.default for i in schema.inputs if hasattr(i, "default")}
    assert defaults == {
        "recogniser": "other than the identity's",
        "keep": 1,
        "face": "most similar",
        "if_no_face": "error",
        "at_least": "",
    }


def test_the_help_page_names_every_socket() -> None:
    page = (REPOSITORY / "web" / "docs" / "LikenessScoreFaces.md").read_text(encoding="utf-8")
    for socket in f"{INPUTS} {OUTPUTS}".split():
        assert f"- **`{socket}`**" in page, socket


def test_the_best_pictures_come_out_in_order(
    pack: Any, models: Any, batch: torch.Tensor, drawn_with: Any, photos: Photos
) -> None:
    before = batch.clone()
    similarity, table, best, sheet, indices, found = run(
        pack,
        image=batch,
        identity=drawn_with,
        face_models=models,
        reference=fitted(photos["obama"], side=800),
        keep=2,
        if_no_face="skip",
    )
    assert isinstance(similarity, float) and similarity >= 0.6 and found is True
    assert sorted(indices.split(",")) == ["1", "3"]
    assert torch.equal(best, batch[[int(place) for place in indices.split(",")]])
    assert table.splitlines()[0].endswith(f"picture {indices[0]}, the best of 4")
    assert "Judge: sface (the embedded SFace), another recogniser than the identity's" in table
    assert sheet.shape == (1, 2 * 288, 2 * 256, 3)
    assert best.untyped_storage().data_ptr() != batch.untyped_storage().data_ptr()
    assert torch.equal(batch, before)


def test_the_policies(pack: Any, models: Any, batch: torch.Tensor, photos: Photos) -> None:
    faces = pack.node("LikenessDetectFaces").execute(face_models=models, image=fitted(photos["obama"]))[0]
    him = pack.node("LikenessEmbedFaces").execute(face_models=models, faces=faces, recogniser="sface")[0]
    given = {"identity": him, "face_models": models, "keep": 4}
    with pytest.raises(ValueError, match=r"No face in picture 2 \(counted from 0\)"):
        run(pack, image=batch, **given)
    _, table, best, _, indices, _ = run(pack, image=batch, if_no_face="skip", **given)
    assert (len(best), indices[-1]) == (3, "0")
    assert "the identity's own recogniser" in table and "no face" in table
    _, _, best, _, indices, _ = run(pack, image=batch, if_no_face="pass through", **given)
    assert (len(best), indices[-1]) == (4, "2")
    cup = batch[2:3]
    similarity, table, best, _, indices, found = run(pack, image=cup, if_no_face="skip", **given)
    assert (similarity, tuple(best.shape), indices, found) == (-1.0, (0, 448, 448, 3), "", False)
    similarity, table, best, _, indices, found = run(pack, image=cup, if_no_face="pass through", **given)
    assert (similarity, indices, found) == (-1.0, "0", False)
    assert torch.equal(best, cup)


def test_a_bar_says_which_pictures_are_below(
    pack: Any, models: Any, batch: torch.Tensor, drawn_with: Any, photos: Photos
) -> None:
    given = {
        "image": batch,
        "identity": drawn_with,
        "face_models": models,
        "reference": fitted(photos["obama"], side=800),
        "if_no_face": "skip",
    }
    plain = whole(pack, **given)
    assert plain[6] is True and type(plain[7]).__name__ == "ExecutionBlocker"
    barred = whole(pack, at_least="0.5", **given)
    assert barred[6] is True and torch.equal(barred[7], batch[[0, 2]])  # another man, and a cup
    assert torch.equal(barred[2], plain[2]) and barred[4] == plain[4]
    assert sum(line.endswith("below at_least") for line in barred[1].splitlines()) == 2
    rare = whole(pack, at_least="1 in 100", **given)
    assert "at_least is a similarity of 0.363" in rare[1]
    nobody = whole(pack, at_least="0.99", **given)
    assert nobody[6] is False and torch.equal(nobody[7], batch)
    with pytest.raises(ValueError, match="at_least: 'high' is neither a similarity"):
        whole(pack, at_least="high", **given)


def test_a_second_photo_tells_likeness_from_copying(
    pack: Any, models: Any, batch: torch.Tensor, drawn_with: Any, photos: Photos
) -> None:
    reference, truth = fitted(photos["obama2"]), fitted(photos["obama3"])
    table = whole(
        pack,
        image=batch,
        identity=drawn_with,
        face_models=models,
        reference=reference,
        truth=truth,
        if_no_face="skip",
    )[1].splitlines()
    start = next(n for n, line in enumerate(table) if line.startswith("picture "))
    assert table[start].endswith("to the truth  copy-paste")
    rows = [line.split() for line in table[start + 1 :]]
    # Picture 1 is the reference, picture 3 the truth, picture 2 shows no face.
    assert float(rows[1][-1]) == pytest.approx(1, abs=1e-3) and float(rows[3][-1]) == pytest.approx(
        -1, abs=1e-3
    )
    assert float(rows[3][-2]) == pytest.approx(1, abs=1e-3)
    assert rows[2] == ["2", "no", "face", "0", "-", "-"]
    with pytest.raises(ValueError, match="The input truth shows no face"):
        whole(
            pack, image=batch, identity=drawn_with, face_models=models, reference=reference, truth=batch[2:3]
        )


def test_what_is_missing_is_said(pack: Any, models: Any, batch: torch.Tensor, drawn_with: Any) -> None:
    with pytest.raises(
        ValueError, match="Connect a photo of the person to reference, so that sface can judge"
    ):
        run(pack, image=batch, identity=drawn_with, face_models=models)
    with pytest.raises(ValueError, match="recogniser is arc2face, but the face pack embedded has: sface"):
        run(pack, image=batch, identity=drawn_with, face_models=models, recogniser="arc2face")


def test_the_hosts_validation_knows_the_widgets(host: ModuleType, pack: Any) -> None:
    import execution

    def errors(**widgets: Any) -> list[str]:
        graph = {
            "1": {
                "class_type": "EmptyImage",
                "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
            },
            "2": {"class_type": "LikenessLoadFaceModels", "inputs": {"pack": "embedded", "provider": "CPU"}},
            "3": {
                "class_type": "LikenessLoadIdentity",
                "inputs": {"file": "x", "person": "", "recogniser": "any"},
            },
            "4": {
                "class_type": "LikenessScoreFaces",
                "inputs": {
                    "image": ["1", 0],
                    "identity": ["3", 0],
                    "face_models": ["2", 0],
                    "recogniser": "other than the identity's",
                    "keep": 1,
                    "face": "largest",
                    "if_no_face": "skip",
                    **widgets,
                },
            },
            "5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 2]}},
            "6": {"class_type": "PreviewImage", "inputs": {"images": ["4", 3]}},
        }
        good, _, _, found = asyncio.run(execution.validate_prompt("test", graph, None))
        said = sorted(e["type"] for node in found.values() for e in node["errors"])
        assert good == (not said)
        return said

    assert errors() == []
    assert errors(reference=["1", 0], recogniser="sface") == []
    assert errors(keep=0, face="first") == ["value_not_in_list", "value_smaller_than_min"]
