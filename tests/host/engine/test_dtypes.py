"""Every method in the precisions that graphics cards use, here on the CPU. On a device: tests/device."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from support.device_watch import NoFloat64, held, outputs_of
from support.golden import relative_error
from support.method_runs import FULL, METHODS, NOTHING, Method

#: How much further from float32 than the plain network's picture a method's may be: two roundings.
TOLERANCE = {torch.float32: 0.0, torch.float16: 2 * 2**-11, torch.bfloat16: 2 * 2**-8}
PRECISIONS = [pytest.param(dtype, id=str(dtype).removeprefix("torch.")) for dtype in TOLERANCE]
every_method = pytest.mark.parametrize("name", METHODS)
every_precision = pytest.mark.parametrize("dtype", PRECISIONS)


class Drawn:
    """A method in one precision: its pictures without, with nothing of and with all of the method."""

    def __init__(self, method: Method) -> None:
        with NoFloat64(method.network) as watch, outputs_of(method.network) as self.plain_outputs:
            self.plain = method.plain()
        hosts_own = watch.found
        self.nothing = method.draw(NOTHING)
        with NoFloat64(method.network) as watch, outputs_of(method.network) as self.outputs:
            self.full = method.draw(FULL)
        self.wide = watch.found - hosts_own


@pytest.fixture(scope="module")
def drawn(pack: Any) -> Callable[[str, torch.dtype], Drawn]:
    @cache
    def draw(name: str, dtype: torch.dtype) -> Drawn:
        with torch.inference_mode():  # as the executor does
            return Drawn(METHODS[name](pack, dtype))

    return draw


@every_precision
@every_method
def test_pictures_are_near_those_of_float32(drawn: Any, name: str, dtype: torch.dtype) -> None:
    found, exact = drawn(name, dtype), drawn(name, torch.float32)
    assert torch.isfinite(found.full).all()
    lost = relative_error(found.plain.float(), exact.plain)
    assert relative_error(found.full.float(), exact.full) <= lost + TOLERANCE[dtype]
    assert relative_error(found.full.float(), found.plain.float()) > 0.03  # the method does something


@every_precision
@every_method
def test_precision_and_device_are_the_plain_models(drawn: Any, name: str, dtype: torch.dtype) -> None:
    found = drawn(name, dtype)
    assert found.full.dtype == found.plain.dtype
    assert found.outputs == found.plain_outputs and {kind for kind, _ in found.outputs} == {dtype}


@every_precision
@every_method
def test_nothing_of_a_method_is_bit_equal_to_none(drawn: Any, name: str, dtype: torch.dtype) -> None:
    found = drawn(name, dtype)
    assert torch.equal(found.nothing, found.plain)


@every_method
def test_no_float64_where_the_network_runs(drawn: Any, name: str) -> None:
    """Beyond what the host does itself, such as Flux's positions."""
    assert drawn(name, torch.float32).wide == set()


def test_a_planted_float64_is_seen() -> None:
    class Planted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.double().float()

    network, x = Planted(), torch.ones(2)
    with NoFloat64(network) as outside:
        x.double()
    with NoFloat64(network) as inside:
        network(x)
    assert outside.found == set() and any("float64" in line for line in inside.found)


def test_what_stays_is_counted() -> None:
    cpu = torch.device("cpu")
    before = held(cpu)
    kept = torch.zeros(1000, dtype=torch.float32)
    views = kept[:10], kept.reshape(10, 100)
    assert held(cpu) - before == 4000 and len(views) == 2
    del kept, views
    assert held(cpu) == before
