"""Identity files, for anybody: they come back as they were saved."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.identity import Person, load_people, save_people
from likeness.values import RECOGNISERS, Identity

always = settings(derandomize=True, deadline=None, max_examples=60, database=None)

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
texts = st.text(max_size=30)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    count, width = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    row = st.lists(numbers, min_size=width, max_size=width)
    rows = torch.tensor(draw(st.lists(row, min_size=count, max_size=count)))
    # An embedding of zeros describes nobody: it is refused when it is made.
    rows[rows.norm(dim=1) == 0] = 1.0
    weights = draw(st.none() | st.lists(st.floats(0.25, 4, width=32), min_size=count, max_size=count))
    recogniser = draw(st.sampled_from(sorted(RECOGNISERS)) | st.text(min_size=1, max_size=20))
    return Identity(rows, recogniser, None if weights is None else torch.tensor(weights), draw(texts))


people = st.lists(st.builds(Person, identities(), texts), min_size=1, max_size=3)


@always
@given(people)
def test_whoever_is_saved_comes_back(those: list[Person]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "somebody.safetensors"
        save_people(those, path)
        back, pictures = load_people(path)
        assert [entry.name for entry in Path(folder).iterdir()] == [path.name]
    assert pictures == [] and len(back) == len(those)
    for before, after in zip(those, back, strict=True):
        one, other = before.identity, after.identity
        assert torch.equal(one.embeddings, other.embeddings)
        assert (before.name, one.recogniser, one.source) == (after.name, other.recogniser, other.source)
        assert (one.weights is None) == (other.weights is None)
        assert one.weights is None or torch.equal(one.weights, other.weights)
