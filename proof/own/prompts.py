"""What is asked for: prompts in groups, and what each asks for beside the person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from likeness.expressions.distance import RATIO_NAMES
from likeness.faces.labels import NAMES

GROUPS = ("plain", "expression", "attribute", "small face", "two people")
FILE = Path(__file__).with_name("prompts.json")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Prompt:
    """text: {who} stands for the person, {left} and {right} for two. expression: proportions of the face by
    name, each between two numbers. attributes: parts of a face, each there (True) or not."""

    name: str
    group: str
    text: str
    expression: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    attributes: Mapping[str, bool] = field(default_factory=dict)

    @property
    def people(self) -> int:
        return 2 if self.group == "two people" else 1

    def said(self, words: Sequence[str]) -> str:
        """The text with what the people are called in it."""
        text = self.text
        for place, word in zip(("{left}", "{right}") if self.people == 2 else ("{who}",), words, strict=True):
            text = text.replace(place, word)  # not str.format: ComfyUI's wildcards have braces, too
        return text


def read(file: Path = FILE) -> list[Prompt]:
    """The prompts of a file. Raises ValueError that names the prompt and what is wrong."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"The prompts {file} can't be read: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file} must hold a list of prompts.")
    made = [_prompt(entry, file) for entry in entries]
    names = [prompt.name for prompt in made]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{file} has several prompts called {name!r}: pictures are kept by that name.")
    return made


def _prompt(entry: Any, file: Path) -> Prompt:
    known = {"name", "group", "text", "expression", "attributes"}
    if not isinstance(entry, dict) or not {"name", "group", "text"} <= set(entry) <= known:
        raise ValueError(
            f"A prompt of {file} has name, group and text, and may have expression and attributes; not "
            f"{entry!r}."
        )
    name, group, text = entry["name"], entry["group"], entry["text"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"The name {name!r} in {file} may hold letters, digits, - and _ only.")
    if group not in GROUPS:
        raise ValueError(f"The prompt {name} is of no group {group!r}. There are: {', '.join(GROUPS)}.")
    for place in ("{left}", "{right}") if group == "two people" else ("{who}",):
        if not isinstance(text, str) or place not in text:
            raise ValueError(f"The text of the prompt {name} needs {place}, where the person is to be named.")
    return Prompt(name, group, text, _expression(entry, name), _attributes(entry, name))


def _expression(entry: Mapping[str, Any], name: str) -> dict[str, tuple[float, float]]:
    made = {}
    for what, between in entry.get("expression", {}).items():
        if what not in RATIO_NAMES:
            raise ValueError(
                f"The prompt {name} asks for the expression {what!r}. There are: {', '.join(RATIO_NAMES)}."
            )
        if not isinstance(between, list) or len(between) != 2 or not between[0] <= between[1]:
            raise ValueError(f"{what!r} of the prompt {name} needs [least, most], not {between!r}.")
        made[what] = float(between[0]), float(between[1])
    return made


def _attributes(entry: Mapping[str, Any], name: str) -> dict[str, bool]:
    asked = entry.get("attributes", {})
    for what, there in asked.items():
        if what not in NAMES or not isinstance(there, bool):
            raise ValueError(
                f"The prompt {name} asks for the attribute {what!r}: {there!r}. It must be true or false, of "
                f"{', '.join(NAMES[1:])}."
            )
    return dict(asked)
