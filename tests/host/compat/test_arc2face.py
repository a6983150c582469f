"""The stand-ins for ComfyUI-Arc2Face: equal to the bit to the same graph made of our nodes and the host's."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_faces import image

UNET, ENCODER = "tiny_arc2face.safetensors", "tiny_arc2face_encoder.safetensors"
SIDE, STEPS = 128, 4


@pytest.fixture(scope="module")
def room(pack: Any, host: ModuleType) -> SimpleNamespace:
    unet, encoder = run(pack, "LikenessLoadArc2Face", unet_file=UNET, encoder_file=ENCODER)
    vector = torch.randn(1, 512, generator=torch.Generator().manual_seed(5))
    return SimpleNamespace(
        unet=unet,
        encoder=encoder,
        face_embedding=pack.module("likeness.values").Identity(vector, "arc2face"),
        vae=host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[2],
    )


def run(pack: Any, node_id: str, **inputs: Any) -> tuple[Any, ...]:
    with torch.inference_mode():
        return tuple(pack.node(node_id).execute(**inputs).args)


@pytest.fixture
def draw(pack: Any, room: Any) -> Callable[..., torch.Tensor]:
    """A generator with few steps and a seed, its VAE found by itself."""

    def call(node: str, **changes: Any) -> torch.Tensor:
        given = {name: getattr(room, name) for name in ("unet", "encoder", "face_embedding")}
        given |= {"num_inference_steps": STEPS, "seed": 11, "guidance_scale": 2.5}
        (pictures,) = run(pack, f"LikenessCompatArc2Face{node}", **{**given, **changes})
        return pictures

    return call


def prompts(pack: Any, host: ModuleType, room: Any, negative: str) -> tuple[Any, Any]:
    positive, _ = run(pack, "LikenessEncodeArc2Face", clip=room.encoder, identity=room.face_embedding)
    return positive, host.CLIPTextEncode().encode(room.encoder, negative)[0]


# Drawing


def test_the_generator_is_our_prompt_and_the_hosts_sampler(
    pack: Any, host: ModuleType, room: Any, draw: Any
) -> None:
    found = draw("Generator", negative_prompt="dark, split", num_images=2, width=SIDE, height=192)
    with torch.inference_mode():
        given = prompts(pack, host, room, "dark, split")
        latent = host.EmptyLatentImage().generate(SIDE, 192, 2)[0]
        sampled = host.KSampler().sample(
            room.unet, 11, STEPS, 2.5, "dpmpp_2m", "sgm_uniform", *given, latent, 1.0
        )[0]
        (wanted,) = host.VAEDecode().decode(room.vae, sampled)
    assert found.shape == (2, 192, SIDE, 3)
    assert torch.equal(found, wanted)


def test_over_a_picture_only_the_last_steps_are_run(
    pack: Any, host: ModuleType, room: Any, draw: Any, photos: Any
) -> None:
    photo = image(np.ascontiguousarray(photos["astronaut"][:SIDE, 160 : 160 + SIDE]))
    found = draw("Img2Img", initial_image=photo, negative_prompt="", denoise_strength=0.6, vae=room.vae)
    with torch.inference_mode():
        given = prompts(pack, host, room, "")
        latent = host.VAEEncode().encode(room.vae, photo)[0]
        first = STEPS - int(STEPS * 0.6)
        sampler = host.KSamplerAdvanced()
        names = ("dpmpp_2m", "sgm_uniform", *given, latent)
        sampled = sampler.sample(room.unet, "enable", 11, STEPS, 2.5, *names, first, 10000, "disable")[0]
        (wanted,) = host.VAEDecode().decode(room.vae, sampled)
    assert found.shape == photo.shape
    assert torch.equal(found, wanted)


def test_words_after_the_prompt_reach_the_picture(draw: Any, photos: Any) -> None:
    photo = image(np.ascontiguousarray(photos["astronaut"][:SIDE, :SIDE]))
    plain, words = (draw("Img2Img", initial_image=photo, extra_param=text) for text in ("", "with a hat"))
    assert not torch.equal(plain, words)


def test_guidance_up_to_1_is_none(draw: Any) -> None:
    small = {"width": SIDE, "height": SIDE}
    none, one = (draw("Generator", guidance_scale=scale, **small) for scale in (0.3, 1.0))
    assert torch.equal(none, one)
    assert not torch.equal(one, draw("Generator", guidance_scale=1.5, **small))


def test_a_seed_of_minus_1_is_drawn_and_told(draw: Any, caplog: Any) -> None:
    state = torch.get_rng_state()
    with caplog.at_level(logging.INFO):
        first = draw("Generator", seed=-1, width=SIDE, height=SIDE)
    drawn = next(r for r in caplog.records if "the seed drawn is" in r.message).args[0]
    assert drawn >= 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, draw("Generator", seed=drawn, width=SIDE, height=SIDE))


def test_no_step_left(draw: Any) -> None:
    with pytest.raises(ValueError, match=r"denoise_strength 0\.1 of 4 steps leaves none to run"):
        draw("Img2Img", initial_image=torch.zeros(1, SIDE, SIDE, 3), denoise_strength=0.1)


# Files


def test_the_vae_that_was_found_lives_as_long_as_the_unet(pack: Any, base: Path) -> None:
    sd15_vae = pack.module("likeness.methods.arc2face.generate").sd15_vae
    unet, other = (run(pack, "LikenessCompatArc2FaceUNet", model_path=UNET)[0] for _ in range(2))
    vae = sd15_vae(unet)
    assert sd15_vae(unet.clone()) is vae
    kept, left = sd15_vae(other), weakref.ref(vae)
    checkpoint = base / "models" / "checkpoints" / "tiny_sd15.safetensors"
    os.utime(checkpoint, ns=(0, checkpoint.stat().st_mtime_ns + 1))
    assert sd15_vae(other) is not kept
    del unet, vae
    gc.collect()
    assert left() is None


def test_loaders_take_our_folders(pack: Any, room: Any) -> None:
    (unet,) = run(pack, "LikenessCompatArc2FaceUNet", model_path=UNET)
    (clip,) = run(pack, "LikenessCompatArc2FaceEncoder", encoder_path=ENCODER)
    pairs = ((unet.model, room.unet.model), (clip.cond_stage_model, room.encoder.cond_stage_model))
    for found, wanted in pairs:
        for name, tensor in wanted.state_dict().items():
            if "text_projection" not in name:  # in no Arc2Face file, and SD1.5 does not look at it
                assert torch.equal(found.state_dict()[name], tensor), name


def test_loaders_take_the_old_packs_folders_first(pack: Any, base: Path) -> None:
    old = base / "models" / "arc2face_checkpoints"
    (old / "encoder").mkdir(parents=True, exist_ok=True)
    published = "diffusion_pytorch_model.safetensors"
    node = pack.node("LikenessCompatArc2FaceUNet")
    before = node.fingerprint_inputs(model_path=published)
    shutil.copy(base / "models" / "diffusion_models" / UNET, old / published)
    shutil.copy(base / "models" / "text_encoders" / ENCODER, old / "encoder" / "model.safetensors")
    try:
        assert node.fingerprint_inputs(model_path=published) != before
        assert run(pack, "LikenessCompatArc2FaceUNet", model_path=published)
        assert run(pack, "LikenessCompatArc2FaceEncoder", encoder_path="encoder")
        (old / published).write_bytes((old / "encoder" / "model.safetensors").read_bytes())
        with pytest.raises(ValueError, match="is not Arc2Face's U-Net but a text encoder"):
            run(pack, "LikenessCompatArc2FaceUNet", model_path=published)
    finally:
        shutil.rmtree(old)


def test_encoder_means_the_installers_file_too_and_no_other_name_does(
    pack: Any, base: Path, caplog: Any
) -> None:
    published = base / "models" / "text_encoders" / "arc2face" / "pytorch_model.bin"
    other = published.with_name("model.safetensors")
    node = pack.node("LikenessCompatArc2FaceEncoder")
    published.parent.mkdir()
    try:
        seen = [node.fingerprint_inputs(encoder_path="encoder")]
        for file in (published, other):
            content = load_file(published.parents[1] / ENCODER)
            torch.save(content, file) if file == published else save_file(content, file)
            seen.append(node.fingerprint_inputs(encoder_path="encoder"))
            with caplog.at_level(logging.INFO):
                assert run(pack, "LikenessCompatArc2FaceEncoder", encoder_path="encoder")
            assert (
                f"encoder_path 'encoder' is not in models/arc2face_checkpoints: taking {file}" in caplog.text
            )
        assert len(set(seen)) == 3
        with pytest.raises(FileNotFoundError, match=r"^encoder_path 'encodr' is in none of "):
            run(pack, "LikenessCompatArc2FaceEncoder", encoder_path="encodr")
    finally:
        shutil.rmtree(published.parent)


def test_missing_files_are_explained(pack: Any, base: Path) -> None:
    searched = {
        ("UNet", "model_path"): ("arc2face_checkpoints", "diffusion_models/arc2face", "diffusion_models"),
        ("Encoder", "encoder_path"): ("arc2face_checkpoints/mine", "arc2face_checkpoints", "text_encoders"),
    }
    for (node, name), folders in searched.items():
        with pytest.raises(FileNotFoundError, match=r"--models arc2face") as error:
            run(pack, f"LikenessCompatArc2Face{node}", **{name: "mine"})
        told, _, rest = str(error.value).partition(". The published file is found by ")
        start, _, places = told.partition(" is in none of ")
        assert start == f"{name} 'mine'" and rest.startswith(("'encoder'", "'diffusion_pytorch_model"))
        assert set(places.split("; ")) >= {str(base / "models" / folder) for folder in folders}
        assert not any(place.endswith("text_encoders/arc2face") for place in places.split("; "))


def test_without_an_sd15_checkpoint_the_vae_is_asked_for(
    pack: Any, base: Path, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import folder_paths

    other = base / "models" / "diffusion_models"  # it holds no checkpoint
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "checkpoints", ([str(other)], {".safetensors"}))
    with pytest.raises(FileNotFoundError, match=r"vae is not connected\. v1-5-pruned-emaonly.*is missing"):
        draw("Generator", width=SIDE, height=SIDE)
