"""A layer of zeros costs nothing and gives what it gave."""

from __future__ import annotations

from types import ModuleType

import torch

from proof.networks.sparing import sparing


def test_a_layer_gives_what_the_hosts_gives_zeros_or_not(host: ModuleType) -> None:
    import comfy.ops

    usual = comfy.ops.manual_cast.Linear(4, 6)
    own = sparing(comfy.ops.manual_cast).Linear(4, 6)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    for scale, bias in ((1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.0)):
        for layer in (usual, own):
            torch.nn.init.constant_(layer.weight, scale)
            torch.nn.init.constant_(layer.bias, bias)
        with torch.no_grad():
            assert torch.equal(own(x), usual(x)) and own(x).shape == (2, 3, 6)
        # What learns must be able to leave zero.
        with torch.inference_mode(False), torch.enable_grad():
            own(x.clone()).sum().backward()
        assert own.weight.grad is not None and own.weight.grad.any()
