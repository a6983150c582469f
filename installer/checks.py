"""`--test`: style, types and all tests. The longest begin first, so that both cores end together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import hosts
from .browser import ensure_browser
from .environment import Environment, ensure, ensure_photos
from .folders import Folders
from .hosts import Host
from .models import EMBEDDED, fetch_models
from .output import Progress
from .paths import REPOSITORY, shared_models

#: Of the host's room, which is the largest: stages of their own.
MATRIX, PROOF = "tests/host/test_host_features.py", "tests/host/proof"
#: Tests of every method's numbers.
PARITY = "tests/host/*/test_parity.py"
#: The folder of a page for the browser tests' server, instead of its host's own.
FRONTEND = "LIKENESS_FRONTEND"
#: Stages of tests at a time: each keeps a core busy, and most machines have two.
_AT_ONCE = 2
_COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


@dataclass(frozen=True)
class Choice:
    """What of `--test` is wanted."""

    #: `oldest`, `pinned`, `newest` or a version; "": the pinned host, and a part on the oldest.
    host: str = ""
    comfyui: Path | None = None
    #: Of the page, `newest` or a version; "": the pinned host's, and a part on the newest we know.
    frontend: str = ""
    expression: str = ""
    browser: bool = True

    @property
    def whole(self) -> bool:
        """Whether neither a host nor a page nor tests are named: what CI runs."""
        return not (self.host or self.comfyui or self.frontend or self.expression)


@dataclass(frozen=True)
class Stage:
    """A module of a host's Python with its arguments; host: None is the one that is tested."""

    name: str
    command: list[str]
    host: Host | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


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
    looks, tests = _stages(choice, _scratch(environment))
    if choice.whole:
        oldest = hosts.ensure(progress, environment)
        tests += _on_the_oldest(oldest, _scratch(environment))
        if choice.browser:
            page = hosts.ensure_frontend(progress, environment)
            tests.append(_on_the_newest_page(page, _scratch(environment)))
    elif choice.frontend:
        page = hosts.ensure_frontend(progress, environment, choice.frontend)
        tests = [Stage(s.name, s.command, settings={FRONTEND: str(page)}) for s in tests]
    progress.say(f"ComfyUI {host.name}:")
    passed = _run_stages(looks, tests, host, progress)
    if not choice.browser:
        progress.say("The browser tests were left out (--no-browser). CI runs them.")
    return passed


def _pytest(scratch: Path) -> list[str]:
    return ["pytest", "-q", f"--override-ini=cache_dir={scratch / 'pytest'}"]


def _stages(choice: Choice, scratch: Path) -> tuple[list[Stage], list[Stage]]:
    """(what is done in no time, all else)."""
    pytest = _pytest(scratch)
    pytest += ["-k", choice.expression] if choice.expression else []
    looks = [
        Stage("style (ruff check)", ["ruff", "check", "."]),
        Stage("layout (ruff format)", ["ruff", "format", "--check", "."]),
        Stage("registry (comfy node validate)", ["installer.registry"]),
        Stage("workflows, forms, hooks, citation (installer.hosted)", ["installer.hosted"]),
    ]
    rooms = {
        "host": ["tests/host", f"--ignore={MATRIX}", f"--ignore={PROOF}"],
        "host's features": [MATRIX],
        "library": ["tests/library"],
        "server": ["tests/server"],
        **({"browser": ["tests/browser"]} if choice.browser else {}),
        "training": ["tests/training"],
        "batch": ["tests/batch"],
        "drawn world": [PROOF],
    }
    if choice.frontend:
        rooms = {"browser": ["tests/browser"]}
    tests = [Stage(f"{room} tests", [*pytest, *places]) for room, places in rooms.items()]
    if not choice.whole:
        return [], tests
    # Every method must really work: what the drawn world's networks draw clears stored bars.
    report = ["proof", "world", "report", "--quick", "--check"]
    types = Stage("types (mypy)", ["mypy", f"--cache-dir={scratch / 'mypy'}"])
    return looks, [types, *tests, Stage("drawn world (proof world report)", report)]


def _on_the_oldest(oldest: Host, scratch: Path) -> list[Stage]:
    """What holds the oldest host we say we run on; `--host oldest` runs all."""
    parity = sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob(PARITY))
    # The page's templates are drawn by the server; what else is there of its tests has little of the host.
    server = ("boot", "features_listed", "keypoints", "locales", "models_page", "old_workflows", "workflows")
    rooms = {
        "numbers": [*parity, "tests/host/pack/test_pack_loads.py", "tests/host/pack/test_symbols.py"],
        "features": [MATRIX, "-m", "each_kind"],
        "server": [f"tests/server/test_{name}.py" for name in server],
    }
    name = f"oldest ComfyUI ({oldest.name}): "
    return [
        Stage(f"{name}{room} tests", [*_pytest(scratch), *places], oldest) for room, places in rooms.items()
    ]


def _on_the_newest_page(page: Path, scratch: Path) -> Stage:
    """Templates and our extensions in the page of later hosts."""
    places = ["tests/browser"]
    return Stage("newest page: browser tests", [*_pytest(scratch), *places], settings={FRONTEND: str(page)})


class _Runner:
    """Runs stages and keeps count; when one has failed, no further one begins."""

    def __init__(self, host: Host, progress: Progress) -> None:
        self._host, self._progress = host, progress
        self._lock = threading.Lock()
        self.passed = self.failed = 0
        self.broken: list[str] = []

    def run(self, stages: Iterator[Stage], shown: bool) -> None:
        """One after the other; several callers may share them.

        shown: output as it comes, else all of a stage's when it ends.
        """
        while stage := self._next(stages):
            self._progress.say(f"{stage.name} ...")
            status, output = _run(stage, stage.host or self._host, shown)
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
