"""Batches for other farms: Open Job Description, checked by its own tool, and Slurm's scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from batch import export, export_openjd, export_slurm
from batch.ledger import Ledger
from batch.lock import PACK
from batch.merge import RANGES
from batch.run_options import add_run_options, told

ROWS = 7


def begun(folder: Path, *more: str) -> Path:
    """The output folder of a run, as far as an export reads it."""
    place = folder / "a place"
    place.mkdir()
    (place / "draw.json").write_text(json.dumps({"1": {"class_type": "A", "inputs": {}}}))
    (place / "people.csv").write_text("A.x\n" + "1\n" * ROWS)
    out = place / "out"
    parser = ArgumentParser()
    add_run_options(parser)
    words = [str(place / "draw.json"), "--rows", str(place / "people.csv"), "--out", str(out), *more]
    with Ledger(out, write=True) as ledger:
        ledger.begin({}, {"command": told(parser.parse_args(words))})
    return out


def test_options_of_the_run_go_along_and_its_place_does_not(tmp_path: Path) -> None:
    kept = ["--cpu", "--repeat=2", "--at-least=1 in 9", "--host-arguments=--lowvram"]
    own = ["--range", "1-2", "--workers", "4", "--dashboard", "--again"]
    farm = export.read(begun(tmp_path, *own, *kept), 3)
    assert (farm.rows, farm.tasks, farm.per_task) == (ROWS, 3, 3), "all rows, not only those that were tried"
    assert sorted(farm.options) == sorted(kept)
    words = farm.arguments("w", "t", "o", "4", "3")
    assert words[:9] == ["-m", "batch", "run", "w", "--rows", "t", "--out", f"o/{RANGES}/4", "--range"]
    parser = ArgumentParser()
    add_run_options(parser)
    options = parser.parse_args(words[3:])
    assert list(options.range) == [4, 5, 6] and options.local and options.workers == 1
    assert options.host_arguments == "--lowvram" and not options.dashboard


def test_openjds_own_tool_takes_the_bundle_and_runs_every_range(tmp_path: Path) -> None:
    """Its Python is a script here that writes down what it was asked for."""
    out = begun(tmp_path, "--cpu")
    said = tmp_path / "said.jsonl"
    fake = tmp_path / "python.sh"
    note = "import json, os, sys; print(json.dumps([os.environ['PYTHONPATH'], sys.argv[1:]]))"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{note}" "$@" >> {said}\n')
    fake.chmod(0o755)
    bundle = tmp_path / "bundle"
    export_openjd.write(export.read(out, 3), bundle)
    path = str(bundle / export_openjd.TEMPLATE)
    tool = [str(Path(sys.executable).with_name("openjd"))]
    subprocess.run([*tool, "check", path], check=True, capture_output=True)
    values = f"file://{bundle / export_openjd.PARAMETERS}"
    words = ["run", path, "-p", values, "-p", f"Python={fake}", "--step", "Merge", "--run-dependencies"]
    subprocess.run([*tool, *words], check=True, capture_output=True, timeout=120)
    calls = [json.loads(line) for line in said.read_text().splitlines()]
    assert all(place == str(PACK) for place, _ in calls)
    ranges = [words[words.index("--range") + 1] for _, words in calls[:-1]]
    assert ranges == ["1+3", "4+3", "7+3"] and calls[-1][1] == ["-m", "batch", "merge", str(out)]
    first = calls[0][1]
    assert first[3] == str(out.parent / "draw.json"), "a folder with a space is one word"
    assert first[first.index("--out") + 1] == f"{out}/{RANGES}/1" and "--cpu" in first


def test_slurms_scripts_run_every_range(tmp_path: Path) -> None:
    """With a shell in place of sbatch, which gives each task its number."""
    out = begun(tmp_path, "--at-least", "1 in 9")
    farm = export.read(out, 3)
    scripts = tmp_path / "scripts"
    told_how = export_slurm.write(farm, scripts)
    assert "--dependency=afterany:$(sbatch --parsable" in told_how
    text = (scripts / export_slurm.DRAW).read_text()
    assert "#SBATCH --array=0-2\n" in text and "#SBATCH --gpus=1\n" in text
    shown = text.replace(f"exec {farm.python}", f'exec {sys.executable} -c "import sys; print(sys.argv[1:])"')
    assert shown != text
    environment = {"SLURM_ARRAY_TASK_ID": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", shown], env=environment, capture_output=True, text=True, check=True)
    words = eval_list(done.stdout)
    assert words[words.index("--out") + 1] == f"{out}/{RANGES}/4"
    assert words[words.index("--range") + 1] == "4+3" and words[-1] == "--at-least=1 in 9"
    assert subprocess.run(["bash", "-n", str(scripts / export_slurm.MERGE)], check=True)


def eval_list(text: str) -> list[str]:
    found: list[str] = json.loads(text.replace("'", '"'))
    return found


def test_a_run_on_a_processor_asks_for_no_card(tmp_path: Path) -> None:
    assert "--gpus" not in export_slurm.draw(export.read(begun(tmp_path, "--cpu")))


def test_what_can_not_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(export.ExportError, match="--rows-per-task must be 1 or more, not -1"):
        export.read(begun(tmp_path), -1)
    old = tmp_path / "old"
    with Ledger(old, write=True) as ledger:
        ledger.begin({}, {})
    with pytest.raises(export.ExportError, match="does not say how it was run"):
        export.read(old)


def test_rows_are_shared_out_by_the_hundred(tmp_path: Path) -> None:
    out = begun(tmp_path)
    (out.parent / "people.csv").write_text("A.x\n" + "1\n" * 1001)
    farm = export.read(out)
    assert (farm.per_task, farm.tasks) == (11, 91)
