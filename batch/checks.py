"""The whole table against what a booted host says it takes, before anything is drawn."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from .answers import kind_of
from .digests import file_sha256
from .graph import WorkflowError, locate, node_names, settable
from .inputs import Spec, ValueFault, spec_of
from .values import Prompt, Row

Info = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """row: its number, 0 for the workflow itself. column: "Title.input", "" where it is about none."""

    row: int
    column: str
    sentence: str

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row else "the workflow"
        return f"{place}, {self.column}: {self.sentence}" if self.column else f"{place}: {self.sentence}"


@dataclass(frozen=True)
class InputFile:
    """A file of a row. name: what it is called in a host's input folder, by what is in it."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        return self.sha256[:32] + Path(self.path).suffix.lower()


@dataclass(frozen=True)
class Checked:
    """A row whose values are as the host takes them; those that name files hold the file."""

    number: int
    values: Mapping[str, Any]

    @property
    def files(self) -> dict[str, InputFile]:
        return {column: value for column, value in self.values.items() if isinstance(value, InputFile)}

    def settings(self) -> dict[str, Any]:
        """The values as they go into the prompt."""
        return {c: v.name if isinstance(v, InputFile) else v for c, v in self.values.items()}

    def contents(self) -> dict[str, Any]:
        """The values with files by what is in them, as they go into the key."""
        return {
            c: [v.sha256, Path(v.path).suffix.lower()] if isinstance(v, InputFile) else v
            for c, v in self.values.items()
        }


class Checker:
    """folder: where relative paths of the table begin. inputs: where the workflow's own files may lie."""

    def __init__(self, prompt: Prompt, info: Info, folder: Path, inputs: Sequence[Path] = ()) -> None:
        self._prompt, self._info = prompt, info
        self._folder, self._inputs = folder, inputs
        self._names = node_names(prompt)
        self._specs: dict[str, Spec | str | None] = {}
        self._files: dict[str, InputFile | str] = {}

    def workflow(self, rows: Sequence[Row] = ()) -> tuple[dict[str, InputFile], list[Fault]]:
        """(the workflow's own files by column, faults of what it says by itself).

        Inputs that every one of the rows sets are not looked at: their values are only examples.
        """
        faults: list[Fault] = []
        files: dict[str, InputFile] = {}
        set_by_all = set.intersection(*(set(row.values) for row in rows)) if rows else set()
        for node, values in self._prompt.items():
            title, class_type = self._names[node], str(values["class_type"])
            if class_type not in self._info:
                words = f"the host has no node {class_type!r} ({title!r}). Install its pack, or leave it out."
                faults.append(Fault(0, "", words))
                continue
            faults += self._absent(node, title)
            for name, value in settable(values["inputs"]).items():
                column = f"{title}.{name}"
                if column in set_by_all:
                    continue
                try:
                    found = self._value(spec_of(self._info, class_type, name), value, self._inputs)
                    if isinstance(found, InputFile):
                        files[column] = found
                except ValueFault as error:
                    faults.append(Fault(0, column, str(error)))
        if not faults and not any(
            self._info[n["class_type"]].get("output_node") for n in self._prompt.values()
        ):
            faults.append(Fault(0, "", "it saves nothing. Add a node such as Save Image."))
        return files, faults

    def rows(self, rows: Iterable[Row]) -> tuple[list[Checked], list[Fault]]:
        """(rows without a fault, the faults of all others)."""
        good: list[Checked] = []
        faults: list[Fault] = []
        for row in rows:
            before, values = len(faults), {}
            for column, given in row.values.items():
                spec = self._spec(column)
                try:
                    if isinstance(spec, str):
                        raise ValueFault(spec)
                    values[column] = self._value(spec, given, [self._folder])
                except ValueFault as error:
                    faults.append(Fault(row.number, column, str(error)))
            if len(faults) == before:
                good.append(Checked(row.number, values))
        return good, faults

    def seeds(self) -> dict[str, Spec]:
        """The inputs that take a seed: column -> what it takes.

        Those that are called one, and a number of its own node that goes into nothing else. That a page
        counts a number up by itself makes it no seed: a width can be such a number.
        """
        found = {}
        for node, values in self._prompt.items():
            for name in settable(values["inputs"]):
                spec = spec_of(self._info, values["class_type"], name)
                if spec is not None and spec.kind == "INT" and (_seed(name) or self._feeds_seeds(node)):
                    found[f"{self._names[node]}.{name}"] = spec
        return found

    def _feeds_seeds(self, node: str) -> bool:
        """Whether a node does nothing but give a number to inputs that take a seed."""
        if len(self._prompt[node]["inputs"]) != 1:
            return False
        fed = [
            name
            for other in self._prompt.values()
            for name, value in other["inputs"].items()
            if isinstance(value, list) and value and str(value[0]) == node
        ]
        return bool(fed) and all(map(_seed, fed))

    def _absent(self, node: str, title: str) -> list[Fault]:
        """Required inputs that the workflow doesn't have at all."""
        values = self._prompt[node]
        required = self._info[values["class_type"]].get("input", {}).get("required", {})
        # The choices of some inputs bring inputs of their own, called CHOICE.NAME.
        there = {name.split(".")[0] for name in values["inputs"]}
        return [
            Fault(0, f"{title}.{name}", "the node needs it, and the workflow has nothing there.")
            for name in required
            if name not in there
        ]

    def _spec(self, column: str) -> Spec | str | None:
        """What a column takes, or the sentence why there is no such input."""
        if column not in self._specs:
            try:
                node, name = locate(self._prompt, column)
                class_type = self._prompt[node]["class_type"]
                self._specs[column] = (
                    spec_of(self._info, class_type, name) if class_type in self._info else None
                )
            except WorkflowError as error:
                self._specs[column] = str(error)
        return self._specs[column]

    def _value(self, spec: Spec | None, given: Any, folders: Sequence[Path]) -> Any:
        if spec is None:
            return given  # the host itself will say
        if not spec.takes_file:
            return spec.value(given)
        if not isinstance(given, str):
            raise ValueFault(f"it takes the path of a file, not {given!r}.")
        found = self._file(given, folders)
        if isinstance(found, str):
            raise ValueFault(found)
        return found

    def _file(self, given: str, folders: Sequence[Path]) -> InputFile | str:
        """The file, or a sentence. Each is read once."""
        # The page marks files of its input folder, such as those with a mask drawn on them.
        named = os.path.expanduser(given.removesuffix(" [input]"))
        path = next((folder / named for folder in folders if os.path.isfile(folder / named)), None)
        if path is None:
            return f"there is no file {given!r} (looked in {', '.join(str(f) for f in folders)})."
        key = str(path.resolve())
        if key not in self._files:
            self._files[key] = _read(path, key)
        return self._files[key]


def _seed(name: str) -> bool:
    return name == "seed" or name.endswith("_seed")


def _read(path: Path, key: str) -> InputFile | str:
    try:
        if kind_of(path.name) == "image":
            with Image.open(path):
                pass  # its head is right; the host decodes the rest
        return InputFile(key, file_sha256(path))
    except UnidentifiedImageError:
        return f"{path.name!r} is no picture that can be read."
    except OSError as error:
        return f"{path.name!r} can't be read: {error.strerror or error}."
