"""What is said about a command that can't be meant, before anything is booted; and when no host boots."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import stub_comfyui
from support.batches import batch

from batch import command
from installer.paths import REPOSITORY

Table = Callable[..., Path]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize(
    "options, said",
    [
        (["--repeat", "0"], "--repeat must be at least 1."),
        (["--tries", "0"], "--tries must be at least 1."),
        (["--workers", "-1"], "--workers must be at least 0."),
        (["--recycle", "-1"], "--recycle must be at least 0."),
        (["--memory-limit", "-1"], "--memory-limit must be at least 0."),
        (["--timeout", "0"], "--timeout must be more than 0 seconds."),
        (["--boot-timeout", "-1"], "--boot-timeout must be more than 0 seconds."),
        (["--threads", "-1"], "--threads -1 is less than none."),
        (["--address", "1.2.3.4:5"], "--local is without Ray, --address joins a Ray cluster: leave one out."),
        (["--dashboard"], "--dashboard is the page of a Ray of our own: leave it out with --local"),
        (["--tries", "3"], "--tries and --at-least are for --judge identity: add it or leave them out."),
        (["--at-least", "0.4"], "--tries and --at-least are for --judge identity"),
        (["--python", "/nowhere/python"], "There is no Python /nowhere/python (--python)."),
        (["--comfyui", "/nowhere"], "/nowhere holds no ComfyUI: no main.py and comfy (--comfyui)."),
        (["--base", "/nowhere"], "There is no folder /nowhere (--base)."),
        (["--models", "/nowhere"], "There is no folder /nowhere (--models)."),
        (["--scratch", "/nowhere"], "There is no folder /nowhere (--scratch)."),
        (["--extra-model-paths", "/nowhere"], "There is no file /nowhere (--extra-model-paths)."),
        (["--host-arguments='x"], "--host-arguments \"'x\" can't be read: No closing quotation."),
        (["--rows", "/nowhere.csv"], "There is no table /nowhere.csv."),
    ],
)
def test_options_that_cannot_be_met(
    options: list[str],
    said: str,
    smallest: Path,
    table: Table,
    out: Path,
    stub: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert batch("run", smallest, "--rows", table("a"), "--out", out, *stub, *options) == 2
    assert said in capsys.readouterr().err
    assert not (out / "pictures").exists()


def test_cards_that_are_no_numbers(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    stub.remove("--cpu")
    try:
        status = batch("run", smallest, "--rows", table("a"), "--out", out, *stub, "--gpus", "0,x")
    finally:
        stub.insert(1, "--cpu")
    assert status == 2
    assert "--gpus '0,x' is no list of numbers such as 0,1." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["5", "0-3", "3-2", "a-b"])
def test_a_range_that_is_none(
    text: str, smallest: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        batch("run", smallest, "--rows", "x.csv", "--out", out, "--range", text)
    assert ended.value.code == 2
    assert f"'{text}' is no range such as 1-100" in capsys.readouterr().err


def test_an_output_that_is_a_file(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out.write_text("x")
    assert batch("run", smallest, "--rows", table("a"), "--out", out, *stub) == 2
    assert f"{out} is a file: --out names a folder." in capsys.readouterr().err


def test_a_workflow_that_is_none(
    tmp_path: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.json").write_text('{"nodes": []}')
    assert batch("run", tmp_path / "w.json", "--rows", table("a"), "--out", out, *stub) == 2
    assert "Save it with Workflow > Export (API)" in capsys.readouterr().err


def test_a_folder_of_pictures_for_a_workflow_without_one(
    smallest: Path, pictures: Path, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch("run", smallest, "--rows", pictures, "--out", out, *stub) == 2
    assert "The workflow loads 0 pictures (none): say with --photo-column" in capsys.readouterr().err


def test_faults_as_json(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", Sampler__steps=[0])
    assert batch("run", smallest, "--rows", rows, "--out", out, "--json", *stub) == 2
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {
        "event": "fault",
        "row": 1,
        "column": "Sampler.steps",
        "sentence": "0 is below the least, 1.",
    } in told


def test_a_host_that_cannot_boot_is_told_with_its_log(
    smallest: Path, table: Table, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "ComfyUI"
    (broken / "comfy").mkdir(parents=True)
    (broken / "main.py").write_text("raise SystemExit('No module named torch')")
    options = ["--local", "--cpu", "--comfyui", str(broken), "--python", sys.executable]
    assert batch("run", smallest, "--rows", table("a"), "--out", out, *options) == 3
    said = capsys.readouterr().err
    assert "worker-1 could not start. The host stopped while it booted." in said
    assert "No module named torch" in said


def test_a_host_that_never_answers(
    smallest: Path, table: Table, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stub_comfyui.write(tmp_path / "ComfyUI")
    options = ["--local", "--cpu", "--comfyui", str(folder), "--python", sys.executable]
    options += ["--host-arguments=--stuck", "--boot-timeout", "2"]
    assert batch("run", smallest, "--rows", table("a"), "--out", out, *options) == 3
    assert "The host didn't answer within 2 s." in capsys.readouterr().err


def test_status(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch("status", out) == 2
    assert f"{out} holds no ledger" in capsys.readouterr().err
    batch("run", smallest, "--rows", table("a", "!error b"), "--out", out, *stub)
    capsys.readouterr()
    assert batch("status", out) == 0
    assert capsys.readouterr().out == "1 done, 1 failed\nrow 2 failed: Model: No face was found in image.\n"
    assert batch("status", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["states"] == {"done": 1, "failed": 1}


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_option_has_a_help_text(name: str) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    importlib.import_module(f"batch.{name}").add_command(commands)
    (made,) = commands.choices.values()
    assert made._actions and all(action.help for action in made._actions)


def test_each_is_also_a_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "batch", "status", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "holds no ledger" in done.stderr
    assert "Traceback" not in done.stderr
