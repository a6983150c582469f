"""Tables of reports: as text for wires, and as cells for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column's heading, and its width in letters; names stand at the left, numbers at the right."""

    name: str
    width: int = 0
    left: bool = False

    def fit(self, cell: str) -> str:
        return cell.ljust(self.width) if self.left else cell.rjust(self.width)


@dataclass(frozen=True)
class Sheet:
    """Lines above, columns, rows and lines below. A row may end early: its last cell is a remark then."""

    above: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    below: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) > len(self.columns):
                raise ValueError(f"A row of {len(row)} cells has {len(self.columns)} columns: {row}.")

    def text(self) -> str:
        lines = [tuple(column.name for column in self.columns), *self.rows]
        return "\n".join((*self.above, *map(self._line, lines), *self.below))

    def _line(self, cells: tuple[str, ...]) -> str:
        fitted = (column.fit(cell) for column, cell in zip(self.columns, cells, strict=False))
        return "  ".join(fitted).rstrip()

    def told(self) -> dict[str, Any]:
        """For the page, as JSON."""
        return {
            "above": list(self.above),
            "columns": [{"name": column.name, "left": column.left} for column in self.columns],
            "rows": [list(row) for row in self.rows],
            "below": list(self.below),
        }
