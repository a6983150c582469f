"""The key lists of tests/layout: they are the published files', to the byte, as far as sizes are known."""

from __future__ import annotations

from math import prod
from pathlib import Path

import pytest
from layout.shapes import LAYOUTS, read_shapes
from layout.write import write
from safetensors import safe_open
from support import wplus_files

from likeness.weights.catalogue import catalogue


def test_every_list_has_as_many_names_as_the_file() -> None:
    counts = {key: len(layout.read()) for key, layout in LAYOUTS.items()}
    assert counts == {
        "arc2face/unet": 686,
        "arc2face/pose": 340,
        "arc2face/encoder": 196,
        "instantid/controlnet": 844,
        "instantid/ip-adapter": 191,
        "masterweaver/adapter": 57,
        "fact/adapter_maj": 323,
        "fact/transface": 137,
        "wplus/adapter": 54,
        "wplus/e4e": 622,
        "consistentid/sd15": 453,
        "consistentid/sdxl": 1425,
        "emojidiff/clip_vision": 521,
    }


@pytest.mark.parametrize("key", [key for key, layout in LAYOUTS.items() if layout.nested is None])
def test_names_shapes_and_precision_give_the_published_size(tmp_path: Path, key: str) -> None:
    """The file is sparse: it takes as much disk as its head and a few numbers."""
    path = tmp_path / "file.safetensors"
    write(LAYOUTS[key], path)
    assert path.stat().st_size == catalogue()[key].size
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        assert {name: tuple(file.get_slice(name).get_shape()) for name in names} == LAYOUTS[key].read()


def test_torch_archives_hold_these_numbers_and_little_else() -> None:
    beside = {
        key: (catalogue()[key].size or 0) - layout.bytes_of_numbers()
        for key, layout in LAYOUTS.items()
        if layout.nested is not None
    }
    assert beside["instantid/ip-adapter"] == 70845
    assert 0 < beside["arc2face/encoder"] < 100_000


def test_fact_s_lists_hold_as_many_numbers_as_its_files() -> None:
    numbers = {key: LAYOUTS[key].bytes_of_numbers() / 4e6 for key in ("fact/adapter_maj", "fact/transface")}
    assert numbers["fact/adapter_maj"] == pytest.approx(255.5, abs=0.1)
    assert numbers["fact/transface"] == pytest.approx(38.01, abs=0.01)


def test_the_w_plus_adapter_s_list_holds_as_many_numbers_as_its_file() -> None:
    assert LAYOUTS["wplus/adapter"].bytes_of_numbers() / 4e6 == pytest.approx(38.6, abs=0.1)


def test_e4e_s_list_is_its_encoder_s() -> None:
    """And the average face beside it."""
    shapes, prefix = LAYOUTS["wplus/e4e"].read(), "state_dict.encoder."
    wanted = wplus_files.encoder_shapes((64, 64, 128, 256, 512))
    assert {key.removeprefix(prefix): shape for key, shape in shapes.items()} == {
        **wanted,
        "latent_avg": (18, 512),
    }
    assert sum(prod(shape) for shape in wanted.values()) / 1e6 == pytest.approx(267.16, abs=0.01)


def test_a_pattern_stands_for_its_names(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a.{1-5/2}.b.{0-1}": [2, 3], "c": [4]}')
    shapes = read_shapes(tmp_path / "x.json")
    assert list(shapes) == ["a.1.b.0", "a.1.b.1", "a.3.b.0", "a.3.b.1", "a.5.b.0", "a.5.b.1", "c"]
    assert shapes["a.3.b.1"] == (2, 3) and shapes["c"] == (4,)
