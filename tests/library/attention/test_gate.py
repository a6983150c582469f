"""One softmax over text and visual tokens: against loops, in both forms, at the limits. Spec A.2, A.9."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from likeness.attention import gate
from likeness.attention.calls import CALL, CONDS, Call, Conds, Entry, current_call
from likeness.attention.engine import SitePatch
from likeness.attention.gate import JointAttention, VisualTokens, fold
from likeness.attention.hidden import HIDDEN
from likeness.attention.own_rows import OwnRows
from likeness.attention.use import Window
from likeness.attention.views import View

HEADS, WIDTH, TEXT, VISUAL, QUERIES = 4, 8, 7, 5, 6
HIDDEN_WIDTH = HEADS * WIDTH
CONTEXT = 12
MIDDLE = ("middle", 0, 0)
OPTIONS = {"n_heads": HEADS, "attn_precision": None}


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * columns**-0.5

    names = {"q": HIDDEN_WIDTH, "k": CONTEXT, "v": CONTEXT}
    made = {name: matrix(HIDDEN_WIDTH, inside) for name, inside in names.items()}
    made |= {f"visual_{name}": matrix(HIDDEN_WIDTH, inside) for name, inside in names.items()}
    made["hidden"] = 2 * torch.randn(2, QUERIES, HIDDEN_WIDTH, generator=generator)
    made["text"] = 2 * torch.randn(2, TEXT, CONTEXT, generator=generator)
    made["visual"] = 2 * torch.randn(VISUAL, CONTEXT, generator=generator)
    return made


def text_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Any) -> torch.Tensor:
    q, k, v = (gate.split_heads(x, HEADS) for x in (q, k, v))
    return gate.merge_heads(F.scaled_dot_product_attention(q, k, v))


def source(w: dict[str, torch.Tensor], strength: float = 1.0, **changes: Any) -> JointAttention:
    kept = (fold(w["visual_q"], w["visual"] @ w["visual_k"].T, HEADS), w["visual"] @ w["visual_v"].T)
    given = {"window": Window(0, 1), "roles": frozenset({"positive"}), "precision": lambda o, d: d, **changes}
    return JointAttention("Test", VisualTokens([kept]), {MIDDLE: 0}, strength, **given)


def call(*roles: Any, repeats: tuple[int, ...] = ()) -> Call:
    pairs = zip(roles, repeats or (1,) * len(roles), strict=True)
    return Call(tuple(View(role, repeats=repeat) for role, repeat in pairs))


def attend(
    w: dict[str, torch.Tensor], attention: JointAttention, where: Call, inner: Any = text_attention
) -> torch.Tensor:
    q, k, v = w["hidden"] @ w["q"].T, w["text"] @ w["k"].T, w["text"] @ w["v"].T
    foreign = None if inner is text_attention else inner
    patch = SitePatch(("attn2", MIDDLE), (attention,), text_attention, base=foreign)
    return patch(q, k, v, {**OPTIONS, HIDDEN: w["hidden"], CALL: where})


def by_loops(w: dict[str, torch.Tensor], strength: float = 1.0) -> torch.Tensor:
    """The formula of spec A.2, number by number, in float64."""
    w = {key: value.double() for key, value in w.items()}
    out = torch.zeros(2, QUERIES, HIDDEN_WIDTH, dtype=torch.float64)
    for row in range(2):
        for query in range(QUERIES):
            h = w["hidden"][row, query]
            for head in range(HEADS):
                part = slice(head * WIDTH, (head + 1) * WIDTH)
                sums, total = torch.zeros(WIDTH, dtype=torch.float64), 0.0
                for kind, tokens, factor in (("", w["text"][row], 1.0), ("visual_", w["visual"], strength)):
                    q = (w[f"{kind}q"] @ h)[part]
                    for token in tokens:
                        logit = float(q @ (w[f"{kind}k"] @ token)[part]) / math.sqrt(WIDTH)
                        total += factor * math.exp(logit)
                        sums += factor * math.exp(logit) * (w[f"{kind}v"] @ token)[part]
                out[row, query, part] = sums / total
    return out


def fused(w: dict[str, torch.Tensor]) -> torch.Tensor:
    """The other exact form: one attention, text and visual queries side by side in each head."""
    hidden, text, visual = w["hidden"], w["text"], w["visual"].expand(2, -1, -1)
    split = [
        gate.split_heads(x @ w[name].T, HEADS)
        for x, names in ((hidden, ("q", "visual_q")), (text, ("k", "v")), (visual, ("visual_k", "visual_v")))
        for name in names
    ]
    q_t, q_v, k_t, v_t, k_v, v_v = split
    keys = torch.cat([F.pad(k_t, (0, WIDTH)), F.pad(k_v, (WIDTH, 0))], dim=2)
    values = torch.cat([v_t, v_v], dim=2)
    q = torch.cat([q_t, q_v], dim=-1)
    return gate.merge_heads(F.scaled_dot_product_attention(q, keys, values, scale=WIDTH**-0.5))


@pytest.mark.parametrize("strength", [1.0, 0.25, 3.0])
def test_the_formula(strength: float) -> None:
    w = weights()
    found = attend(w, source(w, strength), call("positive"))
    assert torch.allclose(found.double(), by_loops(w, strength), atol=1e-5)


def test_both_forms_agree() -> None:
    w = {key: value.double() for key, value in weights().items()}
    assert torch.allclose(attend(w, source(w), call("positive")), fused(w), atol=1e-12)


def test_queries_in_turns_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    w = weights()
    whole = attend(w, source(w), call("positive"))
    monkeypatch.setattr(gate, "_LOGITS", 2 * HEADS * TEXT * 4)  # four queries at a time
    assert torch.allclose(attend(w, source(w), call("positive")), whole, atol=1e-6)


def test_no_visual_tokens_are_the_text_alone_to_the_bit() -> None:
    w = weights()
    none = {**w, "visual": w["visual"][:0]}
    plain = attend(w, source(w), call("negative"))
    assert torch.equal(attend(w, source(none), call("positive")), plain)


def test_fresh_weights_that_see_the_text_twice_change_nothing() -> None:
    """A2: copies of keys and values leave a softmax as it is."""
    w = weights()
    w |= {f"visual_{name}": w[name] for name in ("q", "k", "v")}
    w["text"], w["visual"] = w["text"][:1].expand(2, -1, -1), w["text"][0]
    plain = attend(w, source(w), call("negative"))
    assert torch.allclose(attend(w, source(w), call("positive")), plain, atol=1e-6)


def test_a_tiny_strength_is_the_text_alone() -> None:
    w = weights()
    found, plain = (attend(w, source(w, 1e-20), call(role)) for role in ("positive", "negative"))
    assert torch.allclose(found, plain, atol=1e-6)


def test_only_rows_of_the_given_roles_look() -> None:
    w = weights()
    both, neither = attend(w, source(w), call("positive")), attend(w, source(w), call("negative"))
    mixed = attend(w, source(w), call("negative", "positive"))
    assert torch.equal(mixed[:1], neither[:1]) and torch.allclose(mixed[1:], both[1:], atol=1e-6)
    everyone = source(w, roles=frozenset({"positive", "negative"}))
    assert torch.equal(attend(w, everyone, call("negative", "positive")), both)


def test_repeated_text_counts_once() -> None:
    w = weights()
    wanted = attend(w, source(w), call("positive"))
    twice = {**w, "text": w["text"].repeat(1, 2, 1)}
    found = attend(twice, source(w), call("positive", "positive", repeats=(2, 2)))
    assert torch.allclose(found, wanted, atol=1e-6)
    assert not torch.allclose(attend(twice, source(w), call("positive")), wanted, atol=1e-2)


def test_prompts_of_different_lengths_in_one_call() -> None:
    """The host repeats the shorter up to the least common multiple; the longer's rows need nothing."""
    lengths = {(0, "long"): 154, (1, "short"): 77, (1, "odd"): 231}
    facts = Conds((4, 4), (), {key: Entry(length=length) for key, length in lengths.items()})

    def repeats(options: dict[str, Any]) -> tuple[int, ...]:
        return tuple(view.repeats for view in current_call(options).views)

    options = {CONDS: facts, "cond_or_uncond": [0, 1, 1], "uuids": ["long", "short", "odd"]}
    assert repeats(options) == (3, 6, 2)
    assert [view.repeats for view in current_call(options).chunks(1, 2).views] == [6]
    assert repeats({**options, "uuids": ["long", "short", "unknown"]}) == (1, 2, 1)
    assert repeats({"cond_or_uncond": [0, 1]}) == (1, 1)


def test_on_top_of_another_adapter() -> None:
    """A12: the gate's residual is added to what is there, and computed from the text alone."""
    w = weights()
    plain, full = attend(w, source(w), call("negative")), attend(w, source(w), call("positive"))
    other = torch.randn(plain.shape, generator=torch.Generator().manual_seed(3))
    found = attend(w, source(w), call("positive"), lambda q, k, v, options: other)
    assert torch.allclose(found, other + (full - plain), atol=1e-6)


def test_half_precision_takes_its_logits_in_float32_where_the_host_says_so() -> None:
    """Logits beyond float16's range: the host gives SD2 float32 for that."""
    w = weights()
    w["q"], w["hidden"] = w["q"] * 300, w["hidden"] * 20
    half = {key: value.half() for key, value in w.items()}
    wanted = attend({key: value.float() for key, value in half.items()}, source(w), call("positive"))
    found = attend(half, source(w, precision=lambda options, dtype: torch.float32), call("positive"))
    assert found.dtype == torch.float16
    assert torch.allclose(found.float(), wanted, atol=1e-2)


def test_the_maths_carries_gradients() -> None:
    w = {key: value.clone().requires_grad_() for key, value in weights().items()}
    q, k, v = w["hidden"] @ w["q"].T, w["text"] @ w["k"].T, w["text"] @ w["v"].T
    text_logits = gate.scaled_logits(q, k, HEADS)
    text = gate.mixed(text_logits, gate.split_heads(v, HEADS))
    visual = w["visual"].expand(2, -1, -1)
    logits = gate.scaled_logits(w["hidden"] @ w["visual_q"].T, visual @ w["visual_k"].T, HEADS)
    values = gate.split_heads(visual @ w["visual_v"].T, HEADS)
    out = gate.merge_heads(text + gate.gated(text, gate.log_weight(text_logits), logits, values))
    assert torch.allclose(out.detach().double(), by_loops({n: x.detach() for n, x in w.items()}), atol=1e-5)
    out.square().sum().backward()
    assert all(float(x.grad.abs().sum()) > 0 for x in w.values())


def test_tokens_are_lent_and_given_back() -> None:
    w = weights()
    attention = source(w)
    attend(w, attention, call("positive"))
    assert attention.tokens._lent
    attention.cleanup()
    assert not attention.tokens._lent


def test_what_is_kept_for_sd2_is_small() -> None:
    """8 MB in float32; the visual queries alone would be 50 MB."""
    widths = [320] * 5 + [640] * 5 + [1280] * 6
    layers = [
        (torch.empty(10 * d // 64, d, device="meta"), torch.empty(10, d, device="meta")) for d in widths
    ]
    folded = fold(torch.empty(1280, 1280, device="meta"), torch.empty(10, 1280, device="meta"), 20)
    assert folded.shape == layers[-1][0].shape
    assert 4 * VisualTokens(layers).values == 8_243_200


def test_without_the_hosts_wrappers_it_is_explained() -> None:
    w = weights()
    patch = SitePatch(("attn2", MIDDLE), (source(w),), text_attention)
    q = w["hidden"] @ w["q"].T
    with pytest.raises(RuntimeError, match="Test: the network was run without the host's wrappers"):
        patch(q, w["text"] @ w["k"].T, w["text"] @ w["v"].T, {**OPTIONS, "cond_or_uncond": [0]})


# ---- beside a source that lengthens the keys


def weighed(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Any, bias: Any = None) -> Any:
    q, k, v = (gate.split_heads(x, HEADS) for x in (q, k, v))
    return gate.merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=bias))


def held(w: dict[str, torch.Tensor], where: Call, first: bool, **given: Any) -> torch.Tensor:
    """With the first three tokens once more, before or after the visual ones are put in."""
    q, k, v = w["hidden"] @ w["q"].T, w["text"] @ w["k"].T, w["text"] @ w["v"].T
    own = OwnRows(3, TEXT, given.pop("hold"), Window(0, 1))
    sources = (own, source(w, **given)) if first else (source(w, **given), own)
    patch = SitePatch(("attn2", MIDDLE), sources, weighed)
    return patch(q, k, v, {**OPTIONS, HIDDEN: w["hidden"], CALL: where})


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("acting", [("positive",), ("negative",), ("positive", "negative")])
@pytest.mark.parametrize("roles", [("positive", "negative"), ("negative", "positive"), ("positive",) * 2])
def test_tokens_that_are_held_count_in_the_same_softmax(
    roles: tuple[Any, ...], acting: tuple[Any, ...], copies: int, first: bool
) -> None:
    """As if their rows stood behind the prompt so many times more, in positive rows alone."""
    w = {key: value.double() for key, value in weights().items()}
    where = call(*roles)
    found = held(w, where, first, hold=float(copies), strength=2.0, roles=frozenset(acting))
    longer = torch.cat([w["text"], *[w["text"][:, :3]] * copies], dim=1)
    for row, role in enumerate(roles):
        text = longer if role == "positive" else w["text"]
        alone = attend({**w, "text": text}, source(w, 2.0, roles=frozenset(acting)), where)
        assert torch.allclose(found[row], alone[row], atol=1e-12)


def test_held_tokens_of_a_repeated_prompt_count_as_once() -> None:
    w = {key: value.double() for key, value in weights().items()}
    longer = torch.cat([w["text"], w["text"][:, :3]], dim=1)
    alone = attend({**w, "text": longer}, source(w), call("positive", "positive"))
    twice = {**w, "text": w["text"].repeat(1, 2, 1)}
    where = call("positive", "positive", repeats=(2, 2))
    assert torch.allclose(held(twice, where, True, hold=1.0), alone, atol=1e-12)
