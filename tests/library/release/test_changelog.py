"""CHANGELOG.md has the form of Keep a Changelog, and a release takes its section."""

from __future__ import annotations

from datetime import date

import pytest

from tools import changelog

TEXT = """# Changelog

What users notice.

## [Unreleased]

### Added
- One thing,
  on two lines.
- Another.

### Fixed
- A fault.

## [1.1.0] - 2026-11-02

### Added
- A node.

## [1.0.0] - 2026-10-01

### Removed
- Nothing else.

[Unreleased]: https://example.com/compare/v1.1.0...main
[1.1.0]: https://example.com/releases/tag/v1.1.0
[1.0.0]: https://example.com/releases/tag/v1.0.0
"""


def test_ours_is_of_the_form() -> None:
    sections = changelog.parse(changelog.FILE.read_text(encoding="utf-8"))
    assert sections[0].name == changelog.UNRELEASED


def test_sections_groups_and_lines_are_read() -> None:
    unreleased, second, first = changelog.parse(TEXT)
    assert unreleased.day is None and second.day == date(2026, 11, 2) and first.name == "1.0.0"
    assert unreleased.groups == {"Added": ["One thing,\n  on two lines.", "Another."], "Fixed": ["A fault."]}
    assert changelog.section(TEXT, "1.1.0").text == "### Added\n\n- A node."
    assert changelog.parse(
        f"# Changelog\n\n## [Unreleased]\n\n{unreleased.text}\n\n[Unreleased]: https://e.x\n"
    )[0].groups == (unreleased.groups)


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("# Changelog", "# Changes", "does not begin with '# Changelog'"),
        ("## [Unreleased]", "## Unreleased", "is not '## \\[1.2.3\\] - 2026-12-31'"),
        ("## [Unreleased]\n", "## [2.0.0] - 2026-12-01\n", "has no '## \\[Unreleased\\]', first"),
        ("### Fixed", "### Mended", "'Mended' is none of Added, Changed"),
        ("### Fixed", "### Added", "Added stands there twice"),
        ("- A fault.\n", "", "Fixed of Unreleased is empty"),
        ("- A fault.", "A fault.", "Line 13 of the changelog belongs to no group: 'A fault.'"),
        ("[1.1.0] - 2026-11-02", "[1.1.0]", "1.1.0 needs its day"),
        ("[1.1.0] - 2026-11-02", "[1.1.0] - 2.11.2026", "1.1.0 needs its day"),
        ("[1.1.0] - 2026-11-02", "[1.1] - 2026-11-02", "'1.1' is no version"),
        ("[1.1.0] - 2026-11-02", "[01.1.0] - 2026-11-02", "'01.1.0' is no version"),
        ("[1.0.0] - 2026-10-01", "[1.2.0] - 2026-10-01", "1.2.0 does not come before 1.1.0"),
        ("[1.0.0]: https", "[1.0.1]: https", "ends without the link of 1.0.0"),
    ],
)
def test_what_is_not_of_the_form_is_told(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=says):
        changelog.parse(TEXT.replace(old, new, 1))


def test_a_release_takes_what_is_unreleased() -> None:
    text = changelog.released(TEXT, "1.2.0", date(2026, 12, 1), "https://example.com")
    unreleased, new, *_ = changelog.parse(text)
    assert unreleased.groups == {} and new.name == "1.2.0" and new.day == date(2026, 12, 1)
    assert new.groups == changelog.parse(TEXT)[0].groups
    assert "[Unreleased]: https://example.com/compare/v1.2.0...main\n" in text
    assert "[1.2.0]: https://example.com/releases/tag/v1.2.0\n" in text
    with pytest.raises(ValueError, match="there is nothing to release"):
        changelog.released(text, "1.3.0", date(2026, 12, 2), "https://example.com")
    with pytest.raises(ValueError, match=r"1\.1\.0 is released already"):
        changelog.released(TEXT, "1.1.0", date(2026, 12, 2), "https://example.com")
    with pytest.raises(ValueError, match=r"does not come before|released"):
        changelog.released(TEXT, "1.0.5", date(2026, 12, 2), "https://example.com")
    with pytest.raises(ValueError, match=r"no section \[9\.9\.9\]"):
        changelog.section(TEXT, "9.9.9")
