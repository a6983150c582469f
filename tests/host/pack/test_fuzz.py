"""Every reader meets changed inputs: it reads them, or says in a sentence what is wrong with them.

The same changes every time. `python tests/fuzz/run.py` looks further.
"""

from __future__ import annotations

from types import ModuleType

import pytest
from fuzz.run import mutate
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_a_changed_input_is_read_or_told(host: ModuleType, name: str) -> None:
    read, refused = mutate(name, TARGETS[name].rounds, seed=0)
    assert read and (refused or name == "words")


def test_a_fuzzed_reader_that_breaks_is_told(host: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TARGETS["indices"]

    def read(data: bytes) -> object:
        return {}[data]

    monkeypatch.setitem(TARGETS, "indices", type(broken)(read, broken.seeds, broken.names, 1))
    with pytest.raises(KeyError):
        mutate("indices", 1, seed=0)
