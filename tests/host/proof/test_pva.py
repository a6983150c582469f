"""The drawn world's PVA, trained by our trainer, in our nodes: the same vectors, tokens and noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from support.sampling import denoise

from proof.files import unpack
from proof.training.aligned import crop_of
from proof.training.lessons.pva import hole, trainer
from proof.training.stages import Rooms, Tensors
from proof.world.draw import draw
from proof.world.scene import figure
from training.unets import token_ids

TEXT = "a smiling <new1> person with short red hair, blue background"


def test_the_node_finds_what_the_trainer_found(
    pack: Any, host: Any, base: Path, drawn: Callable[[str], Tensors], rooms: Rooms
) -> None:
    made = drawn("pva")
    unpack(base / "models", rooms, ["checkpoints/drawn_sd2_inpaint", "pva/drawn"])
    adapter = pack.node("LikenessLoadPVA").execute(file="drawn_pva.safetensors")[0]
    lesson = trainer(0, {name: drawn(name) for name in ("sd2_inpaint", "autoencoder", "arcface")})
    with torch.no_grad():
        for name, parameter in lesson.trained().items():
            parameter.copy_(made[name])
    lesson.train(False)

    reference, target = draw(figure(11), 128), draw(figure(12), 128)
    shown = torch.from_numpy(reference.picture).float()[None] / 255
    aligned = pack.module("likeness.faces.ffhq").align_ffhq(shown[0], torch.from_numpy(reference.points[0]))
    encode = pack.node("LikenessEncodePVA").execute
    tokens, identity = encode(pva=adapter, images={"image_0": aligned[None]}, align=False).result
    with torch.no_grad():
        crop = crop_of(shown[0], torch.from_numpy(reference.points[0]))
        vectors = lesson.face_net(crop[None])
        assert torch.allclose(identity.embeddings, vectors, rtol=1e-3, atol=1e-3)
        assert torch.allclose(tokens.somebody, lesson.transformer(vectors[None]), atol=1e-3)

    import comfy.sd

    checkpoint = str(base / "models" / "checkpoints" / "drawn_sd2_inpaint.safetensors")
    model, clip, vae, *_ = comfy.sd.load_checkpoint_guess_config(checkpoint)
    picture, mask = torch.from_numpy(target.picture).float()[None] / 255, hole(target.labels)
    positive = pack.node("LikenessPVAPrompt").execute(clip=clip, pva=adapter, text=TEXT)[0]
    negative = clip.encode_from_tokens_scheduled(clip.tokenize(""))
    placed = host.NODE_CLASS_MAPPINGS["InpaintModelConditioning"]().encode(
        positive, negative, picture, vae, mask[None], noise_mask=False
    )
    patched = pack.node("LikenessApplyPVA").execute(model=model, pva=adapter, pva_tokens=tokens)[0]
    times = torch.tensor([500])
    sigma = float(model.get_model_object("model_sampling").sigma(times.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        found, _ = denoise(patched, placed[0], placed[1], x, sigma)
        bare, _ = denoise(model, placed[0], placed[1], x, sigma)
    with torch.no_grad():
        planes = picture.movedim(-1, 1) * 2 - 1
        masked = lesson._latents(planes * (1 - mask), torch.Generator())
        small = torch.nn.functional.interpolate(mask[None, None], size=(16, 16), mode="nearest")
        context = lesson.context(token_ids(lesson.tokenizer, [TEXT]), vectors[None])
        around = torch.cat([small, masked], dim=1)
        wanted = lesson.noise(x / (1 + sigma**2) ** 0.5, around, times, context)
    assert ((x - found) / sigma - wanted).abs().max() < 1e-2 * wanted.abs().max()
    assert (found - bare).abs().max() > 1e-4 * sigma
