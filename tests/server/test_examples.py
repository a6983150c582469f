"""The examples against a booted ComfyUI, as their users start them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.patience import PATIENCE
from support.workflow_runs import png, small, titled

from installer.paths import REPOSITORY
from installer.server import Server
from tools.ui_workflow import api_files, read

EXAMPLES = REPOSITORY / "workflows" / "examples"


@pytest.fixture
def photo(photos: dict[str, np.ndarray], tmp_path: Path) -> Path:
    path = tmp_path / "somebody with a space.png"
    path.write_bytes(png(photos["astronaut"]))
    return path


def workflow(name: str, folder: Path) -> Path:
    """The workflow on the tiny files, under a name of its own so that its pictures are told apart."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(small(read(api_files()[name]))), encoding="utf-8")
    return path


def client(*arguments: str | Path | dict[str, Any], cwd: Path) -> subprocess.CompletedProcess:
    texts = [json.dumps(part) if isinstance(part, dict) else str(part) for part in arguments]
    command = [sys.executable, str(EXAMPLES / "client.py"), *texts]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=PATIENCE)


def curl(server: Server, *arguments: str | Path | dict[str, Any], cwd: Path) -> subprocess.CompletedProcess:
    assert shutil.which("curl"), "This test runs workflows/examples/curl.sh: install curl (apt install curl)."
    texts = [json.dumps(part) if isinstance(part, dict) else str(part) for part in arguments]
    settings = {"SERVER": server.url, "PYTHON": sys.executable, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        ["sh", str(EXAMPLES / "curl.sh"), *texts],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **settings},
        timeout=PATIENCE,
    )


# ---- client.py


def test_the_client_draws_a_person_and_tells_its_progress(
    server: Server, photo: Path, tmp_path: Path
) -> None:
    settings = {
        "Photo of the Person": {"image": str(photo)},
        "Sample": {"seed": 20261128, "steps": 3},
        "Save Picture": {"filename_prefix": "by_client"},
    }
    done = client(workflow("instantid_basic", tmp_path), settings, server.url, "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.index("Apply InstantID") < lines.index("Sample") < lines.index("  step 3 of 3")
    (picture,) = (tmp_path / "out").glob("by_client*.png")
    assert f"  {Path('out') / picture.name}" in lines
    saved = Image.open(picture)
    assert np.asarray(saved).std() > 1
    graph = json.loads(saved.info["prompt"])  # ComfyUI puts what it ran into the picture
    assert graph[titled(graph, "Sample")]["inputs"]["seed"] == 20261128
    assert graph[titled(graph, "Photo of the Person")]["inputs"]["image"] == photo.name


def test_a_second_run_gets_the_same_pictures_from_the_cache(
    server: Server, photo: Path, tmp_path: Path
) -> None:
    settings = {"Photo": {"image": str(photo)}, "Save Identity": {"filename_prefix": "client"}}
    runs = []
    for folder in ("one", "two"):
        done = client(workflow("faces_inspect", tmp_path), settings, server.url, folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        runs.append(sorted(path.read_bytes() for path in (tmp_path / folder).iterdir()))
    assert len(runs[0]) == 4 and runs[0] == runs[1]


def test_a_photo_never_replaces_another_of_its_name(server: Server, photo: Path, tmp_path: Path) -> None:
    mine = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(mine, "PNG")
    (server.base / "input" / photo.name).write_bytes(mine.getvalue())
    try:
        done = client(
            workflow("faces_inspect", tmp_path), {"Photo": {"image": str(photo)}}, server.url, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert (server.base / "input" / photo.name).read_bytes() == mine.getvalue()
    finally:
        (server.base / "input" / photo.name).unlink()


def test_refused_values_are_told_with_the_nodes_title(server: Server, photo: Path, tmp_path: Path) -> None:
    path = workflow("instantid_basic", tmp_path)
    wrong = {"steps": 99999, "sampler_name": "x"}
    part = client(
        path, {"Photo of the Person": {"image": str(photo)}, "Sample": wrong}, server.url, cwd=tmp_path
    )
    assert part.returncode == 1
    assert "Sample: Value 99999 bigger than max of 10000: steps" in part.stderr
    assert "Sample: Value not in list: sampler_name: 'x'" in part.stderr
    assert part.stderr.rstrip().endswith("The parts named above were refused; the others ran.")
    assert len(list((tmp_path / "pictures").iterdir())) == 2, "the previews do not need the sampler"
    whole = client(path, {"Detect Faces": {"min_score": 7}}, server.url, "none", cwd=tmp_path)
    assert (
        whole.returncode == 1 and "Detect Faces: Value 7.0 bigger than max of 1.0: min_score" in whole.stderr
    )
    assert whole.stderr.rstrip().endswith("The workflow was refused (HTTP 400).")
    assert not (tmp_path / "none").exists()


def test_a_missing_model_is_told_with_the_command_that_fetches_it(
    server: Server, photo: Path, tmp_path: Path
) -> None:
    """What the page shows, too: the message of execution_error."""
    settings = {"Photo of the Person": {"image": str(photo)}, "Load InstantID": {"file": "ip-adapter.bin"}}
    done = client(workflow("instantid_basic", tmp_path), settings, server.url, cwd=tmp_path)
    assert done.returncode == 1
    said = "Load InstantID (LikenessLoadInstantID) failed: ip-adapter.bin is missing. Searched: "
    assert said + str(server.base / "models" / "instantid") in done.stderr
    pack = next(path for path in (server.base / "custom_nodes").iterdir() if (path / "install.py").is_file())
    assert f"Fetch it with: python install.py --models instantid (in {pack})" in done.stderr


def test_wrong_parameters_and_no_server_are_sentences(server: Server, tmp_path: Path) -> None:
    path = workflow("instantid_basic", tmp_path)
    for arguments, message in [
        (
            (path, {"Sampling": {}}, server.url),
            "No node is called 'Sampling'. There are: 'Photo of the Person'",
        ),
        ((path, {"Sample": {"positive": 1}}, server.url), "over a wire: set it there"),
        ((path, {}, "http://127.0.0.1:9"), "Cannot connect to host 127.0.0.1:9"),
        ((), "python client.py WORKFLOW.json"),
    ]:
        done = client(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


# ---- curl.sh


def test_curl_uploads_queues_waits_and_downloads(server: Server, photo: Path, tmp_path: Path) -> None:
    done = curl(
        server,
        *(workflow("faces_inspect", tmp_path), {"Photo": {"image": photo.name}}, photo),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert len(pictures) == 4 and all(Image.open(path).size[0] > 100 for path in pictures)
    assert sorted(done.stdout.splitlines()) == [f"pictures/{path.name}" for path in pictures]


def test_curl_tells_what_was_refused_and_what_failed(server: Server, photo: Path, tmp_path: Path) -> None:
    path = workflow("faces_inspect", tmp_path)
    refused = curl(server, path, {"Detect Faces": {"min_score": 7}}, photo, cwd=tmp_path)
    assert refused.returncode == 1 and "bigger than max" in refused.stderr
    part = curl(
        server,
        path,
        {"Photo": {"image": photo.name}, "Draw Face Keypoints": {"width": -1}},
        photo,
        cwd=tmp_path,
    )
    assert part.returncode == 1 and "Parts were refused; the others run: " in part.stderr
    settings = {"Photo": {"image": photo.name}, "Detect Faces": {"min_score": 1}}
    failed = curl(server, path, settings, photo, cwd=tmp_path)
    assert failed.returncode == 1 and "Detect Faces failed: No face in picture 0" in failed.stderr
    unknown = curl(server, path, {"Nobody": {}}, cwd=tmp_path)
    assert unknown.returncode == 1 and "No node is called 'Nobody'" in unknown.stderr
    assert "Traceback" not in refused.stderr + failed.stderr + unknown.stderr
    assert not (tmp_path / "pictures").exists()
