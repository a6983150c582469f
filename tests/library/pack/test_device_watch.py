"""What looks at devices sees what it is there to see. What it looks at: tests/device."""

from __future__ import annotations

import torch
from support.device_watch import NoFloat64, held


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
