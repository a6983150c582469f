"""The stages of `--test`: what is run, on which ComfyUI and in which page. The longest begin first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .hosts import Host
from .paths import REPOSITORY

#: Of the host's room, which is the largest: stages of their own.
MATRIX, PROOF = "tests/host/test_host_features.py", "tests/host/proof"
#: Tests of every method's numbers.
PARITY = "tests/host/*/test_parity.py"
#: Of the browser's room: what takes long and has no extension of ours in it.
NOT_IN_NEWEST_PAGE = (
    *("test_blueprints.py", "test_help.py", "test_old_workflows.py"),
    "test_templates_modern.py",
)
#: The folder of a page for the browser tests' server, instead of its host's own.
FRONTEND = "LIKENESS_FRONTEND"


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


def _pytest(scratch: Path) -> list[str]:
    return ["pytest", "-q", f"--override-ini=cache_dir={scratch / 'pytest'}"]


def stages(choice: Choice, scratch: Path) -> tuple[list[Stage], list[Stage]]:
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


def on_the_oldest(oldest: Host, scratch: Path) -> list[Stage]:
    """What holds the oldest host we say we run on; `--host oldest` runs all."""
    parity = sorted(path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob(PARITY))
    # The page's templates are drawn by the server; what else is there of its tests has little of the host.
    server = ("boot", "features_listed", "keypoints", "locales", "models_page", "old_workflows", "workflows")
    rooms = {
        "numbers": [*parity, "tests/host/pack/test_pack_loads.py", "tests/host/pack/test_symbols.py"],
        "features": [MATRIX],
        "server": [f"tests/server/test_{name}.py" for name in server],
    }
    name = f"oldest ComfyUI ({oldest.name}): "
    return [
        Stage(f"{name}{room} tests", [*_pytest(scratch), *places], oldest) for room, places in rooms.items()
    ]


def on_the_newest_page(page: Path, scratch: Path) -> Stage:
    """Templates and our extensions in the page of later hosts; `--frontend` runs all."""
    rooms = sorted(path.name for path in (REPOSITORY / "tests" / "browser").glob("test_*.py"))
    places = [f"tests/browser/{name}" for name in rooms if name not in NOT_IN_NEWEST_PAGE]
    return Stage("newest page: browser tests", [*_pytest(scratch), *places], settings={FRONTEND: str(page)})
