"""A release from beginning to tag, in a git repository of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.patience import PATIENCE

from installer.paths import REPOSITORY
from tools import changelog, node_contract, release
from tools.contract_changes import BREAKING, COMPATIBLE, Change

FILES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md", release.CONTRACT)


def git(root: Path, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True, timeout=PATIENCE)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a release, as they are now."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    git(tmp_path, "init", "-q")
    return tmp_path


def tagged(root: Path, version: str) -> None:
    """That version, released."""
    release.begin(version, root)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", version)
    git(root, "tag", f"v{version}")


def noted(root: Path, line: str = "- A thing.") -> None:
    """Something new in the changelog."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    text = text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n### Added\n\n{line}\n", 1)
    (root / "CHANGELOG.md").write_text(text, encoding="utf-8")


def changed(root: Path, change: Any) -> None:
    """The contract, after change(nodes)."""
    nodes = node_contract.load(root / release.CONTRACT)
    change(nodes)
    (root / release.CONTRACT).write_text(node_contract.text(nodes), encoding="utf-8")


def test_a_release_is_begun_and_passes_its_check(root: Path) -> None:
    before = node_contract.load(root / release.CONTRACT)
    tagged(root, "1.0.0")
    assert release.check("v1.0.0", root) == []
    assert set(release.versions(root).values()) == {"1.0.0"}
    contract = node_contract.load(root / release.CONTRACT)
    since = {part["since"] for node in contract.values() for part in (node, *node["inputs"])}
    assert node_contract.UNRELEASED not in since and before.keys() == contract.keys()
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert citation.count("date-released: ") == 1
    section = changelog.section((root / "CHANGELOG.md").read_text(encoding="utf-8"), "1.0.0")
    assert section.groups and section.day is not None
    noted(root)
    release.begin("1.0.1", root)
    assert (root / "CITATION.cff").read_text(encoding="utf-8").count("date-released: ") == 1


def test_a_tag_that_says_something_else_is_refused(root: Path) -> None:
    assert release.check("v9.9.9", root) == ["CHANGELOG.md has no section [9.9.9]."]
    assert release.check("nightly", root)[0].startswith("'nightly' is no version")
    tagged(root, "1.0.0")
    project = root / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace('"1.0.0"', '"1.0.1"'), encoding="utf-8")
    assert release.check("v1.0.0", root) == ["pyproject.toml says 1.0.1"]


def test_what_is_called_unreleased_is_no_release(root: Path) -> None:
    tagged(root, "1.0.0")
    changed(root, lambda nodes: next(iter(nodes.values())).update(since=node_contract.UNRELEASED))
    (wrong,) = release.check("v1.0.0", root)
    assert "has what is called unreleased: run `python -m tools.release begin 1.0.0`" in wrong


def break_one(nodes: dict[str, Any]) -> None:
    del nodes["LikenessApplyInstantID"]["inputs"][-1]


def add_one(nodes: dict[str, Any]) -> None:
    nodes["LikenessNew"] = nodes["LikenessApplyInstantID"]


@pytest.mark.parametrize(
    "change, version, says",
    [
        (add_one, "1.1.0", ""),
        (add_one, "1.0.1", "LikenessNew: is new. A minor release may do this."),
        (break_one, "2.0.0", ""),
        (break_one, "1.1.0", "A minor release may not do this"),
        (break_one, "1.0.1", "A minor release may not do this"),
        (lambda nodes: None, "1.0.1", ""),
    ],
    ids=["new", "new in a patch", "broken in a major", "broken in a minor", "broken in a patch", "mended"],
)
def test_the_nodes_of_the_release_before_say_what_may_change(
    root: Path, change: Any, version: str, says: str
) -> None:
    tagged(root, "1.0.0")
    changed(root, change)
    noted(root)
    tagged(root, version)
    wrong = release.check(f"v{version}", root)
    assert (says in "".join(wrong)) and bool(wrong) == bool(says)


def test_before_the_first_a_minor_may_break() -> None:
    found = [Change("LikenessX", "is gone.", BREAKING), Change("LikenessX", "is new.", COMPATIBLE)]
    assert release.refused((0, 1, 0), (0, 2, 0), found) == []
    assert len(release.refused((0, 1, 0), (0, 1, 1), found)) == 2
    assert release.refused((0, 9, 0), (1, 0, 0), found) == []
    assert len(release.refused((1, 0, 0), (1, 1, 0), found)) == 1


def test_nothing_is_written_when_a_release_cannot_begin(root: Path) -> None:
    before = {name: (root / name).read_bytes() for name in FILES}
    for version, says in (("0.0.1", "is older than"), ("1.0", "is no version")):
        with pytest.raises(ValueError, match=says):
            release.begin(version, root)
    assert {name: (root / name).read_bytes() for name in FILES} == before


def test_the_command_prints_the_notes_and_refuses_a_wrong_tag() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "tools.release", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=PATIENCE)

    notes = run("notes", "Unreleased")
    assert notes.returncode == 0 and notes.stdout.startswith("### ")
    wrong = run("check", "v9.9.9")
    assert wrong.returncode == 1 and "v9.9.9: CHANGELOG.md has no section [9.9.9]." in wrong.stderr


def test_versions_agree_with_each_other() -> None:
    assert len(set(release.versions().values())) == 1
    assert json.loads((REPOSITORY / release.CONTRACT).read_text(encoding="utf-8"))["format"] == 1
