"""Names for files, checked alike on every system."""

from __future__ import annotations

import pytest

from likeness.weights.names import LONGEST, check_prefix


def of(prefix: str) -> str:
    return check_prefix(prefix, "identity", "models/identities")


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        ("anna", "anna"),
        (" anna ", "anna"),
        ("family/anna", "family/anna"),
        ("family\\anna", "family/anna"),
        ("./family/./anna", "family/anna"),
        ("%year%-%month% anna & ben (2)", "%year%-%month% anna & ben (2)"),
        ("Ænna-\u5b89\u5a1c-\u3000x", "Ænna-\u5b89\u5a1c-\u3000x"),
        (".hidden", ".hidden"),
        ("v1.5", "v1.5"),
        ("console/conan", "console/conan"),
        ("a" * LONGEST, "a" * LONGEST),
    ],
)
def test_names_that_every_system_takes(prefix: str, taken: str) -> None:
    assert of(prefix) == taken


@pytest.mark.parametrize("prefix", ["", "  ", "/", "\\", ".", "family/", "family\\ "])
def test_no_name_at_all(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"^filename_prefix is empty: give the identity a name"):
        of(prefix)


@pytest.mark.parametrize("prefix", ["../x", "a/../../x", "..\\x", "/etc/x", "\\\\server\\x", ".."])
def test_ways_out(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"^filename_prefix '.*' leads out of models/identities\. Write a"):
        of(prefix)


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("a:b", r"'a:b' holds ':'\. Leave it out"),
        ("C:/x", r"'C:' holds ':'"),
        ("what?", r"'what\?' holds '\?'"),
        ("a/b*/c", r"'b\*' holds '\*'"),
        ("a\nb", r"holds '\\n'"),
        ("a\0b", r"holds '\\x00'"),
        ("a\ud800", r"holds '\\ud800'"),
        ("anna.", r"'anna\.' ends in a dot, which Windows drops"),
        ("family /anna", r"'family ' ends in a space, which Windows drops"),
        (".../x", r"'\.\.\.' ends in a dot"),
        ("con", r"Windows keeps the name 'con' for a device"),
        ("a/Lpt1.old/b", r"Windows keeps the name 'Lpt1' for a device"),
        ("a" * 300, r"'a{37}\.\.\.' has 300 bytes, and 200 are the most\. Shorten it"),
        ("\u5b89" * 100, r"has 300 bytes"),
    ],
)
def test_names_that_break_a_folder_somewhere(prefix: str, why: str) -> None:
    with pytest.raises(ValueError, match=rf"^filename_prefix .* can't name a file on every system: .*{why}"):
        of(prefix)


def test_the_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"^save_as '\.\./x' leads out of models/pva"):
        check_prefix("../x", "file", "models/pva", "save_as")
