"""What a report draws: a module for each method, with its ROWS.

A new method adds a module, and its name here.
"""

from __future__ import annotations

import importlib
from functools import lru_cache

from .row import Draw, Row

__all__ = ["MODULES", "Draw", "Row", "module_of", "row", "rows"]

MODULES = (
    *("truths", "trunks", "instantid", "two_people", "weights", "algebra", "arc2face", "pva", "pva_tuned"),
    *("emojidiff", "freecure", "detailer", "attributes", "repair", "rounds"),
)


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """All of them, in the order of the table."""
    return tuple(one for module in MODULES for one in _of(module))


def module_of(name: str) -> str:
    """Where a row stands, by its name. Raises ValueError naming the rows there are."""
    wanted = row(name)
    return next(module for module in MODULES if wanted in _of(module))


def _of(module: str) -> tuple[Row, ...]:
    found: tuple[Row, ...] = importlib.import_module(f"{__name__}.{module}").ROWS
    return found


def row(name: str) -> Row:
    """Raises ValueError naming the rows there are."""
    for one in rows():
        if one.name == name:
            return one
    raise ValueError(f"No row is named {name!r}. There are: {', '.join(one.name for one in rows())}.")
