"""`--test`: style, types and all tests, in the order of how fast they fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .environment import Environment, ensure, ensure_photos
from .folders import Folders
from .models import EMBEDDED, fetch_models
from .output import Progress
from .paths import REPOSITORY, shared_models

_COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


def run_checks(progress: Progress, comfyui: Path | None, fresh: bool, expression: str) -> bool:
    """Set up what is missing and run every stage; stops at the first that fails. True when all passed."""
    environment = ensure(progress, fresh)
    ensure_photos(environment.python, progress)
    fetch_models(Folders(shared_models()), [EMBEDDED], progress, environment.python)
    tests = ["--override-ini=cache_dir=" + str(_scratch(environment))]
    chosen = ["-k", expression] if expression else []
    stages: list[tuple[str, list[str]]] = []
    if not expression:
        stages = [
            ("style (ruff check)", ["ruff", "check", "."]),
            ("layout (ruff format)", ["ruff", "format", "--check", "."]),
            ("types (mypy)", ["mypy"]),
        ]
    stages += [
        ("library tests", ["pytest", "-q", *tests, *chosen, "tests/library"]),
        ("training tests", ["pytest", "-q", *tests, *chosen, "tests/training"]),
        ("host and server tests", ["pytest", "-q", *tests, *chosen, "tests/host", "tests/server"]),
    ]
    return _run_stages(stages, environment, comfyui or environment.comfyui, progress)


def _run_stages(
    stages: Sequence[tuple[str, list[str]]], environment: Environment, comfyui: Path, progress: Progress
) -> bool:
    passed = failed = 0
    broken = ""
    for name, command in stages:
        progress.say(f"{name} ...")
        status, output = _run(environment, comfyui, command)
        counts = _counts(output) if command[0] == "pytest" else {}
        passed += counts.get("passed", 0)
        failed += counts.get("failed", 0)
        nothing_chosen = command[0] == "pytest" and status == 5 and "-k" in command
        if status and not nothing_chosen:
            broken = name
            failed += not counts.get("failed", 0)
            break
    if not passed and not broken:
        broken = "no test has a name like that"
        failed += 1
    if broken:
        progress.say(f"Stopped at: {broken}")
    else:
        progress.say("All stages passed.")
    print(f"{passed} passed, {failed} failed")
    return not broken


def _run(environment: Environment, comfyui: Path, command: Sequence[str]) -> tuple[int, str]:
    """Run a stage's module, its output shown as it comes; returns its status and output."""
    settings = {"OMP_NUM_THREADS": "1", "LIKENESS_COMFYUI": str(comfyui), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [str(environment.python), "-m", *command],
        cwd=REPOSITORY,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines = []
    for line in process.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), "".join(lines)


def _counts(output: str) -> dict[str, int]:
    """Passed and failed of pytest's last line; errors count as failures."""
    last = output.strip().splitlines()[-1] if output.strip() else ""
    found = {"passed": 0, "failed": 0}
    for number, word in _COUNTS.findall(last):
        found["passed" if word == "passed" else "failed"] += int(number)
    return found


def _scratch(environment: Environment) -> Path:
    return environment.folder / "pytest-cache"
