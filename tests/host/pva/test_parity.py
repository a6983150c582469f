"""PVA through its nodes in the host, against the authors' own noise predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support import pva_files
from support.golden import Golden, relative_error
from support.sampling import denoise

GOLDEN = Golden("pva")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]
TOLERANCE = 1e-5

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def pva(pack: Any, base: Path) -> Any:
    """The golden's weights in the official nested layout, through the loader."""
    sites = pack.module("likeness.attention.sites").attention_sites(
        GOLDEN.model("SD20").model.diffusion_model
    )
    content = pva_files.base([site.hidden for site in sites], WIDTH)
    assert set(content["unet"]) == set(GOLDEN.meta["visual_keys"])
    assert set(content["transform_network"]) == set(GOLDEN.meta["transform_network"]["keys"])
    torch.save(content, base / "models" / "pva" / "golden_FPIP.bin")
    return pack.node("LikenessLoadPVA").execute(file="golden_FPIP.bin")[0]


@pytest.fixture(scope="module")
def encoded(pack: Any, pva: Any) -> dict[int, Any]:
    """Tokens by the number of references."""
    identity = pack.module("likeness.values").Identity
    encode = pack.node("LikenessEncodePVA").execute
    vectors = GOLDEN["in.reference_embeddings"][0]
    return {n: encode(pva=pva, identity=identity(vectors[:n], pva.base.recogniser))[0] for n in (1, 2, 3)}


@pytest.mark.parametrize("references", [1, 2, 3])
def test_tokens(encoded: dict[int, Any], references: int) -> None:
    wanted = GOLDEN[f"out.identity_tokens_{references}ref"]
    assert relative_error(encoded[references].somebody, wanted) <= TOLERANCE


def conditioning(side: str) -> list[Any]:
    """As Inpaint Model Conditioning makes it: the picture without its hole, and the hole in pixels."""
    mask = GOLDEN["in.mask"].repeat_interleave(8, 2).repeat_interleave(8, 3)
    facts = {"concat_latent_image": GOLDEN["in.masked_latent"] / 0.18215, "concat_mask": mask}
    return [[GOLDEN[f"in.{side}"], facts]]


@pytest.mark.parametrize("precision", [None, torch.float32], ids=["host default", "float32 logits"])
@pytest.mark.parametrize("apply_to", ["positive", "both"])
@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: case["name"])
def test_noise_predictions(
    pack: Any, pva: Any, encoded: dict[int, Any], case: dict[str, Any], apply_to: str, precision: Any
) -> None:
    model = GOLDEN.model("SD20", attn_precision=precision)
    if case["references"]:
        tokens = encoded[case["references"]]
        apply = pack.node("LikenessApplyPVA").execute
        model = apply(model=model, pva=pva, pva_tokens=tokens, apply_to=apply_to)[0]
    sigma = case["sigma"]
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    found = denoise(model, conditioning("positive"), conditioning("negative"), x, sigma)
    negative = "uncond" if apply_to == "both" else "uncond_text_only"
    for denoised, side in zip(found, ("cond", negative), strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - denoised) / sigma, wanted) <= TOLERANCE, side


def test_all_cases_are_there() -> None:
    assert len(GOLDEN.meta["cases"]) == 9
