"""Model files on the machines of a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.batches import batch

from batch import fetch
from batch.ray_cluster import Cluster


def test_a_method_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("fetch", "nobody") == 2
    assert "No method is called 'nobody'. There are: " in capsys.readouterr().err


def test_licences_are_said_and_what_is_there_is_not_fetched(
    base: Path, comfyui: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A ComfyUI whose models are those of the tests: they have SFace."""
    for path in comfyui.iterdir():
        if path.name not in ("models", "custom_nodes"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "models").symlink_to(base / "models")
    words = ["fetch", "embedded", "--comfyui", tmp_path, "--python", sys.executable]
    assert batch(*words) == 0
    said = capfd.readouterr().out
    assert "rec_sface_512d_int8bq.onnx: 10.9 MB, licence Apache-2.0" in said
    assert "To get:" not in said


@pytest.fixture
def own_ray() -> Iterator[None]:
    cluster = Cluster()
    cluster.start()
    try:
        yield
    finally:
        cluster.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="On Windows batches run with --local.")
def test_each_machine_runs_it_and_says_what_failed(own_ray: None, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('37 GB to go'); sys.exit(int(sys.argv[1]))"
    assert fetch.fetched([sys.executable, "-c", code, "0"]) == [True]
    assert fetch.fetched([sys.executable, "-c", code, "3"]) == [False]
    assert fetch.fetched(["no-such-python"]) == [False]
    said = capsys.readouterr().out
    assert "127.0.0.1: done\n37 GB to go" in said and "127.0.0.1: failed\n37 GB to go" in said
    assert "no-such-python" in said
