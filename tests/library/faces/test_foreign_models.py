"""Face models that another pack loaded: a real FaceAnalysis of insightface on the tiny antelopev2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import image, write_antelopev2, write_recogniser

from likeness.algebra.score import score_faces
from likeness.faces import recogniser_files
from likeness.faces.detect import detect
from likeness.faces.embed import ONLY, embed, identify
from likeness.faces.foreign_models import recogniser_name, wrap_analysis
from likeness.faces.models import FaceModels
from likeness.values import Identity
from likeness.weights.examine import sha256

Photos = dict[str, np.ndarray]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The tiny pack without the files that are no networks: FaceAnalysis opens every file of a folder."""
    folder = write_antelopev2(tmp_path)
    for path in folder.glob("*.onnx"):
        if path.stat().st_size < 100:
            path.unlink()
    return folder


def analyse(folder: Path, **options: Any) -> Any:
    from insightface.app import FaceAnalysis

    analysis = FaceAnalysis(str(folder), providers=["CPUExecutionProvider"], **options)
    analysis.prepare(ctx_id=-1, det_size=(640, 640))
    return analysis


def test_it_finds_and_describes_as_our_own_loader_does(photos: Photos, tmp_path: Path, pack: Path) -> None:
    ours = FaceModels.open("antelopev2", "CPU", [tmp_path])
    images = image(photos["astronaut"])
    expected = embed(ours, detect(ours, images), "glintr100").faces[0][0]
    (pack / "arcface.onnx").unlink()
    models = wrap_analysis(analyse(pack))
    assert models.recognisers == ["glintr100"]
    assert repr(models) == "ForeignModels(antelopev2: glintr100)"
    face = embed(models, detect(models, images), "glintr100").faces[0][0]
    assert torch.equal(face.box, expected.box)
    assert torch.equal(face.keypoints, expected.keypoints)
    assert torch.allclose(face.embeddings["glintr100"], expected.embeddings["glintr100"], atol=1e-4)


def test_the_first_file_by_alphabet_is_named_what_it_is(photos: Photos, pack: Path) -> None:
    """FaceAnalysis takes arcface.onnx before glintr100.onnx: who wants InstantID has to be told."""
    models = wrap_analysis(analyse(pack))
    faces = detect(models, image(photos["astronaut"]))
    assert models.recognisers == ["arc2face"]
    assert identify(models, faces, ONLY, "mean").recogniser == "arc2face"
    with pytest.raises(ValueError, match="antelopev2 have no recogniser glintr100; they have: arc2face"):
        identify(models, faces, "glintr100", "mean")


def test_another_network_of_the_same_file_name_keeps_its_own(photos: Photos, pack: Path) -> None:
    (pack / "arcface.onnx").unlink()
    other = pack.rename(pack.with_name("other"))
    models = wrap_analysis(analyse(other))
    assert models.recognisers == ["other/glintr100"]
    faces = detect(models, image(photos["astronaut"]))
    assert identify(models, faces, ONLY, "mean").recogniser == "other/glintr100"
    assert recogniser_name(Path("models/other_pack/w600k_r50.onnx")) == "other_pack/w600k_r50"
    assert recogniser_name(Path("models/buffalo_l/w600k_r50.onnx")) == "w600k_r50"


def test_it_scores_pictures_or_says_why_not(photos: Photos, pack: Path) -> None:
    (pack / "arcface.onnx").unlink()
    photo = image(photos["astronaut"])
    models = wrap_analysis(analyse(pack))
    own = identify(models, detect(models, photo), "glintr100", "mean")
    alone = score_faces(models, photo, own)
    assert alone.similarity == pytest.approx(1, abs=1e-4)
    assert "because the face pack antelopev2 has no other." in alone.judge.says
    other = Identity(torch.ones(1, 512), "sface")
    judged = score_faces(models, photo, other, photo)
    assert judged.judge.recogniser == "glintr100" and judged.similarity == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="which the face pack antelopev2 does not have; it has glintr100"):
        score_faces(models, photo, other)
    with pytest.raises(ValueError, match="recogniser is sface, but the face pack antelopev2 has: glintr100"):
        score_faces(models, photo, other, recogniser="sface")
    nobody = wrap_analysis(analyse(pack, allowed_modules=["detection"]))
    for reference, wanted in ((None, {}), (photo, {}), (photo, {"recogniser": "sface"})):
        with pytest.raises(ValueError, match=r"models antelopev2 have no recogniser.*Load Face Models\."):
            score_faces(nobody, photo, other, reference, **wanted)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_owner_notices_nothing(photos: Photos, pack: Path) -> None:
    analysis = analyse(pack)
    bgr = np.ascontiguousarray(photos["astronaut"][..., ::-1])
    before = analysis.get(bgr)[0]
    settings = (analysis.det_model.input_size, analysis.det_model.det_thresh, analysis.det_model.input_sizes)
    models = wrap_analysis(analysis)
    detect(models, image(photos["coffee"]), min_score=0.9)  # looks again at every size
    after = analysis.get(bgr)[0]
    assert settings == (
        analysis.det_model.input_size,
        analysis.det_model.det_thresh,
        analysis.det_model.input_sizes,
    )
    assert list(analysis.det_model.resolution_sessions) == [(640, 640)]
    assert np.array_equal(before.bbox, after.bbox)
    assert np.array_equal(before.embedding, after.embedding)


@pytest.mark.parametrize(
    "held",
    [
        lambda analysis: (analysis,),
        lambda analysis: ("CPU", analysis),
        lambda analysis: {"library": "insightface", "detector": analysis},
        lambda analysis: SimpleNamespace(face_analysis=analysis),
    ],
)
def test_it_is_found_in_what_packs_put_it_in(pack: Path, held: Callable[[Any], Any]) -> None:
    analysis = analyse(pack, allowed_modules=["detection"])
    models = wrap_analysis(held(analysis))
    assert models.recognisers == []
    with pytest.raises(ValueError, match=r"have no recogniser glintr100; they have: none"):
        models.recogniser("glintr100")


@pytest.mark.parametrize("value", [None, "antelopev2", (), {"detector": 3}, SimpleNamespace(models={})])
def test_what_is_no_analysis_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=rf"not {type(value).__name__}\. For files use Load Face Models"):
        wrap_analysis(value)


def test_what_holds_itself_is_refused_too(pack: Path) -> None:
    held: dict[str, Any] = {}
    held["again"] = held
    with pytest.raises(ValueError, match=r"not dict\. For files use Load Face Models"):
        wrap_analysis(held)
    held["found"] = (analyse(pack, allowed_modules=["detection"]),)
    assert wrap_analysis(held).name == "antelopev2"


def test_a_detector_without_points_or_of_one_size_is_refused(pack: Path) -> None:
    import onnx

    file = pack / "scrfd_10g_bnkps.onnx"
    whole = onnx.load(str(file))
    fixed = onnx.load(str(file))
    for dimension in fixed.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = 640
    del whole.graph.output[6:]  # the points
    for network, says in (
        (whole, r"scrfd_10g_bnkps\.onnx .*no five points: it has 6 outputs instead of 9"),
        (fixed, r"takes pictures of \[640, 640\] only"),
    ):
        onnx.save(network, str(file))
        with pytest.raises(ValueError, match=says):
            wrap_analysis(analyse(pack, allowed_modules=["detection"]))


def test_several_recognisers_can_not_be_whatever_there_is(photos: Photos, tmp_path: Path, pack: Path) -> None:
    models = FaceModels.open("antelopev2", "CPU", [tmp_path])
    faces = detect(models, image(photos["astronaut"]))
    with pytest.raises(ValueError, match=r"several recognisers: glintr100, arc2face\. Choose one by name"):
        identify(models, faces, ONLY, "mean")


def test_a_known_file_is_known_by_its_content_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = recogniser_files.recogniser_files()
    for place, seed, name in (("a/w600k.onnx", 1, "glintr100"), ("antelopev2/glintr100.onnx", 2, "auraface")):
        write_recogniser(tmp_path / place, seed=seed)
        assert recogniser_name(tmp_path / place) != name
        size = (tmp_path / place).stat().st_size
        known[name] = replace(known[name], size=size, sha256=sha256(tmp_path / place))
    monkeypatch.setattr(recogniser_files, "recogniser_files", lambda: known)
    assert recogniser_name(tmp_path / "a" / "w600k.onnx") == "glintr100"
    assert recogniser_name(tmp_path / "antelopev2" / "glintr100.onnx") == "auraface"
