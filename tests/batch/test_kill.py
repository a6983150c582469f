"""SIGKILL at random moments, and a disk that fills: after the same command again nothing is lost or doubled.

Here with the stub host, which boots in no time; `python tests/batch/long_kill.py` does the same with the real
one and tiny checkpoints, each victim by itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.batches import SMALLEST, batch, drawn, lines
from support.killing import LOCAL, RAY, Killing, seed_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="It kills as POSIX does.")
ROWS = 300


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workflow and a table of 300 rows."""
    folder = tmp_path_factory.mktemp("kill")
    (folder / "workflow.json").write_text(json.dumps(SMALLEST), encoding="utf-8")
    text = "".join(json.dumps({"Prompt.text": f"person {n}"}) + "\n" for n in range(ROWS))
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def asked(place: Path, stub: list[str]) -> list[str]:
    rows = place / "rows.jsonl"
    return ["run", str(place / "workflow.json"), "--rows", str(rows), *(o for o in stub if o != "--local")]


@pytest.fixture(scope="module")
def undisturbed(place: Path, asked: list[str]) -> Path:
    """What one worker draws that nobody disturbs."""
    assert batch(*asked, "--local", "--out", place / "undisturbed") == 0
    return place / "undisturbed"


@pytest.mark.parametrize("victims", [LOCAL, RAY], ids=["local", "ray"])
def test_killed_at_random(
    victims: tuple[str, ...], asked: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    how = ["--local"] if victims == LOCAL else []
    killing = Killing(tmp_path / "out", ROWS, [*asked, *how, "--workers", 2], seed_of(str(how)))
    killing.run(victims)
    killing.check(undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 1 MB."""
    if not sys.platform.startswith("linux") or os.geteuid():
        pytest.skip("A small file system takes Linux and root.")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "likeness-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(
    asked: list[str], undisturbed: Path, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = small_disk / "out"
    command = [*asked, "--local", "--workers", "2", "--out", str(out)]
    assert batch(*command) == 3
    assert re.search("No space left on device|disk is full", capfd.readouterr().err)
    before = drawn(out)
    assert 0 < len(before) < ROWS
    assert before.items() <= drawn(undisturbed).items(), "Nothing is half written."
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert batch(*command) == 0
    assert drawn(out) == drawn(undisturbed)
    assert [line["row"] for line in lines(out)] == list(range(1, ROWS + 1))
