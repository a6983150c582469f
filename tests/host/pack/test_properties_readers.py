"""Readers of model files, for any content: they read it, or say what is wrong with which file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from fuzz.targets import CONTENTS, NAME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from likeness.weights.read import read_weights

always = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
#: Contents whose networks take a tenth of a second or more to build.
SLOW = {"parser", "smirk", "pva", "pva_person"}

_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Few numbers, of any type and any rank up to five, sometimes none at all or NaN."""
    shape = draw(st.lists(st.integers(0, 4), max_size=5))
    made = torch.full(shape, draw(st.sampled_from((0.0, 1.0, float("nan"), float("inf")))))
    dtype = draw(st.sampled_from(_TYPES))
    return made.to(dtype) if dtype.is_floating_point else made.nan_to_num(1, 1).to(dtype)


texts = st.text(max_size=30)
others = st.one_of(st.none(), st.integers(), texts, st.lists(st.integers(), max_size=3))


@lru_cache
def sound(kind: str) -> Mapping[str, Any]:
    return CONTENTS[kind][0]()


@lru_cache
def _keys(kind: str) -> tuple[str, ...]:
    """Every key of a sound content: as it stands in its part, and with the part before it."""
    found: dict[str, None] = {}

    def note(content: Any, prefix: str) -> None:
        for key, value in content.items():
            found.update({str(key): None, f"{prefix}{key}": None})
            if isinstance(value, Mapping):
                note(value, f"{prefix}{key}.")

    note(sound(kind), "")
    return tuple(found)


def contents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings of a reader's own keys and others, to tensors, to other things, to mappings."""
    keys = st.sampled_from(_keys(kind)) | texts
    leaves = tensors() | others
    return st.dictionaries(keys, leaves | st.dictionaries(keys, leaves, max_size=6), max_size=8)


def reads_or_refuses(kind: str, content: dict[str, Any]) -> None:
    try:
        CONTENTS[kind][1](content)
    except ValueError as error:
        assert NAME in str(error) and " " in str(error)


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_a_made_up_content_is_read_or_refused_by_name(host: ModuleType, kind: str) -> None:
    @always
    @given(contents(kind))
    def any_content(content: dict[str, Any]) -> None:
        reads_or_refuses(kind, content)

    any_content()


@pytest.mark.parametrize("kind", sorted(set(CONTENTS) - SLOW))
def test_a_sound_content_with_odd_entries_is_read_or_refused_by_name(host: ModuleType, kind: str) -> None:
    """At the top of the file, or within one of its parts. tests/fuzz does so with the slow ones."""
    whole = sound(kind)
    parts = [key for key, value in whole.items() if isinstance(value, Mapping)]
    top = st.tuples(st.sampled_from(sorted(whole)), tensors() | others | contents(kind))
    within = [
        st.tuples(st.just(part), st.sampled_from(sorted(whole[part])), tensors() | others) for part in parts
    ]

    @always
    @given(st.lists(st.one_of(top, *within), min_size=1, max_size=2))
    def any_change(changes: list[tuple[Any, ...]]) -> None:
        content: dict[str, Any] = dict(whole)
        for key, *inside, value in changes:
            holder = content[key] if inside else None
            content[key] = {**holder, inside[0]: value} if isinstance(holder, Mapping) else value
        reads_or_refuses(kind, content)

    any_change()


def test_a_file_of_any_tensors_is_read_as_it_is(host: ModuleType) -> None:
    any_tensors()


@always
@given(st.dictionaries(texts, tensors(), max_size=5), st.booleans())
def any_tensors(content: dict[str, torch.Tensor], packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (NAME + (".safetensors" if packed else ".bin"))
        if packed:
            save_file(content, path)
        else:
            torch.save(content, path)
        try:
            back, _ = read_weights(str(path))
        except ValueError as error:
            assert NAME in str(error) and " " in str(error)
            return
        assert set(back) == set(content)
        for key, value in content.items():
            assert back[key].dtype == value.dtype and torch.equal(back[key].isnan(), value.isnan())
            assert torch.equal(back[key].nan_to_num(), value.nan_to_num())
