"""`--test`: style, types and all tests, two stages at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import hosts
from .browser import ensure_browser
from .environment import Environment, ensure, ensure_photos
from .folders import Folders
from .hosts import Host
from .models import EMBEDDED, fetch_models
from .output import Progress
from .paths import REPOSITORY, shared_models
from .stages import FRONTEND, Choice, Stage, on_the_newest_page, on_the_oldest, stages

#: Stages of tests at a time: each keeps a core busy, and most machines have two.
_AT_ONCE = 2
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


def run_checks(progress: Progress, choice: Choice, fresh: bool = False) -> bool:
    """Set up what is missing and run every stage; stops at the first that fails. True when all passed.

    With an expression or a host only tests run. choice.browser is False for developers who have none: the
    tests in the page are left out, and the last lines say so. Raises SetupError.
    """
    # Before anything is made: what is asked for may be nothing.
    release = hosts.find(choice.host or "pinned")
    hosts.check_frontend(choice.frontend or hosts.FRONTEND)
    environment = ensure(progress, fresh)
    if choice.comfyui is not None:
        host = hosts.of_folder(progress, environment, choice.comfyui)
    else:
        host = hosts.ensure(progress, environment, release)
    if choice.browser and not choice.expression:
        ensure_browser(progress)
    ensure_photos(environment.python, progress)
    fetch_models(Folders(shared_models()), [EMBEDDED], progress, environment.python)
    looks, tests = stages(choice, _scratch(environment))
    if choice.whole:
        if choice.browser:
            page = hosts.ensure_frontend(progress, environment)
            tests.insert(-1, on_the_newest_page(page, _scratch(environment)))
        tests += on_the_oldest(hosts.ensure(progress, environment), _scratch(environment))
    elif choice.frontend:
        page = hosts.ensure_frontend(progress, environment, choice.frontend)
        tests = [Stage(s.name, s.command, settings={FRONTEND: str(page)}) for s in tests]
    progress.say(f"ComfyUI {host.name}:")
    passed = _run_stages(looks, tests, host, progress)
    if not choice.browser:
        progress.say("The browser tests were left out (--no-browser). CI runs them.")
    return passed


class _Runner:
    """Runs stages and keeps count; when one has failed, no further one begins."""

    def __init__(self, host: Host, progress: Progress) -> None:
        self._host, self._progress = host, progress
        self._lock = threading.Lock()
        self.passed = self.failed = 0
        self.broken: list[str] = []

    def run(self, waiting: Iterator[Stage], shown: bool) -> None:
        """One after the other; several callers may share them.

        shown: output as it comes, else all of a stage's when it ends.
        """
        while stage := self._next(waiting):
            self._progress.say(f"{stage.name} ...")
            status, output = _run(stage, stage.host or self._host, shown)
            with self._lock:
                if not shown:
                    self._progress.say(f"{stage.name}:")
                    sys.stdout.write(output)
                    sys.stdout.flush()
                self._note(stage, status, output)

    def _next(self, waiting: Iterator[Stage]) -> Stage | None:
        with self._lock:
            return None if self.broken else next(waiting, None)

    def _note(self, stage: Stage, status: int, output: str) -> None:
        tests = stage.command[0] == "pytest"
        counts = _counts(output) if tests else {}
        self.passed += counts.get("passed", 0)
        self.failed += counts.get("failed", 0)
        nothing_chosen = tests and status == 5 and "-k" in stage.command
        if status and not nothing_chosen:
            self.broken.append(stage.name)
            self.failed += not counts.get("failed", 0)


def _run_stages(looks: Sequence[Stage], tests: Sequence[Stage], host: Host, progress: Progress) -> bool:
    """Looks, then the tests, two stages at a time: whichever ends first makes room for the next."""
    runner = _Runner(host, progress)
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


def _run(stage: Stage, host: Host, shown: bool) -> tuple[int, str]:
    """Run a stage's module on a host; returns its status and output."""
    settings = {"OMP_NUM_THREADS": "1", "LIKENESS_COMFYUI": str(host.comfyui), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [str(host.python), "-m", *stage.command],
        cwd=REPOSITORY,
        env={**os.environ, **settings, **stage.settings},
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
