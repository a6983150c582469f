"""What GitHub reads is sound, has few rights and pinned actions, and calls scripts that are tried here."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.patience import PATIENCE

from installer import hosted, programs
from installer.output import Progress
from installer.paths import REPOSITORY
from installer.stages import Choice, stages
from tools import hooks, nightly_report, wheels
from tools import hosted as rooms

yaml = pytest.importorskip("yaml")  # of the host's packages

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def jobs(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


# ---- the files


def test_workflows_forms_hooks_and_citation_are_sound() -> None:
    assert hosted.check() == []


def copied(root: Path) -> Path:
    for name in (".github", ".ci", "workflows/examples"):
        shutil.copytree(REPOSITORY / name, root / name)
    for name in ("CITATION.cff", ".pre-commit-config.yaml"):
        shutil.copy(REPOSITORY / name, root / name)
    return root


CI, NIGHTLY, RELEASE = (f".github/workflows/{name}.yml" for name in ("ci", "nightly", "release"))
PIN = "@de0fac2e4500dabe0009e67214ff5f5447ce83dd"


@pytest.mark.parametrize(
    "program, name, old, new, says",
    [
        ("actionlint", CI, "ubuntu-24.04", "ubuntu-24.40", 'label "ubuntu-24.40" is unknown'),
        ("actionlint", RELEASE, '"$GITHUB_REF_NAME"', "$GITHUB_REF_NAME", "SC2086"),
        ("zizmor", CI, PIN, "@v6", "unpinned-uses"),
        ("zizmor", CI, "contents: read", "contents: write", "excessive-permissions"),
        ("zizmor", NIGHTLY, '"$RUN"', "${{ github.head_ref }}", "template-injection"),
        ("check-jsonschema", CI, "    timeout-minutes: 30\n", "", "timeout-minutes"),
        ("check-jsonschema", ".github/ISSUE_TEMPLATE/bug.yml", "type: textarea", "type: field", "field"),
        ("check-jsonschema", "CITATION.cff", "type: software", "type: softwares", "softwares"),
        ("pre-commit", ".pre-commit-config.yaml", "      - id: style\n        name", "      - name", "id"),
        ("shellcheck", ".ci/run", '"$(dirname "$0")/.."', "$1", "SC2086"),
    ],
)
def test_each_of_the_checks_can_fail(
    program: str, name: str, old: str, new: str, says: str, tmp_path: Path
) -> None:
    root = copied(tmp_path)
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), encoding="utf-8")
    assert says in "\n".join(hosted.check(root, program))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_whose_version_is_said(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # (v\d+\.\d+\.\d+|main)", comment), f"{action}{comment}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_few_and_no_checkout_keeps_the_token(path: Path) -> None:
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert whole["permissions"] in ({}, {"contents": "read"})
    may_write = {
        (name, right)
        for name, job in whole["jobs"].items()
        for right, level in job.get("permissions", {}).items()
        if level == "write"
    }
    allowed = {("master", "issues"), ("release", "contents"), ("publish", "issues")}
    assert may_write <= allowed
    for step in steps(path):
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        assert "secrets." not in str(step.get("run", "")) + str(step.get("env", ""))


def test_every_system_meets_every_python() -> None:
    matrix = jobs(REPOSITORY / ".github" / "workflows" / "ci.yml")["systems"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert [name.split("-")[0] for name in matrix["system"]] == ["ubuntu", "windows", "macos"]


def test_the_modules_that_jobs_call_are_there() -> None:
    called = {
        name
        for path in WORKFLOWS
        for step in steps(path)
        for name in re.findall(r"-m (\S+)", str(step.get("run")))
    }
    assert called == {"tools.hosted", "tools.wheels", "tools.nightly_report", "tools.release"}
    for name in called:
        assert (REPOSITORY / (name.replace(".", "/") + ".py")).is_file()


def test_rooms_are_places_of_tests() -> None:
    for places in rooms.ROOMS.values():
        for place in places:
            assert not place.startswith("tests/") or (REPOSITORY / place).exists(), place
    assert rooms.main(["cellar"]) == 2 and rooms.main([]) == 2


def test_hooks_run_what_the_checks_run(tmp_path: Path) -> None:
    """By the names in .pre-commit-config.yaml, in the checks' environment."""
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = {hook["id"]: hook["entry"] for repo in config["repos"] for hook in repo["hooks"]}
    assert entries == {name: f"python -m tools.hooks {name}" for name in hooks.CHECKS}
    looks, _ = stages(Choice(), tmp_path)
    for name in ("style", "layout", "hosted"):
        assert hooks.CHECKS[name] in [stage.command for stage in looks], name


def test_a_hook_of_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert hooks.main(["typos"]) == 1
    said = capsys.readouterr().out
    assert "typos is none of the checks: style" in said or "not made yet" in said


# ---- the nightly report, with a program gh that notes what it is asked

_GH = """#!{python}
import json, sys
with open({log!r}, "a") as log:
    print(json.dumps([sys.argv[1:], sys.stdin.read()]), file=log)
if sys.argv[1:3] == ["issue", "list"]:
    print({listed!r})
elif sys.argv[1] == "issue":
    print("https://example.com/issues/7")
sys.exit({status} if sys.argv[1:3] == ["issue", "create"] else 0)
"""


def reported(
    folder: Path, log: str, listed: str = "[]", status: int = 0
) -> tuple[subprocess.CompletedProcess, list[tuple[list[str], str]]]:
    """How the command ended, and what gh was asked with which text."""
    asked = folder / "asked"
    program = folder / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(_GH.format(python=sys.executable, log=str(asked), listed=listed, status=status))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "nightly.log").write_text(log, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tools.nightly_report", str(folder / "nightly.log")),
            *("--host", str(folder), "--run", "https://example.com/runs/1"),
        ],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"},
        timeout=PATIENCE,
    )
    calls = [json.loads(line) for line in asked.read_text(encoding="utf-8").splitlines()]
    return done, [(call[0], call[1]) for call in calls]


LOG = "\n".join([*("." * 70 for _ in range(100)), "FAILED tests/host/a.py::test_b - assert", "1 failed"])

posix = pytest.mark.skipif(sys.platform == "win32", reason="The program gh of this test is a script")


@posix
def test_a_failed_night_opens_an_issue(tmp_path: Path) -> None:
    done, asked = reported(tmp_path, LOG)
    assert done.returncode == 0 and done.stdout.strip() == "https://example.com/issues/7", done.stderr
    arguments, text = asked[-1]
    assert arguments[:4] == ["issue", "create", "--title", nightly_report.TITLE]
    assert "FAILED tests/host/a.py::test_b - assert" in text and "https://example.com/runs/1" in text


@posix
def test_the_next_failed_night_is_a_comment(tmp_path: Path) -> None:
    listed = json.dumps([{"number": 3, "title": "Another"}, {"number": 7, "title": nightly_report.TITLE}])
    done, asked = reported(tmp_path, LOG, listed)
    assert done.returncode == 0 and asked[-1][0][:3] == ["issue", "comment", "7"]


@posix
def test_a_night_that_cannot_be_reported_fails(tmp_path: Path) -> None:
    done, _ = reported(tmp_path, LOG, status=4)
    assert done.returncode == 1 and "gh issue create" in done.stderr and "Traceback" not in done.stderr


def test_the_report_stays_within_what_an_issue_takes() -> None:
    many = "\n".join(f"FAILED tests/{'x' * 900}.py::test_{n}" for n in range(500))
    text = nightly_report.body(many, "abc of 2026-11-30", "https://example.com/runs/1")
    assert len(text) < 50_000 and text.count("````") >= 2
    assert "No test is named as failed" in nightly_report.body("", "abc", "https://example.com")


# ---- wheels


def test_a_package_without_wheels_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolved without a network: the folder of packages is empty."""
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    place = programs.ensure_programs(Progress())
    assert "no-such-package" in wheels.missing(place, ["no-such-package==1.0"], "3.14", "Windows")
    assert wheels.missing(place, [], "3.14", "macOS") == ""
