"""Each victim of a batch by itself, with the real host and tiny checkpoints; see batch/long_kill.py."""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import comfyui_folder

from installer import paths, tiny
from support.batches import SMALLEST, drawn, lines
from support.booted import ATTENTION
from support.killing import LOCAL, RAY, Killing

#: "full" is no victim but a small file system; "all" are all victims in one batch.
SCENARIOS = [
    *(("--local", name) for name in ("all", "full", *LOCAL)),
    *(("", name) for name in ("all", "full", *RAY)),
]


def main(text: str) -> int:
    """text: of the help. Raises AssertionError where something was lost or doubled."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--kills", type=int, default=3, help="of each victim")
    parser.add_argument("--only", nargs="*", help='such as "local host" "ray head"')
    parser.add_argument("--place", type=Path, help="keep what is drawn in this folder; go on there")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    if options.place is not None:
        _all(options, options.place)
    else:
        with tempfile.TemporaryDirectory(prefix="likeness-kill-") as folder:
            _all(options, Path(folder))
    return 0


def _all(options: argparse.Namespace, place: Path) -> None:
    asked = _asked(place, options.rows)
    reference = place / "undisturbed"
    begin = time.monotonic()
    _run([*asked, "--local", "--workers", "1", "--out", str(reference)], 0)
    print(f"undisturbed: {options.rows} rows, {time.monotonic() - begin:.0f} s", flush=True)
    for how, victim in SCENARIOS:
        name = f"{'local' if how else 'ray'} {victim}"
        if options.only and name not in options.only:
            continue
        begin, command = time.monotonic(), [*asked, *([how] if how else []), "--workers", "2"]
        folder = Path(tempfile.mkdtemp(prefix=name.replace(" ", "-"), dir=place))
        if victim == "full":
            runs = _full(folder, command, reference)
        else:
            killing = Killing(folder / "out", options.rows, command, options.seed, _say)
            every = LOCAL if how else RAY
            killing.run(every if victim == "all" else [victim] * options.kills)
            killing.check(reference)
            runs = killing.runs
        print(f"{name}: {options.rows} rows, {runs} runs, {time.monotonic() - begin:.0f} s", flush=True)


def _say(text: str) -> None:
    print("   ", text, flush=True)


def _asked(place: Path, rows: int) -> list[str]:
    """A workflow, a table and a host with the pack of tiny networks."""
    (place / "workflow.json").write_text(json.dumps(SMALLEST), encoding="utf-8")
    text = "".join(json.dumps({"Prompt.text": f"person {n}"}) + "\n" for n in range(rows))
    (place / "rows.jsonl").write_text(text, encoding="utf-8")
    comfyui, base = comfyui_folder(), place / "base"
    paths.link_folder(tiny.PACK, base / "custom_nodes" / tiny.PACK.name)
    models = tiny.ensure_tiny(sys.executable, comfyui) / "models"
    arguments = "--disable-api-nodes --disable-all-custom-nodes --whitelist-custom-nodes "
    arguments += " ".join([shlex.quote(tiny.PACK.name), *ATTENTION])
    host = ["--comfyui", comfyui, "--base", base, "--models", models, "--cpu", "--threads", 1]
    asked = ["run", place / "workflow.json", "--rows", place / "rows.jsonl", *host]
    return [*map(str, asked), f"--host-arguments={arguments}"]


def _run(asked: list[str], status: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "batch", *asked], cwd=paths.REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def _full(place: Path, asked: list[str], reference: Path) -> int:
    """A file system too small for the pictures, which then grows; how often the command ran."""
    disk = place / "disk"
    disk.mkdir()
    size = sum(len(data) for data in drawn(reference).values()) * 2 // 3
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "likeness-test", str(disk)], check=True)
    try:
        out = disk / "out"
        said = _run([*asked, "--out", str(out)], 3)
        _say(said.strip().splitlines()[-1])
        before = drawn(out)
        assert 0 < len(before) < len(drawn(reference))
        assert before.items() <= drawn(reference).items(), "half written"
        subprocess.run(["mount", "-o", f"remount,size={size * 20}", str(disk)], check=True)
        _run([*asked, "--out", str(out)], 0)
        assert drawn(out) == drawn(reference)
        assert [line["row"] for line in lines(out)] == list(range(1, len(drawn(reference)) + 1))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    return 2
