"""Pairs, prefixes with lists in braces, and the file of a direction. Spec: conditioning.md 1.2, 1.3."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from likeness.methods.attributes.recipe import Pair, prompt, read_pairs, read_prefixes
from likeness.methods.attributes.write import write


def test_a_pair_names_its_subject_by_what_both_end_with() -> None:
    text = "# age\nold man | young man\n\n very  old tall man| young tall man \na hat on | no hat | hat"
    assert read_pairs(text) == (
        Pair("old man", "young man", "man"),
        Pair("very old tall man", "young tall man", "tall man"),
        Pair("a hat on", "no hat", "hat"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no pair"),
        ("old man", "'old man' is no pair"),
        ("a | b | c | d", "is no pair"),
        ("old man | ", "is no pair"),
        ("with hat | bald", "end with different words"),
        ("man | man", "both phrases of 'man | man' are the same"),
    ],
)
def test_what_is_no_pair_is_said(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("|", r"\|")):
        read_pairs(text)


def test_braces_are_every_combination() -> None:
    found = read_prefixes("{a photo of,a painting of,} a {,beautiful}\nthe")
    assert found == (
        *("a photo of a", "a photo of a beautiful", "a painting of a", "a painting of a beautiful"),
        *("a", "a beautiful", "the"),
    )
    assert read_prefixes("  \n") == ("",) and read_prefixes("{}") == ("",)
    assert prompt("", "man") == "man" and prompt("a", "man") == "a man"


@pytest.mark.parametrize("text", ["a {photo", "a photo}", "a {photo {of,in},x}"])
def test_braces_that_do_not_close_are_said(text: str) -> None:
    with pytest.raises(ValueError, match="do not close"):
        read_prefixes(text)


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    vector = torch.arange(3.0)
    write(tmp_path / "age.safetensors", "age", {"clip_l": vector}, "learned", "toy", layer="last")
    with safe_open(tmp_path / "age.safetensors", "pt") as file:
        facts, keys = file.metadata(), list(file.keys())
        assert torch.equal(file.get_tensor("age.clip_l"), vector)
    assert keys == ["age.clip_l"] and facts["format"] == "likeness-attribute-deltas/1"
    assert (facts["names"], facts["kind"], facts["base_model"], facts["layer"]) == (
        *("age", "learned", "toy", "last"),
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": "a,b"}, "is no attribute's name"),
        ({"kind": "found"}, "kind must be one of"),
        ({"vectors": {}}, "needs a vector of clip_l or clip_g"),
        ({"vectors": {"t5": torch.zeros(2)}}, "needs a vector of clip_l or clip_g"),
        ({"vectors": {"clip_l": torch.tensor([float("nan")])}}, "NaN"),
    ],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, changed: dict, sentence: str) -> None:
    given = {"name": "age", "vectors": {"clip_l": torch.zeros(2)}, "kind": "learned", **changed}
    with pytest.raises(ValueError, match=sentence):
        write(tmp_path / "x.safetensors", **given)
    assert not list(tmp_path.iterdir())
