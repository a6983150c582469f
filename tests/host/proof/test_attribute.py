"""The direction of the drawn world, from the lesson to our nodes: with networks of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch

from proof import host_files
from proof.report import rows
from proof.report.cases import Case
from proof.report.rows.attributes import together
from proof.report.studio import Studio
from proof.training.lessons.attribute import PAIR, prefixes
from proof.training.stages import Rooms, Tensors
from proof.world.captions import read

Drawn = Callable[[str], Tensors]


def test_prompts_are_of_this_world() -> None:
    made = prefixes(12)
    assert len(set(made)) > 8 and all(one.endswith("a") for one in made)
    for one in made:
        worn, _, _ = one.rpartition("a")
        assert not {"smiling", "sad", "neutral", "mouth"} & set(worn.replace(",", " ").split())
    assert read(f"a {PAIR.split(' | ')[2]}")[0].mood == 0


def test_one_prompt_at_several_scales_is_one_batch() -> None:
    plain = [[torch.zeros(1, 77, 4), {"pooled_output": 1}]]
    edited = [[torch.zeros(1, 77, 4), {"end_percent": 0.2}], [torch.ones(1, 77, 4), {"start_percent": 0.2}]]
    first, second = together([edited, plain, edited])
    assert first[0].shape == (3, 77, 4) and first[1] == {"end_percent": 0.2}
    assert second[0][:, 0, 0].tolist() == [1, 0, 1] and second[1] == {"start_percent": 0.2}


@pytest.mark.parametrize("name", ["attribute", "attribute_difference"])
def test_our_nodes_draw_a_prompt_at_five_scales(
    name: str, drawn: Drawn, rooms: Rooms, host: ModuleType
) -> None:
    for stage in ("attribute", "autoencoder", "sdxl"):
        drawn(stage)
    studio, row = Studio(rooms, 2), rows.row(name)
    with host_files.offered(rooms), torch.inference_mode():
        picture: Any = row.begin(studio)([Case(0)])
    assert picture.shape == (128, 5 * 128, 3)
