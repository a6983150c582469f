"""`--test`: style, types and all tests. The longest begin first, so that both cores end together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .browser import ensure_browser
from .environment import Environment, ensure, ensure_photos
from .folders import Folders
from .models import EMBEDDED, fetch_models
from .output import Progress
from .paths import REPOSITORY, shared_models

#: Of the host's room, which is the largest: stages of their own.
MATRIX, PROOF = "tests/host/test_host_features.py", "tests/host/proof"
#: Stages of tests at a time: each keeps a core busy, and most machines have two.
_AT_ONCE = 2
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


def run_checks(
    progress: Progress, comfyui: Path | None, fresh: bool, expression: str, browser: bool = True
) -> bool:
    """Set up what is missing and run every stage; stops at the first that fails. True when all passed.

    With an expression only tests run; no browser is installed for them. browser is False for
    developers who have none: the tests in the page are left out, and the last lines say so.
    """
    environment = ensure(progress, fresh)
    if browser and not expression:
        ensure_browser(progress)
    ensure_photos(environment.python, progress)
    fetch_models(Folders(shared_models()), [EMBEDDED], progress, environment.python)
    looks, tests = _stages(expression, browser, _scratch(environment))
    passed = _run_stages(looks, tests, environment, comfyui or environment.comfyui, progress)
    if not browser:
        progress.say("The browser tests were left out (--no-browser). CI runs them.")
    return passed


def _stages(expression: str, browser: bool, scratch: Path) -> tuple[list[Stage], list[Stage]]:
    """(what is done in no time, all else)."""
    pytest = ["pytest", "-q", f"--override-ini=cache_dir={scratch / 'pytest'}"]
    pytest += ["-k", expression] if expression else []
    looks = [
        Stage("style (ruff check)", ["ruff", "check", "."]),
        Stage("layout (ruff format)", ["ruff", "format", "--check", "."]),
        Stage("registry (comfy node validate)", ["installer.registry"]),
    ]
    rooms = {
        "host": ["tests/host", f"--ignore={MATRIX}", f"--ignore={PROOF}"],
        "host's features": [MATRIX],
        "library": ["tests/library"],
        "server": ["tests/server"],
        **({"browser": ["tests/browser"]} if browser else {}),
        "training": ["tests/training"],
        "drawn world": [PROOF],
    }
    tests = [Stage(f"{room} tests", [*pytest, *places]) for room, places in rooms.items()]
    if expression:
        return [], tests
    # Every method must really work: what the drawn world's networks draw clears stored bars.
    report = ["proof", "world", "report", "--quick", "--check"]
    types = Stage("types (mypy)", ["mypy", f"--cache-dir={scratch / 'mypy'}"])
    return looks, [types, *tests, Stage("drawn world (proof world report)", report)]


@dataclass(frozen=True)
class Stage:
    """A module of the environment's Python with its arguments."""

    name: str
    command: list[str]


class _Runner:
    """Runs stages and keeps count; when one has failed, no further one begins."""

    def __init__(self, environment: Environment, comfyui: Path, progress: Progress) -> None:
        self._environment, self._comfyui, self._progress = environment, comfyui, progress
        self._lock = threading.Lock()
        self.passed = self.failed = 0
        self.broken: list[str] = []

    def run(self, stages: Iterator[Stage], shown: bool) -> None:
        """One after the other; several callers may share them.

        shown: output as it comes, else all of a stage's when it ends.
        """
        while stage := self._next(stages):
            self._progress.say(f"{stage.name} ...")
            status, output = _run(self._environment, self._comfyui, stage.command, shown)
            with self._lock:
                if not shown:
                    self._progress.say(f"{stage.name}:")
                    sys.stdout.write(output)
                    sys.stdout.flush()
                self._note(stage, status, output)

    def _next(self, stages: Iterator[Stage]) -> Stage | None:
        with self._lock:
            return None if self.broken else next(stages, None)

    def _note(self, stage: Stage, status: int, output: str) -> None:
        tests = stage.command[0] == "pytest"
        counts = _counts(output) if tests else {}
        self.passed += counts.get("passed", 0)
        self.failed += counts.get("failed", 0)
        nothing_chosen = tests and status == 5 and "-k" in stage.command
        if status and not nothing_chosen:
            self.broken.append(stage.name)
            self.failed += not counts.get("failed", 0)


def _run_stages(
    looks: Sequence[Stage],
    tests: Sequence[Stage],
    environment: Environment,
    comfyui: Path,
    progress: Progress,
) -> bool:
    """Looks, then the tests, two stages at a time: whichever ends first makes room for the next."""
    runner = _Runner(environment, comfyui, progress)
    runner.run(iter(looks), shown=True)
    waiting = iter(tests)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(runner.run, waiting, number == 0) for number in range(_AT_ONCE)]:
            done.result()
    if not runner.passed and not runner.broken:
        runner.broken.append("no test has a name like that")
        runner.failed += 1
    if runner.broken:
        progress.say(f"Stopped at: {', '.join(runner.broken)}")
    else:
        progress.say("All stages passed.")
    print(f"{runner.passed} passed, {runner.failed} failed")
    return not runner.broken


def _run(environment: Environment, comfyui: Path, command: Sequence[str], shown: bool) -> tuple[int, str]:
    """Run a stage's module; returns its status and output."""
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
        if shown:
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
    """What tools remember from one run to the next, whatever clone it was of."""
    return environment.folder / "checks-cache"
