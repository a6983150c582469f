"""A LoRA on Arc2Face's CLIP by the host's hooks is what the same LoRA loaded is, in its part of the steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.golden import relative_error

LORA = "arc2face_hooks.safetensors"
WIDTH, CHANNELS, RANK, SIZE = 512, 32, 4, 128

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(host: Any, pack: Any, base: Path) -> Iterator[SimpleNamespace]:
    file = base / "models" / "loras" / LORA
    file.parent.mkdir(exist_ok=True)
    save_file(lora(), file)
    model, clip = pack.node("LikenessLoadArc2Face").execute(
        unet_file="tiny_arc2face.safetensors", encoder_file="tiny_arc2face_encoder.safetensors"
    )
    vectors = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
    identity = pack.module("likeness.values").Identity(vectors, "arc2face")
    encode = pack.node("LikenessEncodeArc2Face").execute

    def loaded(strength: float) -> tuple[Any, Any]:
        """MODEL and CLIP with the LoRA loaded at this strength."""
        both: tuple[Any, Any] = host.LoraLoader().load_lora(model, clip, LORA, strength, strength)
        return both

    yield SimpleNamespace(
        host=host,
        model=model,
        clip=clip,
        loaded=loaded,
        encode=lambda clip: encode(clip=clip, identity=identity).result,
    )
    file.unlink()


def lora() -> dict[str, torch.Tensor]:
    """Of the first text layer and of one attention of the U-Net."""
    generator = torch.Generator().manual_seed(3)
    widths = {
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj": WIDTH,
        "lora_te_text_model_encoder_layers_0_mlp_fc1": WIDTH,
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_v": CHANNELS,
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_v": CHANNELS,
    }
    made = {}
    for name, width in widths.items():
        made[f"{name}.lora_down.weight"] = torch.randn(RANK, width, generator=generator) * width**-0.5
        made[f"{name}.lora_up.weight"] = torch.randn(width, RANK, generator=generator)
    return made


def hooked(clip: Any, *keyframes: tuple[float, float], **inputs: bool) -> Any:
    """The CLIP with the LoRA as a hook; keyframes are (strength, start) on its schedule."""
    from comfy_extras import nodes_hooks

    (hooks,) = nodes_hooks.CreateHookLora().create_hook(LORA, 1.0, 1.0)
    frames = None
    for strength, start in keyframes:
        (frames,) = nodes_hooks.CreateHookKeyframe().create_hook_keyframe(strength, start, frames)
    (hooks,) = nodes_hooks.SetHookKeyframes().set_hook_keyframes(hooks, frames)
    given = {"apply_to_conds": True, "schedule_clip": bool(keyframes), **inputs}
    return nodes_hooks.SetClipHooks().apply_hooks(clip, hooks=hooks, **given)[0]


def drawn(room: Any, model: Any, positive: Any, negative: Any) -> torch.Tensor:
    latent = {"samples": torch.zeros(2, 4, SIZE // 8, SIZE // 8)}
    sampler = room.host.KSampler()
    out = sampler.sample(model, 1, 3, 3.0, "euler", "normal", positive, negative, latent, 1.0)[0]
    samples: torch.Tensor = out["samples"]
    return samples


def test_a_hook_is_the_lora_loaded(room: Any) -> None:
    model, clip = room.loaded(1.0)
    wanted, found = room.encode(clip), room.encode(hooked(room.clip))
    for one, other, plain in zip(found, wanted, room.encode(room.clip), strict=True):
        assert len(one) == 1 and one[0][0].shape[1:] == (77, WIDTH)
        assert relative_error(one[0][0], other[0][0]) < 1e-5
        assert relative_error(one[0][0], plain[0][0]) > 1e-3
        assert relative_error(one[0][1]["pooled_output"], other[0][1]["pooled_output"]) < 1e-5
    # The hook goes with the prompts to the network, too.
    with_hook = drawn(room, room.model, *found)
    assert relative_error(with_hook, drawn(room, model, *wanted)) < 1e-5
    assert relative_error(with_hook, drawn(room, room.model, *wanted)) > 1e-3


def test_a_schedule_gives_a_prompt_for_each_part_of_the_steps(room: Any) -> None:
    clip = hooked(room.clip, (1.0, 0.0), (0.25, 0.5))
    for side, found in enumerate(room.encode(clip)):
        assert [(f["clip_start_percent"], f["clip_end_percent"]) for _, f in found] == [(0, 0.5), (0.5, 1)]
        for strength, (text, facts) in zip((1.0, 0.25), found, strict=True):
            wanted = room.encode(room.loaded(strength)[1])[side][0]
            assert text.shape == wanted[0].shape and relative_error(text, wanted[0]) < 1e-5
            assert relative_error(facts["pooled_output"], wanted[1]["pooled_output"]) < 1e-5
            assert "hooks" in facts
    assert torch.isfinite(drawn(room, room.model, *room.encode(clip))).all()


def test_a_hook_for_the_clip_alone_stays_there(room: Any) -> None:
    found = room.encode(hooked(room.clip, apply_to_conds=False))
    assert all("hooks" not in facts for side in found for _, facts in side)
    wanted = room.encode(room.loaded(1.0)[1])
    assert relative_error(drawn(room, room.model, *found), drawn(room, room.model, *wanted)) < 1e-5


def test_a_clip_without_hooks_gives_what_it_gave(room: Any) -> None:
    before = room.encode(room.clip)
    room.encode(hooked(room.clip, (1.0, 0.0), (0.25, 0.5)))
    for one, other in zip(before, room.encode(room.clip), strict=True):
        assert torch.equal(one[0][0], other[0][0]) and "hooks" not in one[0][1]


def test_freecure_refuses_prompts_with_hooks(pack: Any, room: Any) -> None:
    """Each MODEL would need the network's weights to itself."""
    for clip in (hooked(room.clip), hooked(room.clip, (1.0, 0.0), (0.25, 0.5))):
        positive, negative = room.encode(clip)
        given = {"personalised": room.model, "foundation": room.model, "cfg": 3.0}
        with pytest.raises(ValueError, match=r"carries hooks \(scheduled LoRAs\)|holds 2 prompts"):
            pack.node("LikenessFreeCureGuider").execute(**given, positive=positive, negative=negative)
