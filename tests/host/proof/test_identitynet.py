"""The drawn world's IdentityNet in our node: it finds the noise that the trainer found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from support.sampling import denoise

from proof.files import unpack
from proof.networks import controlnet, instantid, layouts
from proof.training.stages import Rooms, Tensors, stage

CAPTION = "a smiling person with short red hair, blue background"


def test_the_node_finds_what_the_trainer_found(
    pack: Any, host: Any, base: Path, drawn: Callable[[str], Tensors], rooms: Rooms
) -> None:
    made = drawn("identitynet")
    for name in stage("identitynet").needs:
        drawn(name)
    models = base / "models"
    only = ["checkpoints/drawn_sdxl", "instantid/", "controlnet/"]
    unpack(models, rooms, only)
    # What begins as zeros would hide what a few steps changed.
    louder = {
        n: torch.randn(t.shape, generator=torch.manual_seed(5)) * 0.1 for n, t in made.items() if _out(n)
    }
    save_file({**made, **louder}, models / "controlnet" / "drawn_identitynet.safetensors")
    import comfy.sd

    model, clip, *_ = comfy.sd.load_checkpoint_guess_config(
        str(models / "checkpoints" / "drawn_sdxl.safetensors")
    )
    control = host.NODE_CLASS_MAPPINGS["ControlNetLoader"]().load_controlnet("drawn_identitynet.safetensors")[
        0
    ]
    adapter = pack.node("LikenessLoadInstantID").execute(file="drawn_instantid.safetensors")[0]
    vector = 20 * torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.manual_seed(3)))
    points = np.array([[45, 60], [80, 61], [62, 80], [50, 95], [75, 96]], dtype=np.float32)
    hint = controlnet.hints([points], 128)
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(t)) for t in (CAPTION, ""))
    patched, positive, negative = pack.node("LikenessApplyInstantID").execute(
        model=model,
        instantid=adapter,
        identity=pack.module("likeness.values").Identity(vector, "glintr100"),
        positive=positive,
        negative=negative,
        weight=1.0,
        control_net=control,
        keypoints=hint.movedim(1, -1),
        controlnet_strength=1.0,
    )
    times = torch.tensor([500])
    sigma = float(model.get_model_object("model_sampling").sigma(times.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        found, _ = denoise(patched, positive, negative, x, sigma)

    trunk = layouts.unet("sdxl", 0)
    trunk.load_state_dict(drawn("sdxl"))
    faces = instantid.FacesAdapter(trunk, 0)
    net = controlnet.net("sdxl", 0, drawn("sdxl"))
    with torch.no_grad():
        for name, parameter in faces.learnt().items():
            parameter.copy_(drawn("instantid")[name])
        net.load_state_dict({name: {**made, **louder}[name] for name in net.state_dict()})
        noisy = x / (1 + sigma**2) ** 0.5
        told = layouts.told("sdxl", layouts.text_encoder(), [CAPTION], noisy)
        tokens = faces.tokens(vector)
        controls = net(noisy, hint, times, **{**told, "context": tokens})
        wanted = trunk(noisy, times, control=controls, transformer_options=faces.options(tokens), **told)
        without = trunk(noisy, times, transformer_options=faces.options(tokens), **told)
    noise = (x - found) / sigma
    assert (noise - wanted).abs().max() < 5e-3 * wanted.abs().max()
    assert (wanted - without).abs().max() > 0.02 * wanted.abs().max()


def _out(name: str) -> bool:
    return name.startswith(("zero_convs.", "middle_block_out.")) and name.endswith("weight")
