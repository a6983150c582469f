"""Every method of ours beside every node of the host that touches sampling: 10 methods, some 100 nodes.

What is expected of each pair is in support/features: methods.py lists the methods (a new one gets the whole
matrix by its line there), *_nodes.py the nodes, feature.py says what is asserted, left_out.py which nodes
do not stand there and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.features.feature import Feature, NotOffered, Refused, Told
from support.features.matrix import FEATURES, Matrix, answer
from support.features.methods import METHODS, Method
from support.features.run import draw
from support.features.world import World

from installer.comfyui import RELEASES
from installer.hosts import numbers

#: Nodes that the oldest host lacks, with the first of the tested hosts that has them.
SINCE = {"ConditioningMultiply": "0.27.0"}
PAIRS = [(method, feature) for feature in FEATURES for method in METHODS]

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def matrix(host: Any, pack: Any, base: Path) -> Iterator[Matrix]:
    world = World(host, pack, base)
    yield Matrix(world)
    world.close()


def test_what_came_later_are_features() -> None:
    assert {feature.name for feature in FEATURES} >= set(SINCE)


def offered() -> list[Any]:
    return [
        pytest.param(
            method,
            feature,
            id=f"{method.name} | {feature.name}",
        )
        for method, feature in PAIRS
        if not isinstance(answer(method, feature), NotOffered)
    ]


@pytest.mark.parametrize(("method", "feature"), offered())
def test_a_method_beside_a_node_of_the_host(
    matrix: Matrix, method: Method, feature: Feature, caplog: pytest.LogCaptureFixture
) -> None:
    import comfyui_version

    since = SINCE.get(feature.name, RELEASES[0].version)
    if numbers(comfyui_version.__version__) < numbers(since):
        pytest.skip(f"ComfyUI {comfyui_version.__version__} has no {feature.name}, which came by {since}.")
    expected = answer(method, feature)
    if isinstance(expected, Refused):
        draw = matrix.after if expected.after else matrix.pair
        with pytest.raises(ValueError, match=expected.saying):
            draw(method, feature)
        if not expected.after:
            return
    if isinstance(expected, Told):
        matrix.after(method, feature)
        assert expected.saying in caplog.text
    wrong = matrix.wrong(method, feature)
    assert not wrong, "; ".join(wrong)


def test_every_network_draws_what_it_drew_before_all_of_this(matrix: Matrix) -> None:
    """To the bit: no weight, patch or hook of a thousand graphs is left in what they share."""
    for network, drawn in matrix.first.items():
        assert torch.equal(draw(matrix.world.start(network)), drawn), network
