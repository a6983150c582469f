"""The engine's parts without a host: sites, masks, rows, keys and values."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from support.reference import filled, inputs, resampler_shapes
from torch import nn

from likeness.adapters.projectors import Resampler
from likeness.attention.adds import AddedAttention, project, rows_of
from likeness.attention.calls import CALL, CONDS, Call, Conds, Entry
from likeness.attention.engine import SitePatch
from likeness.attention.masks import PictureMask
from likeness.attention.sites import SDXL_KEYS, Site, attention_sites, checkpoint_numbers
from likeness.attention.use import Window
from likeness.attention.views import Area, Part, View
from likeness.attention.wrappers import SOURCES, with_conds


class Attention(nn.Module):
    def __init__(self, hidden: int, context: int) -> None:
        super().__init__()
        self.to_k = nn.Linear(context, hidden)
        self.heads = 2


class Transformer(nn.Module):
    def __init__(self, depth: int, hidden: int = 8, context: int = 6) -> None:
        super().__init__()
        layers = [nn.Module() for _ in range(depth)]
        for layer in layers:
            layer.attn1, layer.attn2 = Attention(hidden, hidden), Attention(hidden, context)
        self.transformer_blocks = nn.ModuleList(layers)


def network(**depths: int) -> nn.Module:
    """Blocks by name and number: input_4=2 is a transformer of depth 2 in input block 4."""
    net = nn.Module()
    for kind in ("input", "output"):
        count = 1 + max((int(k.split("_")[1]) for k in depths if k.startswith(kind)), default=0)
        blocks = [nn.Sequential(nn.Conv2d(1, 1, 1)) for _ in range(count)]
        for name, depth in depths.items():
            if name.startswith(kind):
                blocks[int(name.split("_")[1])].append(Transformer(depth))
        setattr(net, f"{kind}_blocks", nn.ModuleList(blocks))
    if "middle" in depths:
        net.middle_block = nn.Sequential(Transformer(depths["middle"]))
    return net


SDXL = {"input_4": 2, "input_5": 2, "input_7": 10, "input_8": 10, "middle": 10}
SDXL |= {"output_0": 10, "output_1": 10, "output_2": 10, "output_3": 2, "output_4": 2, "output_5": 2}


def test_sdxl_is_numbered_down_up_middle() -> None:
    keys = [site.key for site in attention_sites(network(**SDXL))]
    assert tuple(keys) == SDXL_KEYS and len(keys) == 70
    # instantid_arc2face.md 1.1.2: number n = 2 c + 1
    for number, key in {
        1: ("input", 4, 0),
        47: ("input", 8, 9),
        49: ("output", 0, 0),
        117: ("output", 5, 0),
    }.items():
        assert keys[(number - 1) // 2] == key
    assert keys[60:] == [("middle", 0, i) for i in range(10)]


def test_sites_know_their_widths() -> None:
    assert attention_sites(network(middle=1)) == (Site(("middle", 0, 0), hidden=8, heads=2, context=6),)
    assert attention_sites(network(middle=1), "attn1")[0].context == 8
    assert attention_sites(nn.Sequential(nn.Linear(2, 2))) == ()


def test_checkpoint_numbers() -> None:
    small = attention_sites(network(**{**SDXL, "input_7": 4, "middle": 1}))
    assert checkpoint_numbers(small, len(small)) == tuple(range(len(small)))
    by_position = checkpoint_numbers(small, 70)
    assert [SDXL_KEYS[n] for n in by_position] == [site.key for site in small]
    with pytest.raises(ValueError, match="70 layers and the model 1 cross-attention layers"):
        checkpoint_numbers(attention_sites(network(input_1=1)), 70)


def views(*roles: str) -> tuple[View, ...]:
    return tuple(View(role) for role in roles)


def part(area: Area) -> Part:
    height, width, top, left = area
    return Part(range(top, top + height), range(left, left + width))


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize(
    "roles",
    [
        ("negative", "positive"),
        ("positive", "negative"),
        ("positive",),
        ("negative",),
        ("negative", "positive", "positive"),
    ],
)
def test_rows_follow_the_roles(roles: tuple[str, ...], batch: int) -> None:
    tokens = torch.stack([torch.zeros(3, 2), torch.ones(3, 2)])
    rows = rows_of(tokens, views(*roles), len(roles) * batch)
    wanted = torch.tensor([float(r == "positive") for r in roles]).repeat_interleave(batch)
    assert torch.equal(rows, wanted[:, None, None].expand(-1, 3, 2))


def test_the_usual_rows_are_not_copied() -> None:
    tokens = torch.rand(2, 3, 4)
    assert rows_of(tokens, views("negative", "positive"), 2).data_ptr() == tokens.data_ptr()
    assert rows_of(tokens, views("positive"), 5).data_ptr() == tokens[1].data_ptr()


def test_a_call_is_read_from_the_host_s_options() -> None:
    entries = {(0, "a"): Entry((4, 4, 0, 4)), (1, "b"): Entry()}
    facts = Conds((8, 8), ("negative", None), entries)
    options = {
        "sigmas": torch.tensor([2.5, 2.5]),
        "cond_or_uncond": [0, 1],
        "uuids": ["a", "b"],
        CONDS: facts,
    }
    read = Call.read(options)
    assert (read.sigma, read.roles) == (2.5, ("negative", "negative"))
    assert [view.part for view in read.views] == [part((4, 4, 0, 4)), None]
    bare = Call.read({})
    assert (bare.sigma, bare.roles, bare.latent) == (None, ("positive",), None)
    assert Window(0.2, 0.4).holds(bare)


class Schedule:
    """The host's model_sampling, reduced to what windows ask: noise falls from 10 to 0."""

    def percent_to_sigma(self, part: float) -> float:
        return 10 * (1 - part)


def test_window() -> None:
    window, sampling = Window(start=0.5, end=0.9), Schedule()
    sigmas = (5.1, 5.0, 3.0, 1.0, 0.9)
    expected = [False, True, True, True, False]
    assert [window.holds_at(sampling, s) for s in sigmas] == expected
    assert [window.holds(Call(views("positive"), open=opened(window, s))) for s in sigmas] == expected


def opened(window: Window, sigma: float) -> tuple[tuple[float, float], ...] | None:
    """What a step notes of the windows that hold at this noise level."""
    model, source = SimpleNamespace(model_sampling=Schedule()), SimpleNamespace(window=window)
    seen: list[Conds] = []
    options = {"transformer_options": {SOURCES: (source,)}}
    with_conds(
        lambda *args: seen.append(args[4]["transformer_options"][CONDS]),
        *(model, [], torch.zeros(1, 4, 2, 2), torch.tensor([sigma]), options),
    )
    return seen[0].open


def test_windows_that_are_always_open_read_no_noise_level() -> None:
    """Reading one waits for the device, and breaks the graph of a compiled network."""
    assert Window(0.0, 1.0).always and not Window(0.0, 0.9).always

    class Unread:
        def flatten(self) -> None:
            raise AssertionError("the noise level was read")

    model = SimpleNamespace(model_sampling=Schedule())
    given = [model, [], torch.zeros(1, 4, 2, 2), Unread()]
    options = {"transformer_options": {SOURCES: (SimpleNamespace(window=Window(0.0, 1.0)),)}}
    assert with_conds(lambda *args: args[4]["transformer_options"][CONDS].open, *given, options) == ()
    options = {"transformer_options": {SOURCES: (SimpleNamespace(window=Window(0.1, 1.0)),)}}
    with pytest.raises(AssertionError, match="was read"):
        with_conds(lambda *args: None, *given, options)


def test_mask_on_tokens_is_nearest() -> None:
    """instantid_arc2face.md part 3, T2b: 32 x 32, ones in rows 8:24 and columns 16:32, on 4 x 4."""
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:24, 16:32] = 1
    tokens = PictureMask(mask).tokens((4, 4), views("positive"), (4, 4), 1, torch.zeros(1))
    wanted = torch.zeros(4, 4)
    wanted[1:3, 2:4] = 1
    assert torch.equal(tokens, wanted.reshape(1, 16, 1))


def test_mask_on_residuals_is_bilinear() -> None:
    mask = torch.rand(1, 64, 96)
    found = PictureMask(mask).residual((8, 12), views("negative", "positive"), 1, torch.zeros(2, 5, 4, 6))
    assert torch.equal(found, F.interpolate(mask[:, None], size=(4, 6), mode="bilinear"))


def test_mask_parts_of_a_call_with_areas() -> None:
    mask = torch.zeros(1, 64, 64)
    mask[..., 32:] = 1
    picture = PictureMask(mask)
    halves = [View("positive", part((8, 4, 0, 0))), View("positive", part((8, 4, 0, 4)))]
    rows = picture.tokens((8, 8), halves, (8, 4), 2, torch.zeros(1))
    assert rows.shape == (4, 32, 1)
    assert [bool(row.any()) for row in rows] == [False, False, True, True] and bool(rows[2:].all())


def test_resized_masks_are_kept_until_the_run_ends() -> None:
    picture = PictureMask(torch.ones(1, 64, 64))
    like = torch.zeros(1)
    first = picture.tokens((8, 8), views("positive"), (8, 8), 1, like)
    assert picture.tokens((8, 8), views("positive"), (8, 8), 1, like) is first
    picture.cleanup()
    assert picture.tokens((8, 8), views("positive"), (8, 8), 1, like) is not first


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.ones(2, 2, 2, 2), "must be"),
        (torch.ones(0, 4, 4), "must be"),
        (torch.full((1, 4, 4), torch.nan), "NaN"),
    ],
)
def test_bad_masks(mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PictureMask(mask)


def test_mask_is_a_copy_of_nothing_but_never_writes() -> None:
    given = torch.tensor([[[0.0, 2.0], [-1.0, 1.0]]])
    assert PictureMask(given).mask.tolist() == [[[0.0, 1.0], [0.0, 1.0]]]
    assert given.tolist() == [[[0.0, 2.0], [-1.0, 1.0]]]


def test_keys_and_values_are_the_projections() -> None:
    tokens = torch.randn(2, 3, 6)
    pairs = [(torch.randn(h, 6), torch.randn(h, 6)) for h in (4, 8)]
    kept = project(tokens, [(k.half().float(), v) for k, v in pairs])
    assert kept.values == 2 * 2 * 3 * (4 + 8) and kept.bytes(torch.float16) == 2 * kept.values
    for (keys, values), (to_k, to_v) in zip(kept.on(tokens), pairs, strict=True):
        assert torch.allclose(keys, tokens @ to_k.half().float().T, atol=1e-6)
        assert torch.allclose(values, tokens @ to_v.T, atol=1e-6)


def test_keys_and_values_follow_the_queries() -> None:
    kept = project(torch.randn(2, 3, 6), [(torch.randn(4, 6), torch.randn(4, 6))])
    half = torch.zeros(1, dtype=torch.float16)
    assert kept.on(half)[0][0].dtype == torch.float16
    assert kept.on(half) is kept.on(half)
    kept.cleanup()
    assert kept._lent == {}


#: A layer.
MIDDLE = ("middle", 0, 0)


def heads_of_16(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: object) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (-1, 16)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize(
    ("weight", "masked", "first", "last", "total"),
    [
        (0.8, False, (-1.139551, -0.733525, -0.894983, -0.109758), (-2.446706, 0.332195), 1887.97574),
        (0.8, True, (0.130838, 0.492746, -0.023369, 0.497489), (-0.26929, 0.155675), 870.79808),
        (0.0, False, (0.130838, 0.492746, -0.023369, 0.497489), (-0.26929, 0.155675), 532.45951),
    ],
)
def test_the_authors_decoupled_attention(
    weight: float, masked: bool, first: tuple[float, ...], last: tuple[float, ...], total: float
) -> None:
    """instantid_arc2face.md part 3, T2a to T2c: 16 queries of width 64, prompt 48, 4 heads of 16."""
    shapes = {"to_q.weight": (64, 64), "to_k.weight": (64, 48), "to_v.weight": (64, 48)}
    base = filled({**shapes, "to_out.0.weight": (64, 64), "to_out.0.bias": (64,)}, 0.5)
    layer = filled({"to_k_ip.weight": (64, 48), "to_v_ip.weight": (64, 48)}, 0.6)
    hidden, text = inputs((2, 16, 64), 1), inputs((2, 7, 48), 2)
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:24, 16:32] = 1
    projector = Resampler.build(filled(resampler_shapes(), 0.4), dim_head=16)
    tokens = projector(torch.cat([torch.zeros(1, 1, 32), inputs((1, 1, 32), 0, 6)]))
    kept = project(tokens, [(layer["to_k_ip.weight"], layer["to_v_ip.weight"])])
    mask_of = PictureMask(mask) if masked else None
    source = AddedAttention(kept, {MIDDLE: 0}, weight, Window(0.0, 1.0), mask_of, heads_of_16)
    q, k, v = (F.linear(x, base[f"to_{n}.weight"]) for n, x in (("q", hidden), ("k", text), ("v", text)))
    options = {"original_shape": [2, 4, 4, 4], "activations_shape": [2, 64, 4, 4]}
    patch = SitePatch(("attn2", MIDDLE), (source,), heads_of_16)
    out = patch(q, k, v, {**options, CALL: Call(views("negative", "positive"))})
    found = F.linear(out, base["to_out.0.weight"], base["to_out.0.bias"]).flatten()
    assert torch.allclose(found[:4], torch.tensor(first), atol=2e-5)
    assert torch.allclose(found[-2:], torch.tensor(last), atol=2e-5)
    assert abs(float(found.abs().sum()) - total) < 2e-2


def test_a_patch_outside_the_host_s_wrappers_still_works() -> None:
    """Somebody may run the network alone: the call's facts are then read from the options."""
    kept = project(torch.randn(2, 3, 6), [(torch.randn(16, 6), torch.randn(16, 6))])
    source = AddedAttention(kept, {MIDDLE: 0}, 1.0, Window(0.5, 0.9), None, heads_of_16)
    patch = SitePatch(("attn2", MIDDLE), (source,), heads_of_16)
    q = torch.randn(1, 4, 16)
    base = heads_of_16(q, q, q, {})
    options = {"sigmas": torch.tensor([2.0]), "cond_or_uncond": [0]}
    assert not torch.equal(patch(q, q, q, options), base)
    late = {**options, CONDS: Conds((4, 4), open=opened(Window(0.5, 0.9), 9.0))}
    assert torch.equal(patch(q, q, q, late), base)
