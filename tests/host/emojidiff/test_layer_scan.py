"""The layer scan in the real host. Of untrained weights the numbers mean nothing, but they are right."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from support import emojidiff

from benchmarks.layer_report import ALL, NONE, Row, recommended, table
from benchmarks.layer_scan import main
from installer.paths import photos_folder


@pytest.fixture(scope="module")
def scanned(host: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Path]:
    """All 16 layers of the tiny SD1.5; layer 5 of the adapter is all zeros."""
    import folder_paths
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("scan")
    layers = emojidiff.layers(emojidiff.numbers())
    layers["5.to_v_ip.weight"] = torch.zeros_like(layers["5.to_v_ip.weight"])
    save_file(emojidiff.flat(emojidiff.resampler(), layers), folder / "adapter.safetensors")
    files = {
        "checkpoint": folder_paths.get_full_path("checkpoints", "tiny_sd15.safetensors"),
        "clip-vision": folder_paths.get_full_path("clip_vision", "tiny_clip_vision.safetensors"),
        "eadapter": folder / "adapter.safetensors",
        "template": photos_folder() / "obama.jpg",
    }
    line = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    line += ["--size", "64", "--steps", "2", "--seeds", "1", "--output", str(folder / "out"), "--cpu"]
    return main(line), folder / "out"


def test_none_all_and_every_layer_alone(scanned: tuple[list[Row], Path]) -> None:
    rows, _ = scanned
    assert [row.layer for row in rows] == [NONE, ALL, *map(str, range(1, 32, 2))]
    assert [row.where.split()[0] for row in rows[2:]] == ["input"] * 6 + ["output"] * 9 + ["middle"]
    by_layer: dict[str, Any] = {row.layer: row for row in rows}
    assert by_layer[NONE].colour == 0 and abs(by_layer[NONE].style) < 1e-6
    assert by_layer["5"].colour == 0  # its values are zero: it changes nothing
    changed = [row for row in rows if row.layer not in (NONE, "5")]
    assert all(row.colour is not None and row.colour > 0 for row in changed)
    assert by_layer[ALL].colour > max(row.colour or 0 for row in rows[2:]) / 10


def test_table_and_plot_are_written(scanned: tuple[list[Row], Path]) -> None:
    rows, folder = scanned
    text = (folder / "layer_scan.md").read_text()
    assert len(text.splitlines()) == 2 + 18 + 2
    with (folder / "layer_scan.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["layer"] for line in lines] == [row.layer for row in rows]
    assert float(lines[1]["colour"]) == rows[1].colour
    plot = Image.open(folder / "layer_scan.png")
    colours = {colour for _, colour in plot.getcolors(1 << 20) or []}
    assert (120, 120, 120) in colours and (0, 140, 90) in colours


def row(layer: str, expression: float | None, style: float) -> Row:
    return Row(layer, "", expression, None, 0.0, style, int(expression is not None))


def test_layers_that_help_and_leave_the_style_are_recommended() -> None:
    rows = [row(NONE, 0.2, 0), row(ALL, 0.05, 0.5)]
    rows += [row("1", 0.1, 0.01), row("3", 0.08, 0.4), row("5", 0.19, 0.02), row("7", 0.16, 0.02)]
    assert recommended(rows) == ["1", "7"]  # 3 moves the style, 5 hardly helps
    assert "layer_list `1, 7`" in table(rows)
    assert recommended([row(NONE, 0.1, 0), row("1", 0.12, 0)]) == []
    faceless = [row(NONE, None, 0), row("1", None, 0)]
    assert recommended(faceless) == [] and "No face was drawn" in table(faceless)
