"""The settings we recommend for Arc2Face are the authors': noise levels of the host against their list."""

from __future__ import annotations

from typing import Any

import torch

from installer.paths import REPOSITORY

PAGE = REPOSITORY / "web" / "docs" / "LikenessEncodeArc2Face.md"


def test_sgm_uniform_is_within_a_fifth_of_a_percent(pack: Any) -> None:
    import comfy.model_sampling
    import comfy.samplers

    written = PAGE.read_text(encoding="utf-8").split("```")[1]
    wanted = torch.tensor([float(number) for number in written.split(",")])
    sampling = comfy.model_sampling.ModelSamplingDiscrete()
    found = comfy.samplers.calculate_sigmas(sampling, "sgm_uniform", 25)
    assert len(found) == len(wanted) == 26 and found[-1] == wanted[-1] == 0
    assert ((found - wanted)[:-1] / wanted[:-1]).abs().max() < 0.002
