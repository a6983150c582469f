"""FreeCure's parts without a host: layers, masks, the attention against its formula. Spec B.2, B.8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from likeness.attention.calls import CALL, Call
from likeness.attention.engine import SitePatch
from likeness.attention.sources import Source
from likeness.attention.use import Window
from likeness.methods.freecure.attention import FoundationAware, FoundationTokens, Looking, Mode, Recorder
from likeness.methods.freecure.layers import choose_layers, execution_order
from likeness.methods.freecure.mask import AttributeMask

GRID = (24, 16)
LATENT = (48, 32)
HEADS, WIDTH = 2, 8
LAYER = ("output", 0, 0)
MODES: tuple[Mode, ...] = ("code", "paper", "paper_masked")

# Layers

SD1 = {f"input_{n}": 1 for n in (1, 2, 4, 5, 7, 8)} | {"middle": 1} | {f"output_{n}": 1 for n in range(3, 12)}
SDXL = {"input_4": 2, "input_5": 2, "input_7": 10, "input_8": 10, "middle": 10}
SDXL |= {"output_0": 10, "output_1": 10, "output_2": 10, "output_3": 2, "output_4": 2, "output_5": 2}


def attention() -> nn.Module:
    layer = nn.Module()
    layer.to_k, layer.heads = nn.Linear(8, 8), HEADS
    return layer


def transformer(depth: int) -> nn.Module:
    blocks = [nn.Module() for _ in range(depth)]
    for block in blocks:
        block.attn1 = attention()
    made = nn.Module()
    made.transformer_blocks = nn.ModuleList(blocks)
    return made


def network(**depths: int) -> nn.Module:
    """Transformers by place: input_4=2 stacks two blocks in input block 4."""
    net = nn.Module()
    for kind in ("input", "output"):
        blocks = [depths.get(f"{kind}_{number}", 0) for number in range(12)]
        setattr(net, f"{kind}_blocks", nn.ModuleList(transformer(depth) for depth in blocks))
    net.middle_block = transformer(depths["middle"])
    return net


def keys(depths: Mapping[str, int], layers: str) -> list[tuple[str, int, int]]:
    return [site.key for site in choose_layers(execution_order(network(**depths)), layers)]


def test_sdxl_is_numbered_in_execution_order() -> None:
    sites = execution_order(network(**SDXL))
    assert len(sites) == 70
    found = {number: sites[number].key for number in (0, 13, 14, 24, 33, 34, 50, 53, 54, 64, 69)}
    assert found == {
        0: ("input", 4, 0),
        13: ("input", 7, 9),
        14: ("input", 8, 0),
        24: ("middle", 0, 0),
        33: ("middle", 0, 9),
        34: ("output", 0, 0),
        50: ("output", 1, 6),
        53: ("output", 1, 9),
        54: ("output", 2, 0),
        64: ("output", 3, 0),
        69: ("output", 5, 1),
    }


def test_the_default_is_the_authors_choice() -> None:
    sdxl = [("output", 1, n) for n in range(6, 10)] + [("output", 2, n) for n in range(10)]
    sdxl += [("output", block, n) for block in (3, 4, 5) for n in range(2)]
    assert keys(SDXL, "default") == sdxl == keys(SDXL, "50-69")
    assert keys(SD1, "default") == [("output", n, 0) for n in range(6, 12)] == keys(SD1, "10-15")


def test_all_up_is_every_output_block() -> None:
    assert keys(SDXL, "all_up") == keys(SDXL, "34-69")
    assert keys(SD1, " All_Up ") == keys(SD1, "7-15")


def test_numbers_may_be_listed_in_any_order() -> None:
    assert keys(SD1, "15, 3,8-9") == keys(SD1, "3 8 9 15") == [keys(SD1, f"{n}")[0] for n in (3, 8, 9, 15)]


@pytest.mark.parametrize("text", ["", "up", "1-", "-1", "1.5", "3;4", "9" * 5000])
def test_a_text_that_names_no_layers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not understood"):
        keys(SD1, text)


@pytest.mark.parametrize("text", ["16", "12-16", "9-3"])
def test_a_number_the_model_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="numbered 0 to 15"):
        keys(SD1, text)


# Masks


def test_a_mask_is_read_row_by_row_on_any_grid() -> None:
    mask = torch.zeros(48 * 8, 32 * 8)
    mask[: 8 * 8, 8 * 16 :] = 1  # the upper right of the picture
    for latent_per_token in (1, 2, 4):
        grid = (LATENT[0] // latent_per_token, LATENT[1] // latent_per_token)
        wanted = torch.zeros(grid, dtype=torch.bool)
        wanted[: 8 // latent_per_token, 16 // latent_per_token :] = True
        chosen = AttributeMask(mask).choose(LATENT, grid, 1, torch.zeros(1))
        assert torch.equal(chosen.mask[0], wanted.flatten())
        assert torch.equal(chosen.numbers[0], wanted.flatten().nonzero()[:, 0])
        assert chosen.there is None


def test_a_small_mask_of_the_pictures_shape_will_do() -> None:
    mask = (torch.rand(*LATENT, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    large = mask.repeat_interleave(8, 0).repeat_interleave(8, 1)
    for grid in (LATENT, GRID):
        one, other = (AttributeMask(m).choose(LATENT, grid, 1, mask).mask for m in (mask, large))
        assert torch.equal(one, other)


def test_another_shape_or_count_is_refused() -> None:
    with pytest.raises(ValueError, match="another shape"):
        AttributeMask(torch.ones(64, 64)).choose(LATENT, GRID, 1, torch.zeros(1))
    with pytest.raises(ValueError, match="2 masks but the batch has 3"):
        AttributeMask(torch.ones(2, *LATENT)).choose(LATENT, GRID, 3, torch.zeros(1))


# Attention


def split(x: torch.Tensor) -> torch.Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def base(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Mapping[str, Any], bias: Any = 0
) -> torch.Tensor:
    logits = split(q) @ split(k).mT / (WIDTH // HEADS) ** 0.5
    logits = logits + (0 if bias is None else bias)
    return (logits.softmax(-1) @ split(v)).transpose(1, 2).flatten(2)


def looking(mask: torch.Tensor, mode: Mode, strength: float, fidelity: float = 1.0) -> Looking:
    return Looking(AttributeMask(mask), mode, strength, fidelity, Window(0.0, 1.0))


def options_of(chunks: list[int]) -> dict[str, Any]:
    options = {
        "cond_or_uncond": chunks,
        "activations_shape": [1, 1, *GRID],
        "original_shape": [1, 4, *LATENT],
    }
    return {**options, CALL: Call.read(options)}


def layer(source: Source, key: Any = LAYER) -> SitePatch:
    return SitePatch(("attn1", key), (source,), base)


def tensors(rows: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, GRID[0] * GRID[1], WIDTH)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3)]


def aware(
    look: Looking, own: list[torch.Tensor], other: list[torch.Tensor], chunks: list[int]
) -> torch.Tensor:
    tokens = FoundationTokens()
    at = options_of(chunks)
    unchanged = layer(Recorder(tokens, look, {LAYER: 0}))(*other, at)
    assert torch.equal(unchanged, base(*other, {}))
    return layer(FoundationAware(tokens, look, {LAYER: 0}))(*own, at)


def formula(
    own: list[torch.Tensor], other: list[torch.Tensor], mask: torch.Tensor, mode: Mode, strength: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One picture, one head and one query at a time: (output, weight on each foundation token)."""
    q, k, v = own
    _, k_f, v_f = other
    out, mass = torch.empty_like(q), torch.zeros(q.shape[0], HEADS, q.shape[1], q.shape[1]).double()
    size = WIDTH // HEADS
    for row in range(len(q)):
        seen = mask[min(row, len(mask) - 1)]
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            theirs = q[row, :, part] @ k_f[row, :, part].T / size**0.5
            if mode == "paper":
                theirs = theirs * strength * seen
            else:
                theirs = theirs + strength if mode == "code" else theirs * strength
                theirs = torch.where(seen.bool(), theirs, -torch.inf)
            ours = q[row, :, part] @ k[row, :, part].T / size**0.5
            weights = torch.cat([ours, theirs], dim=-1).softmax(-1)
            out[row, :, part] = weights @ torch.cat([v[row, :, part], v_f[row, :, part]])
            mass[row, head] = weights[:, q.shape[1] :]
    return out, mass


def picture_masks(count: int) -> torch.Tensor:
    mask = torch.zeros(count, *GRID)
    mask[:, 3:20, 5:11] = 1
    if count > 1:
        mask[1, 20:, 12:] = 1
    return mask


@pytest.mark.parametrize("masks", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_gathered_tokens_give_the_formula(mode: Mode, masks: int) -> None:
    own, other = tensors(2, 1), tensors(2, 2)
    mask = picture_masks(masks)
    found = aware(looking(mask, mode, 1.7), own, other, [0])
    wanted, _ = formula(own, other, mask.flatten(1), mode, 1.7)
    assert float((found - wanted).abs().max()) < 1e-12


def test_the_mass_lies_on_masked_tokens_alone() -> None:
    own, other = tensors(1, 3), tensors(1, 4)
    mask = picture_masks(1)
    _, mass = formula(own, other, mask.flatten(1), "code", 1.5)
    # With values that say which token they belong to, the output is the mass.
    count = GRID[0] * GRID[1]
    probe = torch.zeros(1, count, WIDTH, dtype=torch.float64)
    inside = mask.flatten().bool()
    for token in (int(inside.nonzero()[7]), int((~inside).nonzero()[7])):
        marked = [*other[:2], probe.clone()]
        marked[2][0, token] = 1
        found = aware(looking(mask, "code", 1.5), [*own[:2], probe], marked, [0])
        for head in range(HEADS):
            assert torch.allclose(found[0, :, head * WIDTH // HEADS], mass[0, head, :, token], atol=1e-14)
        assert bool((found != 0).any()) == bool(inside[token])


@pytest.mark.parametrize("mode", MODES)
def test_paper_lets_everything_in_and_the_others_only_the_mask(mode: Mode) -> None:
    own, other = tensors(1, 5), tensors(1, 6)
    found = aware(looking(torch.zeros(1, *GRID), mode, 2.0), own, other, [0])
    assert torch.equal(found, base(*own, {})) == (mode != "paper")


@pytest.mark.parametrize("chunks", [[0, 1], [1, 0]])
@pytest.mark.parametrize("fidelity", [1.0, 0.25, 0.0])
def test_negative_rows_look_as_far_as_fidelity_lets_them(chunks: list[int], fidelity: float) -> None:
    own, other = tensors(4, 7), tensors(4, 8)
    mask = picture_masks(2)
    found = aware(looking(mask, "code", 1.5, fidelity), own, other, chunks).unflatten(0, (2, 2))
    plain = base(*own, {}).unflatten(0, (2, 2))
    for chunk, side in enumerate(chunks):
        part = slice(2 * chunk, 2 * chunk + 2)
        full, _ = formula([x[part] for x in own], [x[part] for x in other], mask.flatten(1), "code", 1.5)
        share = 1.0 if side == 0 else 1 - fidelity
        assert float((found[chunk] - torch.lerp(plain[chunk], full, share)).abs().max()) < 1e-12


def test_outside_the_window_nothing_is_kept() -> None:
    tokens, own = FoundationTokens(), tensors(1, 9)
    look = Looking(AttributeMask(picture_masks(1)), "code", 1.5, 1.0, Window(0.0, 0.5))
    options = options_of([0])
    at = {**options, CALL: replace(options[CALL], open=())}
    layer(Recorder(tokens, look, {LAYER: 0}))(*own, at)
    assert len(tokens) == 0
    assert torch.equal(layer(FoundationAware(tokens, look, {LAYER: 0}))(*own, at), base(*own, {}))


def test_only_masked_tokens_are_kept_and_clearing_lets_go() -> None:
    tokens, own = FoundationTokens(), tensors(1, 10)
    mask = picture_masks(1)
    layer(Recorder(tokens, looking(mask, "code", 1.5), {LAYER: 0}))(*own, options_of([0]))
    wanted = 2 * int(mask.sum()) * WIDTH * own[0].element_size()
    assert (len(tokens), tokens.bytes) == (1, wanted)
    tokens.clear()
    assert (len(tokens), tokens.bytes, tokens.most_bytes) == (0, 0, wanted)
    with pytest.raises(RuntimeError, match="has not been through layer 0"):
        tokens.of(0, "positive")


def test_merged_tokens_are_refused() -> None:
    own = [x[:, ::2] for x in tensors(1, 11)]
    with pytest.raises(ValueError, match="merges or tiles tokens"):
        recorder = Recorder(FoundationTokens(), looking(picture_masks(1), "code", 1.5), {LAYER: 0})
        layer(recorder)(*own, options_of([0]))


#: (tokens, width) of the layers of the second half of the real networks, in the order they run.
SDXL_UP = [(1024, 1280)] * 30 + [(4096, 640)] * 6
SD1_UP = [(256, 1280)] * 3 + [(1024, 640)] * 3 + [(4096, 320)] * 3


@pytest.mark.parametrize(
    "layers, latent, mebibytes",
    [(SDXL_UP[16:], 128, 130), (SDXL_UP, 128, 210), (SD1_UP[3:], 64, 22.5)],
    ids=["SDXL default", "SDXL all_up", "SD1.5 default"],
)
def test_the_store_of_real_networks_is_as_large_as_the_spec_says(
    layers: list[tuple[int, int]], latent: int, mebibytes: float
) -> None:
    """B.4, one picture at 1024 or 512 pixels in fp16: all tokens, then a quarter of them."""
    for share in (1, 4):
        mask = torch.zeros(1, latent, latent)
        mask[:, : latent // share] = 1
        tokens, look = FoundationTokens(), looking(mask, "code", 1.5)
        for index, (count, width) in enumerate(layers):
            side = int(count**0.5)
            options = {"activations_shape": [1, 1, side, side], "original_shape": [1, 4, latent, latent]}
            x = torch.empty(1, count, width, dtype=torch.float16, device="meta")
            recorder = Recorder(tokens, look, {("output", index, 0): index})
            patch = SitePatch(("attn1", ("output", index, 0)), (recorder,), lambda q, *_: q)
            patch(x, x, x, {**options, CALL: Call.read({**options, "cond_or_uncond": [0]})})
        assert tokens.bytes == mebibytes * 2**20 / share
