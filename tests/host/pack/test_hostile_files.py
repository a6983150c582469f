"""Model files made to do harm: each is refused, quickly, in little memory, and runs nothing."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from support import hostile_files
from support.memory import peak_while

SECONDS = 5.0  # of the processor
MEGABYTES = 64


@pytest.mark.parametrize("kind", hostile_files.KINDS)
def test_it_is_refused_at_little_cost(pack: Any, tmp_path: Path, kind: str) -> None:
    trace = tmp_path / "trace"
    path = hostile_files.write(kind, tmp_path, trace)
    read = pack.module("likeness.weights.read").read_weights
    start = time.process_time()
    with peak_while() as grown, pytest.raises(ValueError, match=rf"^{path.name} ") as told:
        read(str(path))
    assert time.process_time() - start < SECONDS
    assert grown() < MEGABYTES
    assert len(str(told.value)) < 600
    assert not trace.exists()


def test_the_pickles_would_have_done_harm(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pickle.loads(hostile_files.write("pickle", tmp_path, trace).read_bytes())
    assert trace.exists()
