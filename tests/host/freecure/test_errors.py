"""What FreeCure refuses, with a sentence saying what to do; and which other patches it works with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.golden import Golden, relative_error

GOLDEN = Golden("freecure")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def prompt(name: str, **facts: Any) -> list[Any]:
    sizes = {"width": WIDTH, "height": HEIGHT, "target_width": WIDTH, "target_height": HEIGHT}
    pooled = {"pooled_output": GOLDEN["in.pooled_positive"], "crop_w": 0, "crop_h": 0, **sizes}
    return [[GOLDEN[f"in.{name}"], {**pooled, **facts}]]


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    model = GOLDEN.model()

    def guide(**inputs: Any) -> Any:
        given: dict[str, Any] = {"personalised": model, "foundation": model, "cfg": 5.0}
        given |= {"positive": prompt("positive_personalised"), "negative": prompt("negative_personalised")}
        given |= {"foundation_positive": prompt("positive_foundation"), "mask": GOLDEN["in.mask"][0]}
        return pack.node("LikenessFreeCureGuider").execute(**{**given, **inputs})[0]

    return SimpleNamespace(model=model, guide=guide, noise=GOLDEN["in.x"])


def run(guider: Any, noise: torch.Tensor, sampler: Any = "euler") -> torch.Tensor:
    import comfy.samplers

    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    sigmas = torch.tensor([3.0, 1.0, 0.0])
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=1)


# MODELs


def test_two_loaders_are_refused(room: Any) -> None:
    with pytest.raises(ValueError, match=r"two loaders.*same Load Checkpoint"):
        room.guide(foundation=GOLDEN.model())


def test_a_lora_on_one_model_is_refused_and_on_both_is_not(room: Any) -> None:
    name = "diffusion_model.out.2.weight"
    shape = room.model.model.diffusion_model.out[2].weight.shape
    patched = room.model.clone()
    patched.add_patches({name: ("diff", (torch.full(shape, 0.05),))}, 1.0)
    with pytest.raises(ValueError, match=r"different LoRAs.*right after Load Checkpoint"):
        room.guide(personalised=patched)
    both = run(room.guide(personalised=patched, foundation=patched.clone()), room.noise)
    assert relative_error(both, run(room.guide(), room.noise)) > 1e-3


def test_loras_beside_the_weights_are_told_apart(room: Any) -> None:
    """The host's Load LoRA (Bypass): it computes beside a layer and leaves no patch of its weights."""
    from comfy.sd import load_bypass_lora_for_models

    out, inside = room.model.model.diffusion_model.time_embed[0].weight.shape
    up, down = torch.ones(out, 1), torch.full((1, inside), 0.02)
    name = "lora_unet_time_embed_0"
    lora = {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}

    def with_lora(strength: float) -> Any:
        return load_bypass_lora_for_models(room.model, None, lora, strength, 0.0)[0]

    one = with_lora(1.0)
    with pytest.raises(ValueError, match=r"different LoRAs.*right after Load Checkpoint"):
        room.guide(personalised=one, foundation=with_lora(0.5))
    both = run(room.guide(personalised=one, foundation=one.clone()), room.noise)
    assert relative_error(both, run(room.guide(), room.noise)) > 1e-3


def test_other_sampling_on_one_model_is_refused(room: Any) -> None:
    patched = room.model.clone()
    patched.add_object_patch("model_sampling", room.model.get_model_object("model_sampling"))
    with pytest.raises(ValueError, match="sampling nodes once"):
        room.guide(foundation=patched)


def test_context_windows_are_refused(room: Any) -> None:
    windows = room.model.clone()
    windows.model_options["context_handler"] = object()
    with pytest.raises(ValueError, match="foundation samples in context windows"):
        room.guide(foundation=windows)


def test_several_gpus_are_refused(room: Any) -> None:
    spread = room.model.clone()
    spread.set_additional_models("multigpu", [room.model.clone()])
    with pytest.raises(ValueError, match="personalised runs on several GPUs"):
        room.guide(personalised=spread)


# Prompts


@pytest.mark.parametrize("name", ["positive", "negative", "foundation_positive", "foundation_negative"])
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"area": (8, 8, 0, 0)}, "region of the picture"),
        ({"mask": torch.ones(1, 16, 16)}, "region of the picture"),
        ({"end_percent": 0.5}, "part of the steps"),
        ({"hooks": object()}, "scheduled LoRAs"),
    ],
)
def test_prompts_for_a_part_are_refused(room: Any, name: str, facts: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} .*{words}"):
        room.guide(**{name: prompt("positive_foundation", **facts)})


def test_several_prompts_are_refused_where_they_would_have_to_be_paired(room: Any) -> None:
    two = prompt("positive_foundation") + prompt("positive_personalised")
    with pytest.raises(ValueError, match="positive holds 2 prompts"):
        room.guide(positive=two)
    with pytest.raises(ValueError, match="negative holds 2 prompts"):
        room.guide(negative=two, style_fidelity=0.5)
    assert torch.isfinite(run(room.guide(negative=two), room.noise)).all()


def test_a_control_of_the_positive_stays_off_the_foundation(room: Any) -> None:
    import comfy.controlnet

    class Counting(comfy.controlnet.ControlBase):
        calls = 0

        def get_control(self, x: Any, t: Any, cond: Any, batched: int, options: Any) -> Any:
            self.calls += 1
            return None

    control = Counting()
    given = {"control": control, "control_apply_to_uncond": True}
    plain = run(room.guide(), room.noise)
    found = run(room.guide(positive=prompt("positive_personalised", **given)), room.noise)
    # Once for each of the two steps: positive and negative of the personalised model go together.
    assert control.calls == 2 and torch.equal(found, plain)


# Widgets and samplers


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"layers": "12-17"}, "numbered 0 to 16"),
        ({"layers": "deep"}, "is not understood"),
        ({"start": 0.6, "end": 0.4}, "is after end"),
        ({"mode": "other"}, "mode must be one of"),
        ({"mask": torch.ones(1, 64, 128)}, "another shape"),
        ({"mask": torch.ones(3, 128, 128)}, "3 masks but the batch has 1"),
    ],
)
def test_bad_input_is_named(room: Any, inputs: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run(room.guide(**inputs), room.noise)


def test_adaptive_samplers_are_refused(room: Any) -> None:
    with pytest.raises(ValueError, match=r"dpm_adaptive.*Use dpmpp_2m or euler"):
        run(room.guide(), room.noise, "dpm_adaptive")


# Other patches in self-attention


class Foreign:
    """Another pack's self-attention: half as strong, with the host's own attention."""

    calls = 0

    def __call__(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: Any) -> torch.Tensor:
        from comfy.ldm.modules.attention import optimized_attention

        self.calls += 1
        return 0.5 * optimized_attention(q, k, v, options["n_heads"])


def with_foreign(model: Any, short_key: bool) -> tuple[Any, Foreign]:
    foreign, model = Foreign(), model.clone()
    key = ("output", 5) if short_key else ("output", 5, 0)
    model.set_model_patch_replace(foreign, "attn1", *key)
    return model, foreign


@pytest.mark.parametrize("short_key", [True, False])
def test_a_foreign_patch_is_kept_where_no_bias_is_needed(room: Any, short_key: bool) -> None:
    model, foreign = with_foreign(room.model, short_key)
    found = run(room.guide(personalised=model, mode="paper_masked", strength=2.0), room.noise)
    # Two steps; positive and negative rows are asked apart.
    assert foreign.calls == 4
    without = run(room.guide(mode="paper_masked", strength=2.0), room.noise)
    assert relative_error(found, without) > 1e-4


@pytest.mark.parametrize("short_key", [True, False])
def test_a_foreign_patch_is_refused_where_a_bias_is_needed(room: Any, short_key: bool) -> None:
    model, _ = with_foreign(room.model, short_key)
    with pytest.raises(ValueError, match=r"replaces the self-attention of layer .*mode paper"):
        room.guide(personalised=model)
    # On the foundation it only computes what it always computes.
    assert torch.isfinite(run(room.guide(foundation=model), room.noise)).all()
    assert torch.isfinite(run(room.guide(personalised=model, layers="12, 13"), room.noise)).all()


def test_a_bank_in_the_same_layer_is_looked_at_too(pack: Any, room: Any) -> None:
    """Our own reference attention has keys after FreeCure's: the bias has to leave them alone."""
    bank = pack.module("likeness.attention.lengthens")
    window = pack.module("likeness.attention.use").Window(0.0, 1.0)
    layers = pack.module("likeness.methods.freecure.layers")
    inject = pack.module("likeness.attention.engine").inject
    sites = layers.execution_order(room.model.model.diffusion_model)[12:]

    def banked(scale: float) -> Any:
        generator = torch.Generator().manual_seed(2)
        stored = {s.key: scale * torch.randn(1, 6, s.hidden, generator=generator) for s in sites}
        source = bank.BankAttention(stored, 1.0, window)
        return inject(room.model, sites, source, "attn1")

    one, other = banked(1.0), banked(1.5)
    found = run(room.guide(personalised=one), room.noise)
    assert relative_error(found, run(room.guide(personalised=other), room.noise)) > 1e-5
    off = run(room.guide(personalised=one, strength=-30.0), room.noise)
    assert relative_error(off, run(room.guide(personalised=one, mask=None), room.noise)) < 1e-5
