"""Reads CHANGELOG.md, which has the form of Keep a Changelog 1.1.0, and makes a release's section of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
UNRELEASED = "Unreleased"
GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_HEADING = re.compile(r"## \[(?P<name>[^\]]+)\](?: - (?P<day>\S+))?")
_LINK = re.compile(r"\[(?P<name>[^\]]+)\]: (?P<url>https://\S+)")


@dataclass
class Section:
    """day: of the release, None of what is not released. groups: the lines of each, without their dash."""

    name: str
    day: date | None
    groups: dict[str, list[str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The section without its heading, as Markdown."""
        return "\n\n".join(
            f"### {group}\n\n" + "\n".join(f"- {line}" for line in lines)
            for group, lines in self.groups.items()
        )


def numbers(version: str) -> tuple[int, int, int]:
    """Of `1.2.3`. Raises ValueError."""
    found = VERSION.fullmatch(version)
    if not found:
        raise ValueError(f"{version!r} is no version: three numbers with dots between them, such as 1.2.3.")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def parse(text: str) -> list[Section]:
    """The sections, the newest first. Raises ValueError with the line that is not of the form."""
    sections: list[Section] = []
    links: set[str] = set()
    group: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        link = _LINK.fullmatch(line)
        if link:
            links.add(link["name"])
        elif line.startswith("## "):
            sections.append(_section(line, number, sections))
            group = None
        elif line.startswith("### "):
            group = _group(line, number, sections)
        elif sections and line.startswith("- ") and group is not None:
            group.append(line.removeprefix("- "))
        elif sections and line.startswith("  ") and group:
            group[-1] += "\n" + line
        elif sections and line:
            raise ValueError(f"Line {number} of the changelog belongs to no group: {line!r}")
    _check(text, sections, links)
    return sections


def _section(line: str, number: int, before: list[Section]) -> Section:
    heading = _HEADING.fullmatch(line)
    if not heading:
        raise ValueError(f"Line {number} of the changelog: {line!r} is not '## [1.2.3] - 2026-12-31'.")
    name, day = heading["name"], heading["day"]
    if name == UNRELEASED:
        if before or day:
            raise ValueError(f"Line {number} of the changelog: {UNRELEASED} stands first, and has no day.")
        return Section(name, None)
    numbers(name)
    try:
        section = Section(name, date.fromisoformat(day or ""))
    except ValueError as error:
        raise ValueError(f"Line {number} of the changelog: {name} needs its day: 2026-12-31.") from error
    older = [one for one in before if one.day is not None]
    if older and numbers(name) >= numbers(older[-1].name):
        raise ValueError(f"Line {number} of the changelog: {name} does not come before {older[-1].name}.")
    return section


def _group(line: str, number: int, sections: list[Section]) -> list[str]:
    name = line.removeprefix("### ")
    if name not in GROUPS:
        raise ValueError(f"Line {number} of the changelog: {name!r} is none of {', '.join(GROUPS)}.")
    if not sections or name in sections[-1].groups:
        raise ValueError(f"Line {number} of the changelog: {name} stands there twice, or before any version.")
    return sections[-1].groups.setdefault(name, [])


def _check(text: str, sections: list[Section], links: set[str]) -> None:
    if not text.startswith("# Changelog\n"):
        raise ValueError("The changelog does not begin with '# Changelog'.")
    if not sections or sections[0].name != UNRELEASED:
        raise ValueError(f"The changelog has no '## [{UNRELEASED}]', first.")
    for section in sections:
        for name, lines in section.groups.items():
            if not lines:
                raise ValueError(f"{name} of {section.name} is empty: leave it out.")
    missing = [section.name for section in sections if section.name not in links]
    if missing:
        raise ValueError(f"The changelog ends without the link of {', '.join(missing)}.")


def released(text: str, version: str, day: date, repository: str) -> str:
    """The changelog with what is unreleased under that version. Raises ValueError where there is nothing."""
    sections = parse(text)
    if not sections[0].groups:
        raise ValueError("Nothing is unreleased: there is nothing to release.")
    if any(section.name == version for section in sections):
        raise ValueError(f"{version} is released already.")
    text = text.replace(
        f"## [{UNRELEASED}]\n", f"## [{UNRELEASED}]\n\n## [{version}] - {day.isoformat()}\n", 1
    )
    links = f"[{UNRELEASED}]: {repository}/compare/v{version}...main\n"
    links += f"[{version}]: {repository}/releases/tag/v{version}\n"
    text = re.sub(rf"^\[{UNRELEASED}\]: .*\n", links, text, flags=re.MULTILINE)
    parse(text)
    return text


def section(text: str, version: str) -> Section:
    """That release's. Raises ValueError."""
    for one in parse(text):
        if one.name == version:
            return one
    raise ValueError(f"CHANGELOG.md has no section [{version}].")
