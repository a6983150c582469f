"""From options to what boots a host."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest
from support import stub_comfyui

from batch import options as of
from batch.options import OptionError


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    return stub_comfyui.write(tmp_path / "custom" / "ComfyUI")


def parsed(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    of.add_host_options(parser)
    return parser.parse_args([str(word) for word in words])


def test_the_command_of_a_host(comfyui: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.touch()
    options = parsed(
        "--comfyui", comfyui, "--python", sys.executable, "--models", tmp_path, "--extra-model-paths", extra,
        "--host-arguments", "--lowvram --preview-method 'none'",
    )  # fmt: skip
    assert of.command(options) == (
        sys.executable, str(comfyui / "main.py"), "--models-directory", str(tmp_path),
        "--extra-model-paths-config", str(extra), "--lowvram", "--preview-method", "none",
    )  # fmt: skip


def test_a_desk_without_a_card_draws_on_the_processor_and_a_cluster_does_not(
    comfyui: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of, "graphics", lambda: False)
    options = parsed("--comfyui", comfyui, "--python", sys.executable)
    assert of.host_settings(options, 1).cpu
    options.address = "10.0.0.1:6379"
    assert not of.host_settings(options, 1).cpu


def test_a_python_that_is_named_from_here_is_found_from_elsewhere(
    comfyui: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venv").mkdir()
    link = tmp_path / "venv" / "python"
    link.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    found = of.command(parsed("--comfyui", comfyui, "--python", os.path.join("venv", "python")))[0]
    assert found == str(link)


def test_the_comfyui_that_the_pack_is_in(
    comfyui: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = comfyui / "custom_nodes" / "likeness"
    pack.mkdir(parents=True)
    other = stub_comfyui.write(tmp_path / "other")
    monkeypatch.setenv("LIKENESS_COMFYUI", str(other))
    monkeypatch.setenv("PWD", str(pack))
    assert of.comfyui(parsed()) == comfyui
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert of.comfyui(parsed()) == other


@pytest.mark.parametrize("workers, threads", [(1, 4), (2, 2), (8, 1)])
def test_hosts_share_the_cores_of_a_processor(
    comfyui: Path, monkeypatch: pytest.MonkeyPatch, workers: int, threads: int
) -> None:
    monkeypatch.setattr(of, "cores", lambda: 4)
    options = parsed("--comfyui", comfyui, "--cpu")
    assert of.host_settings(options, workers).threads == threads
    assert of.host_settings(parsed("--comfyui", comfyui, "--cpu", "--threads", 3), workers).threads == 3


def test_cards() -> None:
    assert of.cards(parsed("--gpus", "0,2")) == [0, 2]
    assert of.cards(parsed("--gpus", "0,2", "--cpu")) == []
    with pytest.raises(OptionError, match="is no list of numbers"):
        of.cards(parsed("--gpus", "a"))
