"""FACT through its nodes in the host, against the authors' own noise predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support import fact_files
from support.golden import Golden, relative_error
from support.sampling import denoise

GOLDEN = Golden("fact")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]
TOLERANCE = 1e-5

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def facts(pack: Any, base: Path) -> dict[bool, Any]:
    """The golden's weights in the published layout, without norms and with them, through the loader."""
    sites = pack.module("likeness.attention.sites").attention_sites(
        GOLDEN.model("SD15").model.diffusion_model
    )
    loaded = {}
    for norms in (False, True):
        alphas = GOLDEN["in.alphas"].tolist()
        content = fact_files.adapter([site.hidden for site in sites], WIDTH, alphas, norms)
        name = f"golden_{'norms' if norms else 'plain'}.ckpt"
        path = base / "models" / "fact" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
        loaded[norms] = pack.node("LikenessLoadFACT").execute(file=name)[0]
    return loaded


@pytest.fixture(scope="module")
def transface(pack: Any, base: Path) -> Any:
    path = base / "models" / "fact" / "golden_transface.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(fact_files.transface(), path, {"blocks": "2"})
    return pack.node("LikenessLoadTransFace").execute(file=path.name)[0]


@pytest.fixture(scope="module")
def encode(pack: Any, facts: dict[bool, Any], transface: Any) -> Any:
    def encode(photos: int, negative: str = "zeros", norms: bool = False) -> Any:
        images = {"image_0": GOLDEN["in.faces"][:photos].float() / 255}
        given = {"fact": facts[norms], "transface": transface, "images": images, "negative": negative}
        return pack.node("LikenessEncodeFACT").execute(**given, align=False)[0]

    return encode


def conditioning(side: str, **facts: Any) -> list[Any]:
    return [[GOLDEN[f"in.{side}"], facts]]


@pytest.mark.parametrize("photos", [1, 2, 3])
def test_tokens(encode: Any, photos: int) -> None:
    tokens = encode(photos)
    for found, side in ((tokens.somebody, "cond"), (tokens.nobody, "uncond")):
        assert relative_error(found, GOLDEN[f"out.tokens_{side}_{photos}ref"]) <= TOLERANCE


def prompts(strength: float) -> tuple[Any, Any]:
    positive, negative = conditioning("positive"), conditioning("negative")
    if not strength:
        return positive, negative
    import nodes

    hint = GOLDEN["in.hint"].float() / 255
    net = GOLDEN.control_net()
    return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, negative, net, hint, strength, 0.0, 1.0)


@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: case["name"])
def test_noise_predictions(pack: Any, facts: dict[bool, Any], encode: Any, case: dict[str, Any]) -> None:
    model = GOLDEN.model("SD15")
    if case["references"]:
        norms = case["norm2_in_file"]
        tokens = encode(case["references"], case["uncond"], norms)
        apply = pack.node("LikenessApplyFACT").execute
        model = apply(model=model, fact=facts[norms], fact_tokens=tokens, weight=case["scale"])[0]
    sigma = case["sigma"]
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    found = denoise(model, *prompts(case["controlnet_strength"]), x, sigma)
    for denoised, side in zip(found, ("cond", "uncond"), strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - denoised) / sigma, wanted) <= TOLERANCE, side


def test_all_cases_are_there() -> None:
    assert len(GOLDEN.meta["cases"]) == 33


def test_the_first_block_is_the_hosts_own_layer(pack: Any, facts: dict[bool, Any], encode: Any) -> None:
    """Fast equals direct, and both the authors': the hidden states around the first block's gates."""
    sites = pack.module("likeness.attention.sites").attention_sites(
        GOLDEN.model("SD15").model.diffusion_model
    )
    network = pack.module("likeness.host.gated").gated_network(
        facts[False].layers.layers, [site.heads for site in sites], torch.float32
    )
    layer, tokens = network.model[0], encode(2)
    layer.scale = 0.5
    seen, model = [], GOLDEN.model("SD15")

    def note(x: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        if (*options["block"], options["block_index"]) == sites[0].key:
            seen.append((x.clone(), options["cond_or_uncond"]))
        return x

    model.set_model_patch(note, "middle_patch")
    model = pack.node("LikenessApplyFACT").execute(
        model=model, fact=facts[False], fact_tokens=tokens, weight=0.5
    )[0]
    model.set_model_patch(note, "middle_patch")
    case = next(c for c in GOLDEN.meta["cases"] if c["name"] == "t501_2ref_s0.5")
    x = GOLDEN["in.x"] * (1 + case["sigma"] ** 2) ** 0.5
    denoise(model, conditioning("positive"), conditioning("negative"), x, case["sigma"])
    (before, sides), (after, _) = seen
    objects = torch.cat([tokens.nobody if side else tokens.somebody for side in sides])
    direct = layer(before, objects)
    assert relative_error(after, direct) < 1e-6
    rows = [sides.index(1), sides.index(0)]  # the golden has the negative first
    for found, name in ((before, "before"), (after, "after")):
        assert relative_error(found[rows][:, ::8], GOLDEN[f"out.site0.{name}"]) <= TOLERANCE
