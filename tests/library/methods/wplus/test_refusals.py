"""What Load W+ Adapter says of other files, and what a code must be. Spec: fact_wplus.md B.6, B.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support import wplus_files

from likeness.methods.wplus import WPlus, layers_of, parse
from likeness.methods.wplus.value import doubt

Content = dict[str, Any]


def without(part: str, key: str) -> Callable[[], Content]:
    def make() -> Content:
        content = wplus_files.tiny()
        del content[part][key]
        return content

    return make


def with_value(part: str, key: str, value: torch.Tensor) -> Callable[[], Content]:
    def make() -> Content:
        content = wplus_files.tiny()
        content[part][key] = value
        return content

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: {"image_proj": {"proj.weight": torch.ones(2, 2)}}, "no W\\+ Adapter but an IP-Adapter"),
        (lambda: {"latent_avg": torch.ones(512), "state_dict": {}}, r"a face encoder \(e4e\): load it with"),
        (lambda: {"input_blocks.0.weight": torch.ones(1)}, "a U-Net: load it with Load Diffusion Model"),
        (lambda: {"w_proj": wplus_files.tiny()["w_proj"]}, "x is incomplete: it has no layers"),
        (without("w_proj", "norm.bias"), "its projection lacks norm.bias"),
        (without("wplus_adapter", "5.to_q_wplus.weight"), "x lacks to_q_wplus of layer 5"),
        (without("wplus_adapter", "5.to_v_wplus.weight"), "damaged: layer 5 does not take tokens"),
        (with_value("wplus_adapter", "3.to_q_wplus.weight", torch.ones(32, 8)), "to_q_wplus of layer 3 is"),
        (
            with_value("w_proj", "proj_3.weight", torch.ones(64, 2048)),
            "proj_3.weight is .* does not fit 64x3072",
        ),
    ],
)
def test_other_files_are_told_apart(make: Callable[[], Content], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(make(), {}, "x")


def test_codes_are_checked_and_doubted(caplog: pytest.LogCaptureFixture) -> None:
    for bad in (torch.zeros(1, 14, 512), torch.zeros(0, 18, 512), torch.full((1, 18, 512), float("nan"))):
        with pytest.raises(ValueError, match="A W\\+ code"):
            WPlus(bad)
    assert WPlus(torch.zeros(18, 512)).codes.shape == (1, 18, 512)
    row = torch.randn(1, 1, 512, generator=torch.Generator().manual_seed(0))
    real = (row / row.norm() * 10).expand(1, 18, -1)
    with caplog.at_level("WARNING"):
        assert not doubt(real, "x") and not caplog.text
        assert doubt(real * 5, "x") and "layers are 50.0 to 50.0 long" in caplog.text
        assert (
            doubt(real * torch.linspace(0.5, 1.0, 18)[:, None], "y") and "rows 0 and 16 differ" in caplog.text
        )


def test_layers_by_text() -> None:
    assert layers_of("all") == layers_of(" ") == list(range(18))
    assert layers_of("0-3, 2, 17") == [0, 1, 2, 3, 17]
    for bad in ("18", "5-3", "x", "1,", "-1"):
        with pytest.raises(ValueError, match=r"layers: .* names no layers"):
            layers_of(bad)
