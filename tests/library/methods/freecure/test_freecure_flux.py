"""FreeCure's parts for Flux without a host: which blocks."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from torch import nn

from likeness.attention.flux import joint_blocks
from likeness.methods.freecure.flux_layers import choose_blocks


def network(double: int, single: int) -> nn.Module:
    net = nn.Module()
    net.double_blocks = nn.ModuleList(nn.Identity() for _ in range(double))
    net.single_blocks = nn.ModuleList(nn.Identity() for _ in range(single))
    return net


FLUX = joint_blocks(network(19, 38))


def test_blocks_are_numbered_in_execution_order() -> None:
    assert len(FLUX) == 57
    assert [FLUX[n] for n in (0, 18, 19, 56)] == [
        ("double", 0, 0),
        ("double", 18, 0),
        ("single", 0, 0),
        ("single", 37, 0),
    ]


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [
        ("default", range(57)),
        (" Single_Only ", range(19, 57)),
        ("last_half", range(28, 57)),
        ("19-21, 3 0", [0, 3, 19, 20, 21]),
    ],
)
def test_a_text_names_blocks(layers: str, numbers: Iterable[int]) -> None:
    assert choose_blocks(FLUX, layers) == tuple(FLUX[n] for n in numbers)


@pytest.mark.parametrize("text", ["", "all_up", "double", "1-", "3;4"])
def test_a_text_that_names_no_blocks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write default, single_only, last_half, or block numbers"):
        choose_blocks(FLUX, text)


def test_a_number_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered 0 to 56"):
        choose_blocks(FLUX, "50-57")
