"""Tables of every kind, and what is wrong with them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from batch.rows import TableError, read_rows


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path: Path, column: str = "") -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_rows(path, column)]


@pytest.mark.parametrize("name, mark", [("t.csv", ","), ("t.tsv", "\t")])
def test_csv(tmp_path: Path, name: str, mark: str) -> None:
    text = '\ufeffPrompt.text,Sampler.steps\r\n"a, ""b""\nc",20\r\n\r\nd,\r\n'
    path = write(tmp_path, name, text.replace(",", mark).replace(f"a{mark}", "a,"))
    assert values(path) == [{"Prompt.text": 'a, "b"\nc', "Sampler.steps": "20"}, {"Prompt.text": "d"}]
    assert [row.number for row in read_rows(path)] == [1, 2]


def test_json_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", '{"A.b": 1, "A.c": null}\n\n{"A.b": ""}\n')
    assert values(path) == [{"A.b": 1}, {"A.b": ""}]


def test_parquet(tmp_path: Path) -> None:
    table = pyarrow.table({"A.b": [1, None], "A.c": ["x", "y"]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    assert values(tmp_path / "t.parquet") == [{"A.b": 1, "A.c": "x"}, {"A.c": "y"}]


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.txt"):
        write(tmp_path, name, "x")
    (tmp_path / "d.png").mkdir()
    found = values(tmp_path, "Photo.image")
    assert found == [{"Photo.image": str(tmp_path / name)} for name in ("a.jpg", "b.PNG")]


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("t.xlsx", "x", "is of no kind that can be read here"),
        ("t.csv", "", "has no head"),
        ("t.csv", "A.b\n", "has no rows"),
        ("t.csv", "A.b,A.b\n1,2\n", "two columns are called 'A.b'"),
        ("t.csv", "A.b,\n1,2\n", "a column has no name"),
        ("t.csv", "A.b,A.c\n1,2\n3\n", "line 3: 1 cells, but the head has 2"),
        ("t.csv", 'A.b\n"x\n', "line 2: unexpected end of data"),
        ("t.csv", b"A.b\n\xff\xfe\n", "is not UTF-8"),
        ("t.jsonl", "{}\n{'a': 1}\n", "line 2 is not JSON"),
        ("t.jsonl", "[1]\n", "line 1 is no object"),
        ("t.jsonl", b'{"A.b": "\xff"}\n', "is not UTF-8"),
        ("t.parquet", "x", "can't be read as Parquet"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(TableError, match=said):
        read_rows(write(tmp_path, name, content))


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="There is no table"):
        read_rows(tmp_path / "t.csv")
    with pytest.raises(TableError, match="has no rows"):
        read_rows(tmp_path)


def test_a_cell_that_is_no_text_or_number(tmp_path: Path) -> None:
    table = pyarrow.table({"A.b": [datetime.date(2026, 1, 2)]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"row 1: 'A.b' holds a date"):
        read_rows(tmp_path / "t.parquet")
