"""A table that was checked, as jobs: their keys, seeds, prompts, files and order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checks import Checked, InputFile
from .graph import set_inputs
from .inputs import Spec
from .keys import digest, row_key, seed
from .ledger import Record, Source
from .models import Models
from .values import Job, Prompt, Row, WorldError


class FileChanged(ValueError):
    """A row's file is not there any more, or not what it was when the table was checked."""


@dataclass(frozen=True)
class Place:
    """A row with its key, and the models it names, by which rows are grouped."""

    checked: Checked
    key: str
    models: tuple[str, ...]


class Plan:
    """prompt: the workflow. own: its own files by column. seeds: the inputs that take a seed.

    models: sha256 by name. versions: of the pack and the host.
    """

    def __init__(
        self,
        prompt: Prompt,
        rows: Sequence[Checked],
        own: Mapping[str, InputFile],
        seeds: Mapping[str, Spec],
        repeats: int,
        models: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> None:
        self.prompt = set_inputs(prompt, {column: file.name for column, file in own.items()})
        self.workflow = digest(self.prompt)
        self.repeats = repeats
        self._own, self._seeds = own, seeds
        self._models, self._versions = models, versions
        self.places: dict[str, Place] = {}
        self._fill(rows)

    def _fill(self, rows: Sequence[Checked]) -> None:
        same: Counter[str] = Counter()
        models = Models(self.prompt)
        for row in rows:
            used = models.of(row)
            hashes = {name: self._models.get(name, "") for name in used}
            first = row_key(self.workflow, row.contents(), hashes, self._versions)
            nth = same[first]
            same[first] += 1
            key = row_key(self.workflow, row.contents(), hashes, self._versions, nth) if nth else first
            self.places[key] = Place(row, key, used)

    @property
    def models(self) -> Mapping[str, str]:
        """sha256 by name."""
        return self._models

    @property
    def file_columns(self) -> list[str]:
        """Every column that names a file in any of the rows, or in the workflow."""
        found = dict.fromkeys(self._own)
        for place in self.places.values():
            found |= dict.fromkeys(place.checked.files)
        return list(found)

    def files_of(self, key: str) -> dict[str, InputFile]:
        """A row's files by column, with the workflow's own."""
        return {**self._own, **self.places[key].checked.files}

    def only(self, numbers: range) -> None:
        """Keep the rows of a range. After the keys were given: those don't depend on it."""
        self.places = {k: p for k, p in self.places.items() if p.checked.number in numbers}

    def sources(self, rows: Iterable[Row]) -> Iterator[Source]:
        """What the ledger notes of each row. rows: as they were read."""
        read = {row.number: row for row in rows}
        for key, place in self.places.items():
            files = self.files_of(key)
            facts = {column: {"path": f.path, "sha256": f.sha256} for column, f in files.items()}
            yield Source(key, place.checked.number, read[place.checked.number].values, facts)

    def first_jobs(self) -> Iterator[tuple[str, int, int, int | None]]:
        """(key, repeat, row, seed) of every first attempt."""
        for key, place in self.places.items():
            for repeat in range(self.repeats):
                yield key, repeat, place.checked.number, self.seed(key, repeat, 0)

    def seed(self, key: str, repeat: int, attempt: int) -> int | None:
        """A row's own seed holds for its first drawing; None where the graph draws no numbers."""
        if not self._seeds:
            return None
        if not repeat and not attempt:
            own = [v for c, v in self.places[key].checked.values.items() if c in self._seeds]
            if own:
                return int(own[0])
        return seed(key, repeat, attempt)

    def job(self, key: str, repeat: int, attempt: int, number: int | None = None) -> Job:
        """With its prompt, in which everything is set. number: a seed that is known already."""
        place = self.places[key]
        values: dict[str, Any] = dict(place.checked.settings())
        number = self.seed(key, repeat, attempt) if number is None else number
        for column, spec in self._seeds.items():
            if number is not None and (column not in values or repeat or attempt):
                values[column] = _within(spec, number)
        files = self.files_of(key)
        return Job(
            key,
            place.checked.number,
            repeat,
            attempt,
            number,
            set_inputs(self.prompt, values),
            {file.name: file.sha256 for file in files.values()},
        )

    def files(self, job: Job) -> dict[str, bytes]:
        """Contents of a job's files by the name in its prompt. Raises FileChanged, and WorldError when
        their folder is gone."""
        files = self.files_of(job.key)
        return {file.name: _contents(file) for file in files.values()}

    def group(self, record: Record) -> tuple[str, ...]:
        """The models of a job: jobs with the same follow each other."""
        return self.places[record.key].models


def all_models(prompt: Prompt, rows: Iterable[Checked]) -> list[str]:
    """Every model that any of the rows uses."""
    models, found = Models(prompt), set()
    for row in rows:
        found |= set(models.of(row))
    return sorted(found)


def _within(spec: Spec, number: int) -> int:
    """A seed brought into the range of an input."""
    low, high = int(spec.settings.get("min", 0)), int(spec.settings.get("max", number))
    return low + number % (high - low + 1) if not low <= number <= high else number


def _contents(file: InputFile) -> bytes:
    try:
        data = Path(file.path).read_bytes()
    except OSError as error:
        folder = Path(file.path).parent
        if not folder.is_dir():
            raise WorldError(f"The folder {folder}, which holds pictures of the table, is gone.") from error
        raise FileChanged(f"{file.path} can't be read any more: {error.strerror or error}.") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise FileChanged(f"{file.path} is another file than when the run began. Run the command again.")
    return data
