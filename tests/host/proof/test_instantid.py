"""The drawn world's InstantID adapter in our nodes: they find the noise that the trainer found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.sampling import denoise

from proof.networks import hosted, layouts
from proof.networks.instantid import FacesAdapter, whole
from proof.training.stages import Tensors

Drawn = Callable[[str], Tensors]
CHECKPOINT, ADAPTER = "drawn_sdxl.safetensors", "drawn_instantid.safetensors"
CAPTION = "a smiling person with short red hair, blue background"


@pytest.fixture(scope="module")
def trunk(drawn: Drawn) -> Any:
    network = layouts.unet("sdxl", 0)
    network.load_state_dict(drawn("sdxl"))
    with torch.no_grad():  # what begins as zeros would hide what the adapter does
        for n, (name, parameter) in enumerate(network.named_parameters()):
            if name.endswith(("proj_out.weight", "out.2.weight", "out_layers.3.weight")):
                parameter.normal_(0, 0.1, generator=torch.manual_seed(n))
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def checkpoint(base: Path, drawn: Drawn, trunk: Any) -> tuple[Any, Any]:
    import comfy.sd

    tensors = hosted.checkpoint("sdxl", trunk.state_dict(), drawn("autoencoder"))
    file = base / "models" / "checkpoints" / CHECKPOINT
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    model, clip, _, _ = comfy.sd.load_checkpoint_guess_config(str(file))
    return model, clip


def _adapter(trunk: Any) -> FacesAdapter:
    """Its values begin as zeros, and a few steps hardly change that."""
    made = FacesAdapter(trunk, 5)
    with torch.no_grad():
        for n, (name, parameter) in enumerate(made.learnt().items()):
            if name.endswith("to_v_ip.weight"):
                parameter.normal_(0, 0.1, generator=torch.manual_seed(n))
    return made


def test_the_node_finds_what_the_trainer_found(pack: Any, base: Path, checkpoint: Any, trunk: Any) -> None:
    model, clip = checkpoint
    adapter = _adapter(trunk)
    folder = base / "models" / "instantid"
    folder.mkdir(exist_ok=True)
    save_file(whole(adapter.learnt()), folder / ADAPTER)
    loaded = pack.node("LikenessLoadInstantID").execute(file=ADAPTER)[0]
    vector = 20 * torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.manual_seed(3)))
    identity = pack.module("likeness.values").Identity(vector, "glintr100")
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(t)) for t in (CAPTION, ""))
    patched, positive, negative = pack.node("LikenessApplyInstantID").execute(
        model=model, instantid=loaded, identity=identity, positive=positive, negative=negative, weight=1.0
    )
    sampling = model.get_model_object("model_sampling")
    times = torch.tensor([500])
    sigma = float(sampling.sigma(times.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        sides = denoise(patched, positive, negative, x, sigma)
        plain = denoise(model, positive, negative, x, sigma)
    encoder = layouts.text_encoder()
    noisy = x / (1 + sigma**2) ** 0.5
    for found, bare, caption, shown in zip(
        sides, plain, (CAPTION, ""), (vector, torch.zeros_like(vector)), strict=True
    ):
        with torch.no_grad():
            options = adapter.options(adapter.tokens(shown))
            told = layouts.told("sdxl", encoder, [caption], noisy)
            wanted = trunk(noisy, times, **told, transformer_options=options)
        noise = (x - found) / sigma
        assert (noise - wanted).abs().max() < 5e-3 * wanted.abs().max()
        assert (found - bare).abs().max() > 0.02 * sigma


def test_the_stages_file_is_a_whole_adapter(pack: Any, base: Path, drawn: Drawn) -> None:
    made = drawn("instantid")
    layers = {name for name in made if name.startswith("ip_adapter.")}
    assert len(layers) == 140
    assert len(made) - len(layers) == 29
    save_file(made, base / "models" / "instantid" / "drawn_few_steps.safetensors")
    pack.node("LikenessLoadInstantID").execute(file="drawn_few_steps.safetensors")
