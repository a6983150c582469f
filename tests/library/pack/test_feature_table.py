"""README's table of methods beside nodes of the host is the one the matrix makes."""

from __future__ import annotations

from support.features import table
from support.features.matrix import FEATURES, asserted
from support.features.methods import METHODS


def test_the_table_is_current() -> None:
    text = table.README.read_text(encoding="utf-8")
    assert table.written(text) == text, "Run `python -m tests.support.features.table`."


def test_every_node_stands_once_and_every_pair_asserts_something() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(names) == len(set(names)) > 100
    known = {method.name for method in METHODS}
    for feature in FEATURES:
        assert set(feature.answers) <= known, f"{feature.name} speaks of a method that there is not."
        assert all(asserted(method, feature) for method in METHODS)
