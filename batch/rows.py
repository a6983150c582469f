"""The table: CSV, JSON lines, Parquet, or a folder of pictures. Cells that are empty set nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .values import Row

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class TableError(ValueError):
    """The table can't be read; the message says where and what to do."""


def read_rows(path: Path, column: str = "") -> list[Row]:
    """All rows, numbered from 1. Raises TableError.

    column: for a folder, the input that takes its pictures, as TITLE.INPUT.
    """
    if path.is_dir():
        found = _folder(path, column)
    elif not path.is_file():
        raise TableError(
            f"There is no table {path}. Give a .csv, .jsonl or .parquet file or a folder of pictures."
        )
    else:
        readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _lines, ".ndjson": _lines, ".parquet": _parquet}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise TableError(
                f"{path} is of no kind that can be read here: .csv, .tsv, .jsonl, .ndjson, .parquet, "
                "or a folder of pictures."
            )
        found = reader(path)
    rows = [Row(number, values) for number, values in enumerate(_with_values(path, found), 1)]
    if not rows:
        raise TableError(f"{path} has no rows.")
    return rows


def _with_values(path: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows, 1):
        for name, value in row.items():
            if value is not None and not isinstance(value, str | int | float | list | dict):
                kind = type(value).__name__
                raise TableError(
                    f"{path}, row {number}: {name!r} holds a {kind}: text, numbers, true, false can be set."
                )
        yield {name: value for name, value in row.items() if value is not None}


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
            head = [name.strip() for name in next(reader, [])]
            _check_head(path, head)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(head):
                    raise TableError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, but the head has {len(head)}. "
                        "Put cells with commas or line breaks into double quotes."
                    )
                yield {name: cell for name, cell in zip(head, cells, strict=True) if cell != ""}
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8: {error}. Save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num}: {error}.") from error


def _check_head(path: Path, head: list[str]) -> None:
    if not any(head):
        raise TableError(f"{path} has no head: its first line must name the columns, such as Prompt.text.")
    for name in head:
        if not name:
            raise TableError(f"{path}: a column has no name in the first line.")
        if head.count(name) > 1:
            raise TableError(f"{path}: two columns are called {name!r}.")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise TableError(f"{path}, line {number} is not JSON: {error}.") from error
                if not isinstance(row, dict):
                    raise TableError(f"{path}, line {number} is no object: one {{...}} a line.")
                yield row
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8: {error}.") from error


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise TableError(f"Reading {path} needs pyarrow: pip install -r requirements-batch.txt.") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise TableError(f"{path} can't be read as Parquet: {error}.") from error


def _folder(path: Path, column: str) -> Iterator[Mapping[str, Any]]:
    for file in sorted(path.iterdir(), key=lambda file: file.name):
        if file.suffix.lower() in PICTURES and file.is_file():
            yield {column: str(file.resolve())}
