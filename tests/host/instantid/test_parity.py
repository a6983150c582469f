"""Through our nodes, in the host: the authors' own noise predictions, to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support import instantid_files
from support.golden import Golden, relative_error
from support.sampling import denoise

GOLDEN = Golden("instantid")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def content(pack: Any) -> dict[str, dict[str, torch.Tensor]]:
    sites = pack.module("likeness.attention.sites").attention_sites(GOLDEN.model().model.diffusion_model)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    return instantid_files.adapter((site.hidden for site in sites), width, GOLDEN.meta["resampler"])


@pytest.fixture(scope="module")
def adapter(pack: Any, base: Path, content: Any) -> Any:
    """Loaded by our node from a file in the published, nested layout."""
    torch.save(content, base / "models" / "instantid" / "golden.bin")
    return pack.node("LikenessLoadInstantID").execute(file="golden.bin")[0]


@pytest.fixture(scope="module")
def identity(pack: Any) -> Any:
    return pack.module("likeness.values").Identity(GOLDEN["in.face_embedding"], "glintr100")


@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: case["name"])
def test_noise_prediction(pack: Any, adapter: Any, identity: Any, case: dict[str, Any]) -> None:
    with torch.inference_mode():
        model, positive, negative = pack.node("LikenessApplyInstantID").execute(
            model=GOLDEN.model(),
            instantid=adapter,
            identity=identity,
            positive=GOLDEN.conditioning("positive"),
            negative=GOLDEN.conditioning("negative"),
            control_net=GOLDEN.control_net(),
            keypoints=GOLDEN["in.kps"],
            weight=case["ip_weight"],
            controlnet_strength=case["controlnet_strength"],
        )
        sigma = case["sigma"]
        x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
        denoised = denoise(model, positive, negative, x, sigma)
    for side, found in zip(("cond", "uncond"), denoised, strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - found) / sigma, wanted) <= TOLERANCE, side


def test_tokens(pack: Any, adapter: Any, identity: Any) -> None:
    tokens = pack.module("likeness.methods.instantid").identity_tokens(adapter, identity)
    (negative,), (positive,) = tokens.nobody, tokens.somebody
    assert relative_error(positive, GOLDEN["out.tokens_cond"][0]) <= TOLERANCE
    assert relative_error(negative, GOLDEN["out.tokens_uncond"][0]) <= TOLERANCE


def test_flat_safetensors_is_the_same_adapter(pack: Any, base: Path, content: Any, adapter: Any) -> None:
    save_file(instantid_files.flat(content), base / "models" / "instantid" / "golden.safetensors")
    other = pack.node("LikenessLoadInstantID").execute(file="golden.safetensors")[0]
    assert len(other.layers.pairs) == len(adapter.layers.pairs)
    for mine, theirs in zip(other.layers.pairs, adapter.layers.pairs, strict=True):
        assert torch.equal(mine[0], theirs[0]) and torch.equal(mine[1], theirs[1])
    assert other.takes == adapter.takes == "glintr100"


def test_a_file_is_read_once_while_it_is_in_use(pack: Any, adapter: Any) -> None:
    assert pack.node("LikenessLoadInstantID").execute(file="golden.bin")[0] is adapter


def test_a_changed_file_is_read_again(pack: Any, base: Path, content: Any) -> None:
    path = base / "models" / "instantid" / "changing.safetensors"
    save_file(instantid_files.flat(content), path)
    node = pack.node("LikenessLoadInstantID")
    before, mark = node.execute(file=path.name)[0], node.fingerprint_inputs(file=path.name)
    save_file(instantid_files.flat(content), path, {"recogniser": "sface"})
    after = node.execute(file=path.name)[0]
    assert (before.takes, after.takes) == ("glintr100", "sface")
    assert node.fingerprint_inputs(file=path.name) != mark
