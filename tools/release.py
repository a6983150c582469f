"""A release: `begin` writes what is committed and tagged, `check` asks about the tag, `notes` are its page.

python -m tools.release begin 1.2.3     CHANGELOG, pyproject.toml, CITATION.cff and the contract of the nodes
python -m tools.release check v1.2.3    does the tag hold what it says, and may a release of that kind?
python -m tools.release notes v1.2.3    its section of the CHANGELOG
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from installer.paths import REPOSITORY

from . import changelog, node_contract
from .contract_changes import BREAKING, COMPATIBLE, Change, changes

CONTRACT = node_contract.STORE.relative_to(REPOSITORY).as_posix()
#: Where a version stands: the file, and what is around it.
_VERSIONS = {
    "pyproject.toml": re.compile(r'^(version = ")([^"]+)(")$', re.MULTILINE),
    "CITATION.cff": re.compile(r"^(version: )(\S+)()$", re.MULTILINE),
}
_DAY = re.compile(r"^date-released: .*\n", re.MULTILINE)
_REPOSITORY = re.compile(r'^Repository = "([^"]+)"$', re.MULTILINE)


def begin(version: str, root: Path = REPOSITORY) -> None:
    """Write that version everywhere, for a commit. Raises ValueError, and then nothing is written."""
    before = versions(root)["pyproject.toml"]
    if changelog.numbers(version) < changelog.numbers(before):
        raise ValueError(f"{version} is older than {before}, which is there.")
    today = datetime.now(timezone.utc).date()
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = _REPOSITORY.search(project)
    if not found:
        raise ValueError("pyproject.toml names no Repository.")
    written = {
        "CHANGELOG.md": changelog.released(
            (root / "CHANGELOG.md").read_text(encoding="utf-8"), version, today, found[1]
        ),
        CONTRACT: node_contract.text(_with_version(node_contract.load(root / CONTRACT), version)),
    }
    for name, pattern in _VERSIONS.items():
        day = f"\ndate-released: {today.isoformat()}" if name == "CITATION.cff" else ""
        text = _DAY.sub("", (root / name).read_text(encoding="utf-8"))
        written[name] = pattern.sub(rf"\g<1>{version}\g<3>{day}", text)
    for name, text in written.items():
        (root / name).write_text(text, encoding="utf-8", newline="\n")


def _with_version(contract: node_contract.Contract, version: str) -> node_contract.Contract:
    for node in contract.values():
        for part in (node, *node["inputs"]):
            if part["since"] == node_contract.UNRELEASED:
                part["since"] = version
    return contract


def versions(root: Path = REPOSITORY) -> dict[str, str]:
    """The version that each file has. Raises ValueError."""
    found = {}
    for name, pattern in _VERSIONS.items():
        match = pattern.search((root / name).read_text(encoding="utf-8"))
        if not match:
            raise ValueError(f"{name} has no version.")
        found[name] = match[2]
    return found


def check(tag: str, root: Path = REPOSITORY) -> list[str]:
    """What keeps the tag from being a release; empty when nothing does."""
    version = tag.removeprefix("v")
    try:
        changelog.numbers(version)
        wrong = [f"{name} says {found}" for name, found in versions(root).items() if found != version]
        text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
        if not changelog.section(text, version).groups:
            wrong.append(f"the section [{version}] of CHANGELOG.md is empty")
        latest = next(one.name for one in changelog.parse(text) if one.day is not None)
        if latest != version:
            wrong.append(f"CHANGELOG.md has {latest} above it")
    except ValueError as error:
        return [str(error)]
    contract = node_contract.load(root / CONTRACT)
    parts = [part for node in contract.values() for part in (node, *node["inputs"])]
    if any(part["since"] == node_contract.UNRELEASED for part in parts):
        wrong.append(
            f"{CONTRACT} has what is called unreleased: run `python -m tools.release begin {version}`"
        )
    return wrong + _too_much(version, contract, root)


def _too_much(version: str, contract: node_contract.Contract, root: Path) -> list[str]:
    """What changed in the nodes that a release of this kind may not bring."""
    older = [tag for tag in _tags(root) if changelog.numbers(tag[1:]) < changelog.numbers(version)]
    if not older:
        return []
    last = max(older, key=lambda tag: changelog.numbers(tag[1:]))
    stored = json.loads(_git(root, "show", f"{last}:{CONTRACT}") or "{}").get("nodes", {})
    return refused(changelog.numbers(last[1:]), changelog.numbers(version), changes(stored, contract))


def refused(last: tuple[int, int, int], this: tuple[int, int, int], found: list[Change]) -> list[str]:
    """Which changes a release after `last` may not bring as `this`. Before 1.0.0 a minor may bring all."""
    if this[0] > last[0] or (this[0] == 0 and this[1] > last[1]):
        return []
    allowed = {BREAKING: False, COMPATIBLE: this[1] > last[1]}
    return [str(change) for change in found if not allowed.get(change.level, True)]


def _tags(root: Path) -> list[str]:
    listed = _git(root, "tag", "--list", "v*").split()
    return [tag for tag in listed if changelog.VERSION.fullmatch(tag[1:])]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("begin", "check", "notes"))
    parser.add_argument("version", metavar="VERSION", help="1.2.3 or v1.2.3")
    chosen = parser.parse_args(arguments)
    version = chosen.version.removeprefix("v")
    try:
        if chosen.what == "begin":
            begin(version)
            print(f"Written. Next: commit, tag v{version}, push both.")
            return 0
        if chosen.what == "notes":
            text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
            print(changelog.section(text, version).text)
            return 0
        wrong = check(chosen.version)
    except ValueError as error:
        wrong = [str(error)]
    for line in wrong:
        print(f"{chosen.version}: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
