"""The recipe of the PVA workflows does what the authors' pipeline does. Spec A.3 point 5, A.4."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

SIDE = 128

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any, photos: dict[str, np.ndarray]) -> SimpleNamespace:
    """The tiny SD2 inpainting checkpoint with a person in it, their prompt, a photo and a hole in it."""
    model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd2_inpaint.safetensors")
    pva = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]
    identity = pack.module("likeness.values").Identity(torch.ones(1, 512), pva.base.recogniser)
    tokens = pack.node("LikenessEncodePVA").execute(pva=pva, identity=identity)[0]
    text = "photo of a <new1> person"
    photo = torch.from_numpy(photos["astronaut"].copy()).movedim(-1, 0)[None].float() / 255
    photo = F.interpolate(photo, (SIDE, SIDE), mode="bilinear", antialias=True).movedim(1, -1)
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, 19:70, 27:93] = 1  # off the grid
    hole, blend = pack.node("LikenessPVAMask").execute(image=photo, region="only mask", mask=mask).args
    return SimpleNamespace(
        model=pack.node("LikenessApplyPVA").execute(model=model, pva=pva, pva_tokens=tokens)[0],
        positive=pack.node("LikenessPVAPrompt").execute(clip=clip, pva=pva, text=text)[0],
        negative=host.CLIPTextEncode().encode(clip, "photo of a person")[0],
        vae=vae,
        photo=photo,
        mask=mask,
        hole=hole,
        blend=blend,
    )


def inpaint(host: Any, room: Any, model: Any = None, photo: Any = None, steps: int = 3) -> torch.Tensor:
    """The workflow's nodes, one after the other."""
    photo = room.photo if photo is None else photo
    positive, negative, _ = host.InpaintModelConditioning().encode(
        room.positive, room.negative, photo, room.vae, room.hole, noise_mask=False
    )
    latent = host.EmptyLatentImage().generate(SIDE, SIDE, 1)[0]
    model = room.model if model is None else model
    sampled = host.KSampler().sample(
        model, 7, steps, 6.0, "euler_ancestral", "ddim_uniform", positive, negative, latent, 1.0
    )
    return sampled[0]["samples"]


def test_the_network_sees_what_the_authors_network_sees(host: Any, room: Any) -> None:
    """Mask by nearest, 1 where to fill; the picture with mid-grey in the hole, through the VAE."""
    seen = []

    def note(apply: Any, args: dict[str, Any]) -> Any:
        seen.append(args["c"]["c_concat"].clone())
        return apply(args["input"], args["timestep"], **args["c"])

    model = room.model.clone()
    model.set_model_unet_function_wrapper(note)
    inpaint(host, room, model, steps=1)
    mask, picture = seen[0][:1, :1], seen[0][:1, 1:]
    assert torch.equal(mask[0], F.interpolate(room.mask[None], scale_factor=1 / 8, mode="nearest")[0])
    signed = (2 * room.photo - 1) * (1 - room.hole[..., None])
    wanted = 0.18215 * room.vae.encode(signed / 2 + 0.5)
    assert torch.allclose(picture, wanted, atol=1e-5)


def test_what_the_hole_hides_has_no_part_in_the_picture(host: Any, room: Any) -> None:
    other = torch.where(room.hole[..., None] > 0, 1 - room.photo, room.photo)
    assert not torch.equal(other, room.photo)
    assert torch.equal(inpaint(host, room), inpaint(host, room, photo=other))


def test_the_steps_are_ddims_with_eta_1(host: Any, room: Any) -> None:
    """Each step of euler_ancestral, in the variance-preserving terms of the DDIM paper's equation 12."""
    import comfy.k_diffusion.sampling
    import comfy.samplers

    positive, negative, _ = host.InpaintModelConditioning().encode(
        room.positive, room.negative, room.photo, room.vae, room.hole, noise_mask=False
    )
    guider = comfy.samplers.CFGGuider(room.model)
    guider.set_conds(positive, negative)
    guider.set_cfg(6.0)
    sigmas = comfy.samplers.calculate_sigmas(room.model.get_model_object("model_sampling"), "ddim_uniform", 5)
    steps: list[tuple[torch.Tensor, torch.Tensor]] = []
    noise = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(1))
    last = guider.sample(
        noise,
        torch.zeros_like(noise),
        comfy.samplers.sampler_object("euler_ancestral"),
        sigmas,
        callback=lambda step, denoised, x, total: steps.append((x.double(), denoised.double())),
        disable_pbar=True,
        seed=11,
    )
    drawn = comfy.k_diffusion.sampling.default_noise_sampler(noise, seed=11)
    alphas = 1 / (1 + sigmas.double() ** 2)
    after = [*(x for x, _ in steps[1:]), room.model.model.process_latent_in(last).double()]
    for n, ((x, clean), following) in enumerate(zip(steps, after, strict=True)):
        here, there = alphas[n], alphas[n + 1]
        eps = (x * here.sqrt() - here.sqrt() * clean) / (1 - here).sqrt()
        spread = ((1 - there) / (1 - here)).sqrt() * (1 - here / there).sqrt()
        wanted = there.sqrt() * clean + (1 - there - spread**2).clamp(min=0).sqrt() * eps
        if n + 1 < len(steps):
            wanted += spread * drawn(sigmas[n], sigmas[n + 1]).double()
        assert torch.allclose(following * there.sqrt(), wanted, atol=1e-4), n


def test_a_hundred_steps_are_the_authors_timesteps(room: Any) -> None:
    import comfy.samplers

    sampling = room.model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", 100)
    assert len(sigmas) == 101 and float(sigmas[-1]) == 0
    assert sampling.timestep(sigmas[:-1]).tolist() == list(range(991, 0, -10))


def test_the_blend_gives_the_known_part_back(room: Any) -> None:
    drawn = torch.rand(room.photo.shape, generator=torch.Generator().manual_seed(0))
    mixed = drawn * room.blend[..., None] + room.photo * (1 - room.blend[..., None])
    inside = room.hole > 0
    assert torch.allclose(mixed[inside], drawn[inside], atol=1e-6)
    far = F.max_pool2d(room.hole[:, None], 35, 1, 17)[:, 0] == 0  # 17 pixels around the hole
    assert far.any() and torch.allclose(mixed[far], room.photo[far], atol=1e-6)
