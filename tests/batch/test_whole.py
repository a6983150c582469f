"""Judged on the real host, drawn by another farm, and how far off a picture is that was drawn again."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.batches import batch, drawn, lines

from batch import export_openjd, outputs
from batch.ledger import Ledger
from batch.lock import PACK
from batch.records import Output
from batch.replay import compare
from batch.values import Job, Picture
from installer.paths import photos_folder

Table = Callable[..., Path]


def test_pictures_are_judged_by_the_rows_photo(tmp_path: Path, host_options: list[str]) -> None:
    """What is "drawn" are photos: of the person, of somebody else, and of nobody."""
    load, save = {"class_type": "LoadImage"}, {"class_type": "SaveImage"}
    workflow = tmp_path / "photos.json"
    graph = {
        "1": {**load, "inputs": {"image": "x"}, "_meta": {"title": "Person"}},
        "2": {**load, "inputs": {"image": "x"}, "_meta": {"title": "Drawn"}},
        "3": {**save, "inputs": {"images": ["2", 0], "filename_prefix": "a"}, "_meta": {"title": "Save"}},
    }
    workflow.write_text(json.dumps(graph))
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "wall.png")
    obama, again, biden = (str(photos_folder() / f"{name}.jpg") for name in ("obama", "obama2", "biden"))
    wall = str(tmp_path / "wall.png")
    pairs = [(obama, again), (obama, biden), (obama, wall), (wall, obama)]
    table, out = tmp_path / "rows.jsonl", tmp_path / "out"
    rows = [{"Person.image": person, "Drawn.image": shown} for person, shown in pairs]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = ["--judge", "identity", "--at-least", "0.4", "--judge-photo", "Person.image"]
    assert batch("run", workflow, "--rows", table, "--out", out, "--local", *judged, *host_options) == 1
    right, wrong, none, nobody = lines(out)
    assert right["state"] == "done" and right["judged"]["similarity"] > 0.6
    assert right["outputs"][0]["file"].startswith("accepted/")
    assert wrong["state"] == "rejected" and wrong["judged"]["similarity"] < 0.4
    assert (
        wrong["outputs"][0]["file"].startswith("rejected/") and (out / wrong["outputs"][0]["file"]).is_file()
    )
    assert none["state"] == "rejected" and none["judged"]["similarity"] is None
    assert nobody["state"] == "failed" and "Person.image shows no face" in nobody["error"]


def test_openjds_own_tool_draws_the_rest_and_merges(
    smallest: Path, table: Table, tmp_path: Path, stub: list[str]
) -> None:
    rows, out, bundle = table(*"abcde"), tmp_path / "out", tmp_path / "bundle"
    whole = tmp_path / "whole"
    assert batch("run", smallest, "--rows", rows, "--out", whole, *stub) == 0
    assert batch("run", smallest, "--rows", rows, "--out", out, "--range", "1-1", *stub) == 0
    assert batch("export", out, "--openjd", bundle, "--rows-per-task", 2) == 0
    template, values = bundle / export_openjd.TEMPLATE, bundle / export_openjd.PARAMETERS
    tool = str(Path(sys.executable).with_name("openjd"))
    words = [tool, "run", str(template), "-p", f"file://{values}", "--step", "Merge", "--run-dependencies"]
    done = subprocess.run(words, cwd=PACK, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    assert [line["row"] for line in lines(out)] == [1, 2, 3, 4, 5]
    assert drawn(out) == drawn(whole), "the same pictures as one run draws"
    with Ledger(out) as ledger:
        assert ledger.counts() == {"done": 5}


JOB = Job("k" * 20, 1, 0, 0, 5, {})


def kept(folder: Path, pixels: np.ndarray) -> tuple[list[Output], list[Picture]]:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    pictures = [Picture("a.png", out.getvalue(), "Save", "image")]
    return outputs.save(folder, JOB, pictures), pictures


def test_how_far_off_a_picture_is_is_said(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), 100, np.uint8)
    before, same = kept(tmp_path, pixels)
    assert str(compare(tmp_path, before, JOB, same)[0]).endswith(": equal to the bit")
    other = pixels.copy()
    other[0, 0] = 112
    _, changed = kept(tmp_path / "x" if (tmp_path / "x").mkdir() is None else tmp_path, other)
    found = compare(tmp_path, before, JOB, changed)[0]
    assert not found.equal and found.most == 12 and found.mean == pytest.approx(12 / 16)
    assert str(found).endswith("off by 12 of 255 levels at most, 0.750 in the mean")
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=0)
    rewritten = [Picture("a.png", out.getvalue(), "Save", "image")]
    assert "equal pixels" in str(compare(tmp_path, before, JOB, rewritten)[0])
    small = [kept(tmp_path / "x", pixels[:2])[1][0]]
    assert "can't be compared" in str(compare(tmp_path, before, JOB, small)[0])
