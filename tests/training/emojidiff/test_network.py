"""The Resampler as a module, decoupled attention, and the identity adapter beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support import emoji_training as tiny
from support.fill import fill, fill_state

from likeness.adapters.projectors import Resampler as Plain
from likeness.attention.sites import SDXL_KEYS
from training.emojidiff import base
from training.emojidiff.network import Shares, add_expression, expression_parameters, without_expression
from training.resampler import Resampler, Sizes
from training.text_to_image import load_base

EXPRESSION, PERSON, TEXT = 4, 3, 5


def resampler(sizes: Sizes = tiny.SMALL) -> Resampler:
    made = Resampler(sizes)
    made.load_state_dict(fill_state(made.state_dict(), "resampler."))
    return made


@pytest.mark.parametrize(
    "sizes", [tiny.SMALL, Sizes(48, 96, 128, 2, 3, 16, 4), Sizes(20, 64, 192, 3, 2, 5, 1)]
)
def test_the_resampler_is_that_of_the_nodes(sizes: Sizes) -> None:
    made, features = resampler(sizes), torch.randn(2, 17, sizes.seen)
    plain = Plain.build(made.state_dict())
    assert torch.allclose(made(features), plain(features), atol=1e-5)
    assert (plain.tokens, plain.token_width, plain.embedding_width) == (sizes.tokens, sizes.out, sizes.seen)
    again = Resampler.from_tensors(made.state_dict())
    assert again.sizes == sizes
    assert torch.equal(again(features), made(features))


def test_the_usual_sizes_are_those_of_ip_adapter_plus() -> None:
    small, large = Sizes.of(1280, 768), Sizes.of(1280, 2048)
    assert (small.width, small.heads, small.depth, small.tokens, small.inner) == (768, 12, 4, 16, 4)
    assert (large.width, large.heads) == (1280, 20)


def test_something_else_is_no_resampler() -> None:
    tensors = resampler().state_dict()
    with pytest.raises(ValueError, match="no resampler of an E-adapter"):
        Resampler.from_tensors({k: v for k, v in tensors.items() if k != "proj_in.weight"})
    with pytest.raises(ValueError, match="no resampler of an E-adapter"):
        Resampler.from_tensors({**tensors, "layers.0.1.3.weight": torch.zeros(2, 2)})


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {kind: tiny.write_base(folder / kind, kind) for kind in tiny.UNETS}


def unet_of(bases: dict[str, Path], kind: str = "sd15") -> Any:
    return load_base(str(bases[kind])).unet


def run(unet: Any, context: torch.Tensor) -> torch.Tensor:
    sample = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    added = None
    if unet.config.addition_embed_type:
        added = {"text_embeds": torch.ones(2, tiny.WIDTH), "time_ids": torch.ones(2, 6)}
    return unet(sample, torch.tensor([400, 30]), context, added_cond_kwargs=added).sample


def tokens(kind: str, count: int, seed: int) -> torch.Tensor:
    width = tiny.UNETS[kind]["cross_attention_dim"]
    return torch.randn(2, count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_every_cross_attention_layer_gets_copies_in_checkpoint_order(
    bases: dict[str, Path], kind: str
) -> None:
    unet = unet_of(bases, kind)
    own = {
        n: unet.get_submodule(name.removesuffix(".processor"))
        for n, name in enumerate(unet.attn_processors)
        if ".attn2." in name
    }
    names = [name for name in unet.attn_processors if ".attn2." in name]
    add_expression(unet, Shares(0, EXPRESSION))
    found = expression_parameters(unet)
    assert len(found) == 2 * tiny.LAYERS[kind]
    assert list(own) == list(range(1, 2 * tiny.LAYERS[kind], 2))
    for n, layer in own.items():
        for part in "kv":
            assert torch.equal(found[f"{n}.to_{part}_ip.weight"], layer.get_submodule(f"to_{part}").weight)
    kinds = [name.split("_")[0] for name in names]
    assert kinds == sorted(kinds, key=["down", "up", "mid"].index)  # down, up, middle: as files number them
    if kind == "sdxl":
        ours = [key[0] for key in SDXL_KEYS]
        assert kinds == [{"input": "down", "output": "up", "middle": "mid"}[name] for name in ours]


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_without_expression_it_is_the_base_to_the_last_bit_but_rounding(
    bases: dict[str, Path], kind: str
) -> None:
    unet, text = unet_of(bases, kind), tokens(kind, TEXT, 1)
    with torch.no_grad():
        plain = run(unet, text)
        shares = Shares(0, EXPRESSION)
        add_expression(unet, shares)
        context = torch.cat([text, tokens(kind, EXPRESSION, 2)], dim=1)
        with without_expression(shares):
            assert torch.allclose(run(unet, context), plain, atol=1e-5)
        assert shares.expression_weight == 1
        assert not torch.allclose(run(unet, context), plain, atol=1e-2)


def test_the_sum_of_three_attentions(bases: dict[str, Path]) -> None:
    unet = unet_of(bases)
    layer = unet.down_blocks[1].attentions[0].transformer_blocks[0].attn2
    adapter = tiny.identity_adapter(lora=False)
    layers = {k.removeprefix("ip_adapter."): v for k, v in adapter.items() if k.startswith("ip_adapter.")}
    add_expression(unet, Shares(PERSON, EXPRESSION, 0.7, 0.6), layers)
    place = list(unet.attn_processors).index(
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor"
    )
    text, person, expression = (tokens("sd15", n, seed) for seed, n in enumerate((TEXT, PERSON, EXPRESSION)))
    hidden = torch.randn(2, 9, tiny.WIDTH)
    processor = layer.processor
    processor.to_k_ip.weight.data = fill("key", (tiny.WIDTH, tiny.WIDTH))
    made = layer(hidden, torch.cat([text, person, expression], dim=1))

    def attend(context: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        heads = []
        q, k, v = (part.chunk(2, dim=-1) for part in (layer.to_q(hidden), context @ key.T, context @ value.T))
        for i in range(2):
            logits = q[i] @ k[i].mT / (tiny.WIDTH / 2) ** 0.5
            heads.append(logits.softmax(dim=-1) @ v[i])
        return torch.cat(heads, dim=-1)

    expected = attend(text, layer.to_k.weight, layer.to_v.weight)
    pair = [layers[f"{place}.to_{part}_ip.weight"] for part in "kv"]
    expected = expected + 0.7 * attend(person, *pair)
    expected = expected + 0.6 * attend(expression, processor.to_k_ip.weight, layer.to_v.weight)
    assert layer.heads == 2
    assert torch.allclose(made, layer.to_out[0](expected), atol=1e-5)


def test_an_identity_adapters_loras_join_the_base(bases: dict[str, Path]) -> None:
    unet, plain = unet_of(bases), unet_of(bases)
    adapter = tiny.identity_adapter()
    layers = {k.removeprefix("ip_adapter."): v for k, v in adapter.items() if k.startswith("ip_adapter.")}
    add_expression(unet, Shares(PERSON, EXPRESSION), layers)
    for n, name in enumerate(plain.attn_processors):
        layer = name.removesuffix(".processor")
        change = layers[f"{n}.to_k_lora.up.weight"] @ layers[f"{n}.to_k_lora.down.weight"]
        before, after = (u.get_submodule(layer).to_k.weight for u in (plain, unet))
        assert torch.allclose(after, before + change, atol=1e-6)
    assert not torch.allclose(expression_parameters(unet)["1.to_k_ip.weight"], change)


def test_an_adapter_of_another_base_is_refused(bases: dict[str, Path]) -> None:
    shares = Shares(PERSON, EXPRESSION)
    of_sdxl = {
        k.removeprefix("ip_adapter."): v for k, v in tiny.identity_adapter("sdxl").items() if "_ip." in k
    }
    with pytest.raises(ValueError, match="made for another base"):
        add_expression(unet_of(bases), shares, of_sdxl)
    beyond = {"99.to_k_ip.weight": torch.zeros(tiny.WIDTH, tiny.WIDTH)}
    with pytest.raises(ValueError, match=r"99\.to_k_ip\.weight has no layer here"):
        add_expression(unet_of(bases), shares, beyond)


def test_bases_that_do_not_fit_are_refused(tmp_path: Path, bases: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="it lacks unet"):
        load_base(str(tmp_path))
    wide = tiny.write_base(tmp_path / "inpainting", in_channels=9)
    with pytest.raises(ValueError, match="takes 9 channels instead of 4"):
        load_base(str(wide))
    assert load_base(str(bases["sdxl"])).kind == "sdxl"
    with pytest.raises(ValueError, match="no folder with a CLIP vision model"):
        base.load_vision(str(tmp_path / "nothing"))


def test_an_identity_adapter_makes_the_tokens_of_the_nodes(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = tiny.identity_adapter()
    save_file(tensors, tmp_path / "faceid.safetensors")
    nested: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in tensors.items():
        part, rest = name.split(".", 1)
        nested[part][rest] = value
    torch.save(nested, tmp_path / "faceid.bin")
    vectors = 20 * torch.randn(3, 512)
    made = [
        base.load_identity(tmp_path / f"faceid.{suffix}").tokens(vectors) for suffix in ("safetensors", "bin")
    ]
    assert torch.equal(*made) and made[0].shape == (3, 4, tiny.WIDTH)
    raw = base.load_identity(tmp_path / "faceid.bin", unit=False)
    assert torch.allclose(raw.tokens(F.normalize(vectors, dim=-1)), made[0], atol=1e-5)
    torch.save({"else": torch.zeros(1)}, tmp_path / "other.bin")
    with pytest.raises(ValueError, match="no identity adapter: it has no image_proj"):
        base.load_identity(tmp_path / "other.bin")
