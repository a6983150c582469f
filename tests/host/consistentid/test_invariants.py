"""What ConsistentID promises in the real host: rows, batches, masks, company, and bad input told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support import consistentid_files, emojidiff
from support.fill import fill
from support.golden import relative_error
from support.sampling import denoise, sample

HEIGHT, WIDTH = 64, 96
SIGMA = 1.6
CONTEXT = {"sd15": 64, "sdxl": 128}

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    """Tiny SD1.5, also in float64, a file for it, what it saw of two people, the node with the rest given."""
    load = host.CheckpointLoaderSimple().load_checkpoint
    model, clip, _ = load("tiny_sd15.safetensors")
    exact = load("tiny_sd15.safetensors")[0]
    exact.model.diffusion_model.to(torch.float64).dtype = torch.float64
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    adapter = parsed(pack, sites, CONTEXT["sd15"])
    node = pack.node("LikenessApplyConsistentID")
    one, other = (saw(pack, adapter, seed) for seed in (1, 2))

    def apply(model: Any = model, **inputs: Any) -> Any:
        return node.execute(model=model, **{"consistentid": adapter, "features": one, **inputs})[0]

    return SimpleNamespace(
        model=model,
        exact=exact,
        clip=clip,
        sites=sites,
        adapter=adapter,
        one=one,
        other=other,
        apply=apply,
        positive=[[seeded(1, 77, CONTEXT["sd15"], seed=1), {}]],
        negative=[[seeded(1, 77, CONTEXT["sd15"], seed=2), {}]],
        x=seeded(1, 4, HEIGHT // 8, WIDTH // 8, seed=3),
    )


def parsed(pack: Any, sites: Any, context: int, name: str = "tiny") -> Any:
    content = consistentid_files.content([site.hidden for site in sites], context)
    return pack.module("likeness.methods.consistentid.adapter").parse(content, {}, name)


def saw(pack: Any, adapter: Any, seed: int, parts: Any = ("face", "eyes", "ears", "nose", "mouth")) -> Any:
    states = seeded(2 + len(parts), 17, consistentid_files.VISION, seed=seed)
    states[0] = seeded(17, consistentid_files.VISION, seed=0)  # the zero picture is everybody's
    face = F.normalize(seeded(1, 512, seed=seed), dim=-1)
    return pack.module("likeness.methods.consistentid.encode").features_of(adapter, face, states, parts)


def run(room: Any, model: Any, batch: int = 1) -> torch.Tensor:
    noise = seeded(batch, 4, HEIGHT // 8, WIDTH // 8, seed=5) * 14.6
    return sample(model, room.positive, room.negative, noise)


def both(
    room: Any, model: Any, x: torch.Tensor | None = None, **more: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    given = {"positive": room.positive, "negative": room.negative, "sigma": SIGMA, **more}
    return denoise(model, x=room.x if x is None else x, **given)


def plain_weights(room: Any, strength: float) -> Any:
    """A model with the LoRA's products added to its weights, by the file's numbers and nothing else."""
    model, hidden = room.exact.clone(), [site.hidden for site in room.sites]
    content = consistentid_files.content(hidden, CONTEXT["sd15"])["adapter_modules"]
    blocks = [
        *(f"input_blocks.{n}.1" for n in (1, 2, 4, 5, 7, 8)),
        *(f"output_blocks.{n}.1" for n in range(3, 12)),
    ]
    changes = {}
    for place, block in enumerate([*blocks, "middle_block.1"]):
        for number, layer in ((2 * place, "attn1"), (2 * place + 1, "attn2")):
            for name, target in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("out", "to_out.0")):
                up, down = (content[f"{number}.to_{name}_lora.{half}.weight"] for half in ("up", "down"))
                key = f"diffusion_model.{block}.transformer_blocks.0.{layer}.{target}.weight"
                changes[key] = ("diff", (strength * (up.double() @ down.double()),))
    assert len(model.add_patches(changes)) == len(changes) == 128
    return model


# Nothing to do


def test_both_strengths_0_leave_the_model(room: Any) -> None:
    assert room.apply(weight=0.0, lora_strength=0.0) is room.model


@pytest.mark.parametrize(
    "inputs",
    [{"weight": 0.0}, {"start": 0.5, "end": 0.5}, {"mask": torch.zeros(1, HEIGHT, WIDTH)}],
    ids=["weight 0", "empty window", "empty mask"],
)
def test_without_the_tokens_only_the_weights_are_others(room: Any, inputs: dict[str, Any]) -> None:
    assert room.apply(**inputs, lora_strength=0.0) is room.model
    found = both(room, room.apply(room.exact, **inputs, lora_strength=0.7))
    for found_side, wanted in zip(found, both(room, plain_weights(room, 0.7)), strict=True):
        assert relative_error(found_side, wanted) <= 1e-5


def test_outside_the_window_the_tokens_are_not_there(room: Any) -> None:
    patched = room.apply(end=0.2, lora_strength=0.0)
    for found, wanted in zip(both(room, patched, sigma=0.3), both(room, room.model, sigma=0.3), strict=True):
        assert torch.equal(found, wanted)
    early = both(room, patched, sigma=14.0)[0]
    assert relative_error(early, both(room, room.model, sigma=14.0)[0]) > 1e-5


# Company: a plain sum


def heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (4, -1)).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def written_out(room: Any, model: Any, people: list[tuple[Any, float, torch.Tensor]]) -> Any:
    """Text and tokens as one plain function per layer, row for row."""
    model = model.clone()
    for n, site in enumerate(room.sites):
        pair = [weight.double() for weight in room.adapter.layers.pairs[n]]

        def cross(q: Any, k: Any, v: Any, options: Any, pair: Any = pair) -> torch.Tensor:
            out = heads(q, k, v)
            h, w = options["activations_shape"][-2:]
            batch = len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                negative = options["cond_or_uncond"][row // batch] == 1
                for features, weight, mask in people:
                    where = F.interpolate(mask[:, None].double(), size=(h, w), mode="nearest").reshape(
                        1, -1, 1
                    )
                    t = features.tokens.nobody if negative else features.tokens.somebody
                    k_tokens, v_tokens = (t.double() @ each.T for each in pair)
                    out[row] += (weight * where * heads(q[row : row + 1], k_tokens, v_tokens))[0]
            return out

        model.set_model_attn2_replace(cross, *site.key)
    return model


def test_two_people_and_the_weights_equal_a_plain_loop(room: Any) -> None:
    left, right = torch.zeros(2, 1, HEIGHT, WIDTH)
    left[..., :48], right[..., 48:] = 1, 1
    people = [(room.one, 0.8, left), (room.other, 1.3, right)]
    stacked = room.apply(room.exact, weight=0.8, mask=left)
    stacked = room.apply(stacked, features=room.other, weight=1.3, mask=right, lora_strength=0.0)
    wanted = both(room, written_out(room, plain_weights(room, 1.0), people))
    for found, exact, plain in zip(both(room, stacked), wanted, both(room, room.exact), strict=True):
        assert relative_error(found, exact) <= 1e-5
        assert relative_error(found, plain) > 1e-3


def test_the_order_of_methods_does_not_matter(pack: Any, room: Any) -> None:
    """With an E-adapter, and with a LoRA of the host: terms of one sum, and of another."""
    content = emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers()))
    adapter = pack.module("likeness.methods.emojidiff.adapter").parse(content, {}, "tiny")
    every = adapter.projector(seeded(2, 17, emojidiff.VISION, seed=4))
    tokens = pack.module("likeness.adapters").Tokens(every[1:], every[:1], adapter.made)
    node = pack.node("LikenessApplyEAdapter")

    def expressed(model: Any) -> Any:
        return node.execute(model=model, eadapter=adapter, expression_tokens=tokens)[0]

    def with_lora(model: Any) -> Any:
        key = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight"
        model = model.clone()
        assert model.add_patches({key: ("diff", (fill("lora", (32, 32)) * 0.3,))})
        return model

    ways = (lambda m: with_lora(expressed(room.apply(m))), lambda m: room.apply(expressed(with_lora(m))))
    first, second = (both(room, way(room.exact)) for way in ways)
    alone = both(room, room.apply(room.exact))
    for a, b, c in zip(first, second, alone, strict=True):
        assert relative_error(a, b) <= 1e-6
        assert relative_error(a, c) > 1e-4


# Rows and runs


def test_together_alone_and_in_any_order_rows_are_the_same(room: Any) -> None:
    patched = room.apply(room.exact)
    together = both(room, patched)
    assert relative_error(together[0], both(room, patched, cfg=1.0)[0]) <= 1e-6
    longer = [[seeded(1, 77 * 5 + 1, CONTEXT["sd15"], seed=9), {}]]
    assert relative_error(both(room, patched, negative=longer)[0], together[0]) <= 1e-6
    assert relative_error(both(room, patched, positive=longer)[1], together[1]) <= 1e-6
    two = both(room, patched, positive=[*room.positive, *room.positive])
    assert relative_error(two[0], together[0]) <= 1e-6 and relative_error(two[1], together[1]) <= 1e-6
    pictures = seeded(3, 4, HEIGHT // 8, WIDTH // 8, seed=8)
    batch = both(room, patched, pictures)
    for n in range(3):
        alone = both(room, patched, pictures[n : n + 1])
        assert all(relative_error(batch[side][n : n + 1], alone[side]) <= 1e-6 for side in (0, 1))


def test_negative_rows_look_at_nobody(room: Any) -> None:
    first, second = (both(room, room.apply(room.exact, features=f)) for f in (room.one, room.other))
    assert relative_error(first[0], second[0]) > 1e-4
    without = both(room, room.apply(room.exact, weight=0.0))
    assert relative_error(first[1], without[1]) > 1e-4
    assert relative_error(first[1], second[1]) <= 1e-9


def test_three_runs_equal_one_and_branches_stay_apart(room: Any) -> None:
    plain, once = run(room, room.model), run(room, room.apply())
    before = {key: value.clone() for key, value in room.one.parts.items()}
    for _ in range(3):
        again = room.apply()
    other = room.apply(again, features=room.other)
    assert relative_error(run(room, other), once) > 1e-5
    assert torch.equal(run(room, again), once)
    assert torch.equal(run(room, room.model), plain)
    assert all(torch.equal(before[key], value) for key, value in room.one.parts.items())


def test_keys_and_values_alone_stay_while_sampling(room: Any) -> None:
    """4 tokens for each of two roles; the file's LoRA is the host's business."""
    slots = room.apply().model_options["transformer_options"]["patches_replace"]["attn2"]
    kept = slots[room.sites[0].key].sources[-1].keys_values
    assert kept.values == 2 * 2 * 4 * sum(site.hidden for site in room.sites)


# The prompt


def prompted(room: Any, pack: Any, **inputs: Any) -> Any:
    given = {"clip": room.clip, "features": room.one, "text": "a man in a forest", "negative_text": "blurry"}
    made = pack.node("LikenessConsistentIDPrompt").execute(**{**given, **inputs})
    return made[0], made[1]


def test_before_the_switch_the_words_are_the_hosts_own(room: Any, pack: Any) -> None:
    positive, negative = prompted(room, pack, merge_at=0.4)
    (plain, first), (fused, second) = positive
    assert first["end_percent"] == second["start_percent"] == pytest.approx(0.4, abs=1e-3)
    text = "a man in a forestDetail:The person has one face, two ears, two eyes, one nose, and one mouth,"
    own = room.clip.encode_from_tokens(room.clip.tokenize(text))
    assert torch.equal(plain, own)
    rows = (plain - fused).abs().amax(dim=(0, 2)) > 0
    assert rows.sum() == 5
    empty = room.clip.encode_from_tokens(room.clip.tokenize("blurry"))
    assert torch.equal(rows, (negative[0][0] - empty).abs().amax(dim=(0, 2)) > 0)


def test_a_switch_at_an_end_leaves_one_entry(room: Any, pack: Any) -> None:
    (plain, fused), _ = prompted(room, pack, merge_at=0.4)
    (always,), _ = prompted(room, pack, merge_at=0.0)
    (never,), _ = prompted(room, pack, merge_at=1.0)
    assert torch.equal(always[0], fused[0]) and torch.equal(never[0], plain[0])
    assert "start_percent" not in always[1] and "end_percent" not in never[1]


def test_no_parts_no_difference(room: Any, pack: Any) -> None:
    nothing = room.one.only(())
    (plain, fused), negative = prompted(room, pack, features=nothing, merge_at=0.4)
    assert torch.equal(plain[0], fused[0])
    assert torch.equal(negative[0][0], room.clip.encode_from_tokens(room.clip.tokenize("blurry")))


def test_weights_and_long_prompts_work_as_in_the_host(room: Any, pack: Any) -> None:
    (fused,), _ = prompted(room, pack, text="a (tall:1.3) man", merge_at=0.0)
    (light,), _ = prompted(room, pack, text="a tall man", merge_at=0.0)
    assert relative_error(fused[0], light[0]) > 1e-4
    long = "an old tree in the mist, " * 20
    (plain, fused), _ = prompted(room, pack, text=long, merge_at=0.5)
    assert plain[0].shape[1] % 77 == 0 and plain[0].shape[1] > 77
    rows = ((plain[0] - fused[0]).abs().amax(dim=(0, 2)) > 0).nonzero().flatten().tolist()
    assert rows == [7, 10, 13, 16, 20]
    (cut, _), _ = prompted(room, pack, text=long, merge_at=0.5, reading="as released")
    assert cut[0].shape[1] == 77


def test_sliders_on_words_of_a_prompt_with_details(room: Any, pack: Any) -> None:
    """Behind the words, details leave their rows; before them they don't, and that is refused."""
    attributes = pack.module("likeness.methods.attributes")
    size = room.clip.cond_stage_model.clip_l.transformer.get_input_embeddings().weight.shape[1]
    age = attributes.Attribute("age", torch.ones(size))
    slide = pack.node("LikenessApplyAttribute").execute

    def slid(text: str) -> Any:
        prompt = prompted(room, pack, text=text)[0]
        inputs = {"clip": room.clip, "text": text, "attribute": age, "subject": "man", "delay": 0.0}
        return prompt, slide(conditioning=prompt, **inputs)[0]

    for (x, _), (made, _) in zip(*slid("a man in a forest"), strict=True):
        assert (made != x).any(-1)[0].nonzero().flatten().tolist() == [2]
    with pytest.raises(ValueError, match="conditioning has details about a face before the words in it"):
        slid("a man, " + "an old tree in the mist, " * 20)


# Bad input


def said(call: Any, **inputs: Any) -> str:
    with pytest.raises(ValueError) as error:
        call(**inputs)
    return str(error.value)


def test_a_model_of_the_other_base(room: Any, host: Any, pack: Any) -> None:
    sdxl, clip, _ = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    for strengths in ({}, {"lora_strength": 0.0}, {"weight": 0.0}):
        text = said(room.apply, model=sdxl, **strengths)
        assert "model is TinySDXL with prompt tokens of width 128, but tiny was made for 64" in text
    text = said(lambda **more: prompted(room, pack, **more), clip=clip)
    assert text.startswith("clip (clip_l, clip_g) makes prompts 128 wide, but features are of tiny, which ta")


def test_features_of_another_file(room: Any, pack: Any) -> None:
    other = parsed(pack, room.sites, CONTEXT["sd15"], "other.bin")
    text = said(room.apply, consistentid=other)
    assert text.startswith(
        "features were made with tiny, but consistentid is other.bin: connect the same Load"
    )


def test_a_caption_with_two_parts_in_a_phrase_and_an_unknown_reading(room: Any, pack: Any) -> None:
    call = lambda **more: prompted(room, pack, **more)  # noqa: E731
    assert said(call, caption="a face with blue eyes").startswith("caption has face and eyes in one phrase")
    assert said(call, reading="aloud") == "reading must be one of as trained, as released, not 'aloud'."
    assert said(call, merge_at=1.5).startswith("1.5 is no part of the schedule")


def photographed(room: Any, pack: Any, **inputs: Any) -> Any:
    """Encode ConsistentID on the tiny parser and CLIP vision model."""
    given = {
        "consistentid": room.adapter,
        "clip_vision": inputs.pop("clip_vision", None) or tiny_vision(),
        "image": torch.rand(1, 40, 30, 3, generator=torch.Generator().manual_seed(1)),
        "face_parser": SimpleNamespace(
            ready=lambda side: lambda shown: torch.zeros(1, side, side).to(torch.uint8)
        ),
        "identity": pack.module("likeness.values").Identity(seeded(2, 512, seed=6) * 9, "w600k_r50"),
    }
    made = pack.node("LikenessEncodeConsistentID").execute(**{**given, **inputs})
    return made[0], made[1]


def tiny_vision() -> Any:
    import nodes

    return nodes.CLIPVisionLoader().load_clip("tiny_clip_vision.safetensors")[0]


def test_a_photo_without_a_face_still_has_somebody(
    room: Any, pack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    features, seen = photographed(room, pack)
    assert seen.shape == (1, 224, 224, 3) and not features.parts
    assert "The parser sees no part of a face in image: the prompt will know none." in caplog.text
    assert repr(features) == "Features(no parts, tiny)"
    none, _ = photographed(room, pack, parts=[], face_parser=None)
    assert torch.equal(none.tokens.somebody, features.tokens.somebody)


def test_photos_and_identities_that_do_not_fit(room: Any, pack: Any) -> None:
    call = lambda **more: photographed(room, pack, **more)  # noqa: E731
    assert said(call, image=torch.rand(3, 8, 8, 3)).startswith(
        "image holds 3 pictures; ConsistentID looks at one"
    )
    assert said(call, image=torch.full((1, 8, 8, 3), torch.nan)).startswith("The input image holds NaN")
    assert said(call, parts=["chin"]).startswith(
        "parts has no 'chin'. There are: face, eyes, ears, nose, mouth"
    )
    make = pack.module("likeness.values").Identity
    text = said(call, identity=make(torch.ones(1, 512), "glintr100"))
    assert text.startswith("identity was made with glintr100 (") and "w600k_r50 (buffalo_l's" in text
    assert "vectors of 128 numbers" in said(call, identity=make(torch.ones(1, 128), "w600k_r50"))


def test_another_vision_tower(room: Any, pack: Any) -> None:
    content = consistentid_files.content([site.hidden for site in room.sites], CONTEXT["sd15"], vision=1280)
    adapter = pack.module("likeness.methods.consistentid.adapter").parse(content, {}, "real")
    text = said(lambda **more: photographed(room, pack, **more), consistentid=adapter)
    assert "clip_vision gives features of width 48" in text and "real takes 1280" in text
    assert "CLIP-ViT-H-14-laion2B-s32B-b79K" in text
