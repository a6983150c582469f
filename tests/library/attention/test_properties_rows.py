"""Rows of a network call, for any layout: each comes out as it would alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_faces import noise

from likeness.attention import gate
from likeness.attention.adds import AddedAttention, KeysValues, rows_of
from likeness.attention.calls import CALL, CONDS, Call, Conds, Entry, _repeats
from likeness.attention.engine import SitePatch
from likeness.attention.gate import JointAttention, VisualTokens, fold
from likeness.attention.hidden import HIDDEN
from likeness.attention.masks import PictureMask
from likeness.attention.sources import Source
from likeness.attention.use import Window
from likeness.attention.views import Area, Part, View

always = settings(derandomize=True, deadline=None, max_examples=60, database=None)

HEADS, WIDTH, TOKENS = 2, 8, 3
LATENT, GRID = (8, 6), (4, 3)
QUERIES = GRID[0] * GRID[1]
ALWAYS, MIDDLE = Window(0, 1), ("middle", 0, 0)

role = st.sampled_from(("positive", "negative"))
roles_acting = st.sampled_from((("positive",), ("negative",), ("positive", "negative")))
area = st.sampled_from((None, (8, 6, 0, 0), (4, 3, 4, 3), (2, 6, 1, 0), (8, 2, 0, 4)))
seeds = st.integers(0, 999)


@dataclass(frozen=True)
class Layout:
    """Chunks of a call, each with its role, area and how often the host repeats its prompt's tokens."""

    roles: tuple[Any, ...]
    areas: tuple[Area | None, ...]
    lengths: tuple[int, ...]
    batch: int
    seed: int

    @property
    def rows(self) -> int:
        return len(self.roles) * self.batch

    @property
    def full(self) -> int:
        return math.lcm(*self.lengths)

    def call(self) -> Call:
        parts = (None if area is None else part(area) for area in self.areas)
        views = zip(self.roles, parts, _repeats(self.lengths), strict=True)
        return Call(tuple(View(role, shown, repeats=n) for role, shown, n in views), LATENT)

    def numbers(self, which: int, tokens: int) -> torch.Tensor:
        """[rows, tokens, width], other ones for each `which`."""
        return 4 * noise(self.rows, tokens, WIDTH, seed=5 * self.seed + which) - 2


def part(area: Area) -> Part:
    height, width, top, left = area
    return Part(range(top, top + height), range(left, left + width))


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    chunks = draw(st.integers(1, 5))
    roles, areas, lengths = (
        tuple(draw(st.lists(one, min_size=chunks, max_size=chunks)))
        for one in (role, area, st.sampled_from((1, 2, 3, 4, 6)))
    )
    return Layout(roles, areas, lengths, draw(st.integers(1, 4)), draw(seeds))


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Any) -> torch.Tensor:
    q, k, v = (gate.split_heads(x, HEADS) for x in (q, k, v))
    return gate.merge_heads(F.scaled_dot_product_attention(q, k, v))


def options_of(call: Call, rows: int, hidden: torch.Tensor | None = None) -> dict[str, Any]:
    shapes = {"original_shape": [rows, 4, *LATENT], "activations_shape": [rows, WIDTH, *GRID]}
    options = {"n_heads": HEADS, "attn_precision": None, CALL: call, **shapes}
    return options if hidden is None else {**options, HIDDEN: hidden}


def layer(source: Source, foreign: Any = None) -> SitePatch:
    return SitePatch(("attn2", MIDDLE), (source,), attention, base=foreign)


def one_row(layout: Layout, row: int) -> Call:
    """The call that holds this row only: nobody repeats its prompt, for no other one is longer."""
    (view,) = layout.call().chunks(row // layout.batch, row // layout.batch + 1).views
    return Call((replace(view, repeats=1),), LATENT)


# ---- the facts of a call


@always
@given(st.lists(st.none() | st.integers(1, 308), min_size=1, max_size=6))
def test_every_prompt_is_repeated_up_to_one_length(lengths: list[int | None]) -> None:
    repeats = _repeats(lengths)
    filled = {length * repeat for length, repeat in zip(lengths, repeats, strict=True) if length}
    assert filled <= {math.lcm(*(length for length in lengths if length))}
    assert all(repeat == 1 for length, repeat in zip(lengths, repeats, strict=True) if not length)


@always
@given(layouts(), st.data())
def test_some_chunks_of_a_call_keep_their_facts(layout: Layout, data: st.DataObject) -> None:
    call, places = layout.call(), range(len(layout.roles))
    start = data.draw(st.sampled_from(places))
    stop = data.draw(st.sampled_from(places[start:])) + 1
    some = call.chunks(start, stop)
    assert some.views == call.views[start:stop] and some.latent == call.latent
    assert some.chunks(0, 1) == call.chunks(start, start + 1)


@always
@given(layouts(), st.booleans())
def test_a_call_reads_its_chunks_in_the_hosts_order(layout: Layout, named: bool) -> None:
    """Roles by uuid where the prompts have them, whatever number the host gives; else by its 0 and 1."""
    uuids = [f"prompt {n}" for n in range(len(layout.roles))]
    # The guider may give its lists of prompts in any order, and name them.
    sides = list(range(len(layout.roles))) if named else [0 if r == "positive" else 1 for r in layout.roles]
    entries = {
        (side, uuid): Entry(area, length)
        for side, uuid, area, length in zip(sides, uuids, layout.areas, layout.lengths, strict=True)
    }
    conds = Conds(LATENT, layout.roles if named else (), entries)
    call = Call.read({CONDS: conds, "cond_or_uncond": sides, "uuids": uuids})
    assert call.views == layout.call().views


# ---- constant tokens


@always
@given(layouts(), st.booleans())
def test_each_row_gets_the_tokens_of_its_role_and_picture(layout: Layout, each: bool) -> None:
    count = layout.batch if each else 1
    tokens = noise(1 + count, TOKENS, WIDTH, seed=layout.seed)
    before = tokens.clone()
    laid_out = rows_of(tokens, layout.call().views, layout.rows)
    assert laid_out.shape == (layout.rows, TOKENS, WIDTH)
    for row in range(layout.rows):
        chunk, picture = divmod(row, layout.batch)
        positive = 1 + (picture if each else 0)
        assert torch.equal(laid_out[row], tokens[positive if layout.roles[chunk] == "positive" else 0])
    assert torch.equal(tokens, before)


@always
@given(layouts(), st.integers(2, 6))
def test_tokens_for_another_number_of_pictures_are_refused(layout: Layout, count: int) -> None:
    call, tokens = layout.call(), torch.zeros(1 + count, TOKENS, WIDTH)
    if count == layout.batch or "positive" not in layout.roles:
        assert len(rows_of(tokens, call.views, layout.rows)) == layout.rows
    else:
        with pytest.raises(ValueError, match=f"{count} expressions for {layout.batch} pictures"):
            rows_of(tokens, call.views, layout.rows)


# ---- whole sources


@always
@given(layouts(), roles_acting, st.booleans(), st.sampled_from(("no", "one", "each")), st.floats(-2, 2))
def test_added_attention_treats_each_row_as_if_alone(
    layout: Layout, acting: tuple[Any, ...], each: bool, masked: str, weight: float
) -> None:
    count = layout.batch if each else 1
    tokens = 4 * noise(2, 1 + count, TOKENS, WIDTH, seed=layout.seed) - 2
    masks = None
    if masked != "no":
        masks = noise(layout.batch if masked == "each" else 1, 8 * LATENT[0], 8 * LATENT[1], seed=layout.seed)

    def source(kept: torch.Tensor, mask: torch.Tensor | None) -> AddedAttention:
        keys_values = KeysValues(kept.contiguous().flatten(), [tuple(kept.shape[1:])])
        mask_of = None if mask is None else PictureMask(mask)
        return AddedAttention(keys_values, {MIDDLE: 0}, weight, ALWAYS, mask_of, attention, frozenset(acting))

    q, k, v = (layout.numbers(n, tokens) for n, tokens in enumerate((QUERIES, layout.full, layout.full)))
    call = layout.call()
    together = layer(source(tokens, masks))(q, k, v, options_of(call, layout.rows))
    for row in range(layout.rows):
        picture = row % layout.batch
        own = tokens[:, [0, 1 + picture]] if each else tokens
        own_mask = masks if masks is None or len(masks) == 1 else masks[picture : picture + 1]
        parts = (x[row : row + 1] for x in (q, k, v))
        alone = layer(source(own, own_mask))(*parts, options_of(one_row(layout, row), 1))
        assert (together[row] - alone[0]).abs().max() <= 1e-6 * max(1.0, float(alone.abs().max()))
        if layout.roles[row // layout.batch] not in acting:
            assert torch.equal(together[row : row + 1], attention(*(x[row : row + 1] for x in (q, k, v)), {}))


@always
@given(layouts(), roles_acting, st.booleans(), st.floats(0.05, 4))
def test_joint_attention_treats_each_row_as_if_alone(
    layout: Layout, acting: tuple[Any, ...], alone: bool, strength: float
) -> None:
    """Also where the host repeats a short prompt's tokens to batch it with a longer one."""
    visual = fold(noise(WIDTH, WIDTH, seed=1), 2 * noise(TOKENS, WIDTH, seed=2) - 1, HEADS)
    tokens = VisualTokens([(visual, 2 * noise(TOKENS, WIDTH, seed=3) - 1)])
    at, roles = {MIDDLE: 0}, frozenset(acting)
    source = JointAttention("Test", tokens, at, strength, ALWAYS, roles, lambda options, dtype: dtype)
    q, hidden = layout.numbers(0, QUERIES), layout.numbers(1, QUERIES)
    own = [layout.numbers(2 + n, layout.full) for n in range(2)]
    # Each prompt by itself, and filled up to the common length as the host does it.
    lengths = [layout.lengths[row // layout.batch] for row in range(layout.rows)]
    short = [[x[row : row + 1, :length] for row, length in enumerate(lengths)] for x in own]
    k, v = (torch.cat([x.repeat(1, layout.full // x.shape[1], 1) for x in one]) for one in short)

    def foreign(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Any) -> torch.Tensor:
        """What another pack makes of the layer."""
        return 0.5 * attention(q, k, v, options) + q

    patch = layer(source, None if alone else foreign)
    together = patch(q, k, v, options_of(layout.call(), layout.rows, hidden))
    for row in range(layout.rows):
        one = slice(row, row + 1)
        by_itself = options_of(one_row(layout, row), 1, hidden[one])
        expected = patch(q[one], short[0][row], short[1][row], by_itself)
        assert (together[one] - expected).abs().max() <= 2e-6 * max(1.0, float(expected.abs().max()))
