"""PVA's files and its tokens, without a host. Spec A.1, A.9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support import pva_files
from support.fill import fill
from support.golden import Golden, relative_error

from likeness.adapters.projectors import IdentityTransformer
from likeness.methods.pva.content import PVA, Base, identity_tokens, parse_base, parse_person
from likeness.values import Identity

HIDDEN = [16] * 5 + [8] * 10 + [24]
WIDTH = 64
Content = dict[str, Any]


@pytest.fixture(scope="module")
def content() -> Content:
    return pva_files.base(HIDDEN, WIDTH)


@pytest.fixture(scope="module")
def base(content: Content) -> Base:
    return parse_base(content, "FPIP.bin")


def said(content: Content, parse: Callable[..., Any] = parse_base, *more: Any) -> str:
    with pytest.raises(ValueError) as error:
        parse(content, "x.bin", *more)
    return str(error.value)


# ---- files


def test_nested_flat_and_wrapped_files_hold_the_same(content: Content, base: Base) -> None:
    wrapped = {
        part: value if isinstance(value, torch.Tensor) else {f"module.{k}": v for k, v in value.items()}
        for part, value in content.items()
    }
    assert torch.equal(base.word, content["modifier_vec"])
    for other in (parse_base(pva_files.flat(content), "flat"), parse_base(wrapped, "wrapped")):
        assert torch.equal(other.word, base.word)
        assert other.unet.keys() == base.unet.keys() == content["unet"].keys()
        for ours, theirs in zip(
            base.transformer.state_dict().items(), other.transformer.state_dict().items(), strict=True
        ):
            assert ours[0] == theirs[0] and torch.equal(ours[1], theirs[1])


def test_layers_are_in_checkpoint_order_whatever_the_files_order(content: Content) -> None:
    shuffled = {**content, "unet": dict(reversed(content["unet"].items()))}
    pva = PVA(parse_base(shuffled, "shuffled"))
    assert [layer.name for layer in pva.layers] == [pva_files.layer(name) for name in pva_files.LAYERS]
    assert [layer.to_q.shape[0] for layer in pva.layers] == HIDDEN
    assert pva.token_width == WIDTH and repr(pva) == "PVA(shuffled, 16 layers, tokens of 64)"
    assert not pva.tuned


def test_a_persons_layer_goes_over_its_base(base: Base) -> None:
    tuned = pva_files.text(HIDDEN, WIDTH)
    visual = {key: value + 1 for key, value in pva_files.visual(HIDDEN, WIDTH).items()}
    person = parse_person(
        {"modifier_vec": fill("anna", (1, WIDTH)), "unet": {**visual, **tuned}}, "anna", base
    )
    pva = PVA(base, person)
    assert torch.equal(pva.word, fill("anna", (1, WIDTH))[0])
    key = pva_files.layer("mid_block.attentions.0") + ".to_visual_q.weight"
    assert torch.equal(pva.layers[-1].to_q, visual[key]) and torch.equal(pva.unet[key], visual[key])
    assert pva.tuned.keys() == tuned.keys() and len(tuned) == 80
    assert PVA(base).word is base.word and torch.equal(PVA(base).layers[-1].to_q + 1, pva.layers[-1].to_q)
    assert pva.name == "anna over FPIP.bin"


def test_what_the_file_is_instead(content: Content, base: Base) -> None:
    assert "x.bin is no PVA file but a LoRA" in said({"lora_unet_x.lora_up.weight": torch.zeros(1)})
    assert "It lacks modifier_vec" in said({"unet": content["unet"]})
    person = {"modifier_vec": content["modifier_vec"], "unet": content["unet"]}
    assert "x.bin holds one person's layer, not a whole PVA file" in said(person)
    assert "person_file x.bin is a whole PVA file" in said(content, parse_person, base)
    narrow = {"modifier_vec": torch.zeros(32), "unet": {}}
    text = said(narrow, parse_person, base)
    assert "has tokens of width 32, FPIP.bin of 64" in text


def damaged(content: Content, change: Callable[[dict[str, Any]], None]) -> Content:
    copy = {
        part: value if isinstance(value, torch.Tensor) else dict(value) for part, value in content.items()
    }
    change(copy)
    return copy


MIDDLE = pva_files.layer("mid_block.attentions.0")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c.update(clip_vision_model={}),
            "holds parts that PVA's files do not have: clip_vision_model",
        ),
        (lambda c: c["unet"].pop(f"{MIDDLE}.to_visual_v.weight"), f"lacks {MIDDLE}.to_visual_v.weight"),
        (lambda c: c["unet"].clear(), "lacks the part unet"),
        (lambda c: c["unet"].update(stray=torch.zeros(1)), "it holds stray, which PVA has no place for"),
        (
            lambda c: c["unet"].update({f"{MIDDLE}.to_visual_k.weight": torch.zeros(24, 32)}),
            "to_visual_k.weight is [24, 32] instead of [24, 64]",
        ),
        (
            lambda c: c["unet"].update({f"{MIDDLE}.to_visual_k.weight": torch.full((24, 64), torch.nan)}),
            "to_visual_k.weight holds NaN or infinity",
        ),
        (lambda c: c.update(modifier_vec=torch.zeros(32)), "its word has 32 numbers and its tokens 64"),
        (lambda c: c["transform_network"].pop("q_tokens"), "no identity transformer: q_tokens is missing"),
        (lambda c: c["transform_network"].pop("1.norm.bias"), 'Missing key(s) in state_dict: "1.norm.bias"'),
        (lambda c: c["transform_network"].update(y=torch.zeros(1)), 'Unexpected key(s) in state_dict: "y"'),
    ],
)
def test_damaged_files(content: Content, change: Any, sentence: str) -> None:
    assert sentence in said(damaged(content, change))


def test_a_person_of_another_network(base: Base) -> None:
    strange = {"modifier_vec": torch.zeros(WIDTH), "unet": {"down_blocks.3.attentions.0.x": torch.zeros(1)}}
    assert "person_file x.bin does not fit: it holds down_blocks.3" in said(strange, parse_person, base)


# ---- tokens


def test_any_number_of_references_in_any_order(base: Base) -> None:
    """A4."""
    vectors = Golden("pva")["in.reference_embeddings"][0].repeat(2, 1) * torch.arange(1, 7)[:, None]
    for count in range(1, 7):
        tokens = identity_tokens(PVA(base), Identity(vectors[:count], "ms1mv3_r50")).somebody
        assert tokens.shape == (1, 10, WIDTH) and tokens.dtype == torch.float32
        turned = identity_tokens(PVA(base), Identity(vectors[:count].flip(0), "ms1mv3_r50")).somebody
        assert relative_error(turned, tokens) < 1e-5


def test_weights_make_one_reference_of_several(base: Base) -> None:
    vectors = Golden("pva")["in.reference_embeddings"][0]
    weighted = Identity(vectors, "ms1mv3_r50", weights=torch.tensor([1.0, 1.0, 2.0]))
    mean = Identity(weighted.mean[None], "ms1mv3_r50")
    assert torch.equal(
        identity_tokens(PVA(base), weighted).somebody, identity_tokens(PVA(base), mean).somebody
    )


def test_another_recogniser_or_width_is_refused(base: Base) -> None:
    with pytest.raises(ValueError, match=r"made with glintr100 .* understands only ms1mv3_r50"):
        identity_tokens(PVA(base), Identity(torch.ones(1, 512), "glintr100"))
    with pytest.raises(ValueError, match=r"vectors of 128 numbers; FPIP\.bin takes 512"):
        identity_tokens(PVA(base), Identity(torch.ones(1, 128), "ms1mv3_r50"))


def test_the_transformer_has_the_papers_size_and_learns() -> None:
    network = IdentityTransformer(512, 1024, 10, 4, 2048)
    assert sum(p.numel() for p in network.parameters()) == 34_142_208
    assert not network.pos_enc.any()
    small = IdentityTransformer(512, 16, 10, 1, 8).train()
    small(torch.randn(2, 3, 512)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in small.parameters())
