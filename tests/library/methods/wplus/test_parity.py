"""The W+ Adapter's numbers against the authors': tokens, edits, the fold, pictures, the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from support import wplus_files
from support.golden import Golden, relative_error

from likeness.adapters import Adapter
from likeness.attention.cascade import fold
from likeness.faces.ffhq import align_ffhq
from likeness.methods.wplus import parse
from likeness.methods.wplus.adapter import identity_tokens
from likeness.methods.wplus.directions import Direction
from likeness.methods.wplus.encode import encode
from likeness.methods.wplus.prepare import extent, seen
from likeness.methods.wplus.value import WPlus

TOLERANCE = 1e-5
GOLDEN = Golden("wplus")
EDITS = [key.removeprefix("out.edit.") for key in GOLDEN.tensors if key.startswith("out.edit.")]


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    shapes = GOLDEN.meta["shapes"]
    sizes = [shape[0] for key, shape in shapes.items() if key.endswith("to_k_wplus.weight")]
    made = wplus_files.tiny(sizes, GOLDEN.meta["unet_config"]["context_dim"])
    assert {key: list(value.shape) for key, value in wplus_files.flat(made).items()} == shapes
    return parse(made, {}, "golden")


@pytest.mark.parametrize("code", ["w0", "w1", *EDITS])
def test_tokens_are_the_authors(adapter: Adapter, code: str) -> None:
    given = GOLDEN["in.w"][int(code[1])] if code in ("w0", "w1") else GOLDEN[f"out.edit.{code}"]
    tokens = identity_tokens(adapter, WPlus(given))
    assert relative_error(tokens.somebody, GOLDEN[f"out.tokens.{code}"]) <= TOLERANCE
    assert tokens.nobody is not None
    assert relative_error(tokens.nobody, GOLDEN["out.tokens_uncond"]) <= TOLERANCE


def component(number: int) -> Direction:
    comp, std = GOLDEN["in.direction.pca_comp"], GOLDEN["in.direction.pca_std"]
    return Direction("pc", comp[number], GOLDEN["in.direction.pca_mean"].flatten(), float(std[number]))


@pytest.mark.parametrize(
    ("name", "direction", "strength", "layers"),
    [
        ("interfacegan", Direction("age", GOLDEN["in.direction.interfacegan"]), 4.0, range(18)),
        ("latent", Direction("smile", GOLDEN["in.direction.latent"]), -3.0, range(8)),
        ("ganspace_first", component(3), 2.0, range(4, 8)),
        ("ganspace_second", component(6), -1.5, range(2)),
        ("ganspace_last", component(1), 1.5, range(8, 18)),
        ("precise", Direction("beard", GOLDEN["in.direction.precise"]), 1.5, range(18)),
    ],
)
def test_edits_are_the_authors(
    name: str, direction: Direction, strength: float, layers: Sequence[int]
) -> None:
    before = GOLDEN["in.w"][:1].clone()
    moved = direction.moved(before, strength, layers)
    assert relative_error(moved, GOLDEN[f"out.edit.{name}"]) <= 1e-6
    assert torch.equal(before, GOLDEN["in.w"][:1])


def test_the_mean_is_taken_of_codes() -> None:
    made = encode(lambda pictures: GOLDEN["in.w"], torch.zeros(2, 3, 256, 256))
    assert relative_error(made.codes, GOLDEN["out.edit.mean"]) <= 1e-6


def test_folded_is_direct(adapter: Adapter) -> None:
    tokens, layers, heads = identity_tokens(adapter, WPlus(GOLDEN["in.w"])), adapter.layers, 4
    assert hasattr(layers, "family") and hasattr(layers, "queries")
    pairs, queries = layers.family.pairs, layers.queries
    kept = fold(tokens.both, pairs, queries, [heads] * len(pairs))
    for n, ((to_k, to_v), to_q) in enumerate(zip(pairs, queries, strict=True)):
        text = torch.randn(4, 6, len(to_q), generator=torch.Generator().manual_seed(n))
        q, k, v = (
            x.unflatten(-1, (heads, -1)).transpose(1, 2)
            for x in (text @ to_q.T, tokens.both @ to_k.T, tokens.both @ to_v.T)
        )
        direct = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        keys, values = kept.on(text)[n]
        shares = (text @ keys.transpose(1, 2)).unflatten(-1, (heads, 4)).softmax(-1).flatten(-2)
        assert relative_error(shares @ values, direct) <= 1e-6
        nobody = direct[0]
        assert (nobody - nobody[:1]).abs().max() <= 1e-5 * nobody.abs().max()  # the same everywhere


def photo(name: str, size: Sequence[int]) -> Any:
    from PIL import Image

    return np.array(Image.fromarray(GOLDEN[name].numpy()).resize(tuple(size), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("case", GOLDEN.meta["crops"], ids=lambda case: str(case["name"]))
def test_crops_are_the_authors(case: dict[str, Any]) -> None:
    a, b, c, d = case["points"]
    keypoints = torch.tensor([a, b, [0.0, 0.0], c, d])
    picture = torch.from_numpy(photo("in.crop_coarse", case["size"])) / 255.0
    found = align_ffhq(picture, keypoints, 512, samples=4096, shrink_for=512, pad=False)
    wanted = GOLDEN[f"out.crop.{case['name']}"]
    assert torch.equal((found * 255).round().to(torch.uint8)[::4, ::4], wanted)
    assert extent(keypoints) == pytest.approx(case["length"], rel=1e-3)


def test_what_the_encoder_sees_is_the_authors() -> None:
    found = seen(photo("in.photo_coarse", (512, 512)), GOLDEN["in.mask"].numpy())
    assert relative_error(found[None, :, ::4, ::4], GOLDEN["out.e4e_input"]) <= 1e-6
