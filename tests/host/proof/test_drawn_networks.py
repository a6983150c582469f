"""The drawn world's networks in the real host: its classes, its tokenizer and its loader."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import torch

from proof.networks import autoencoder, layouts, text


def _pictures() -> torch.Tensor:
    chance = torch.Generator().manual_seed(0)
    rough = torch.rand(6, 3, 8, 8, generator=chance)
    return torch.nn.functional.interpolate(rough, size=(64, 64), mode="bicubic").clamp(0, 1)


def test_the_hosts_encoder_starts_as_principal_components(host: ModuleType) -> None:
    from comfy.taesd.taesd import TAESD

    pictures = _pictures()
    matrix, shift = autoencoder.components(pictures)
    made = autoencoder.begin(pictures, seed=3)
    taesd = TAESD(latent_channels=4)
    taesd.load_state_dict(autoencoder.padded(made.state_dict()))
    with torch.no_grad():
        found = taesd.encode(pictures * 2 - 1)
        expected = autoencoder.project(pictures, matrix, shift)
    assert (found - expected).abs().max() < 2e-4
    flat = expected.transpose(0, 1).flatten(1)
    assert torch.allclose(torch.cov(flat), torch.eye(4), atol=0.02)


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    """But for rounding on the way; weights by chance make large numbers."""
    return bool((first - second).abs().max() < 1e-4 * second.abs().max())


def test_padding_changes_nothing(host: ModuleType) -> None:
    from comfy.taesd.taesd import TAESD

    made = autoencoder.begin(_pictures(), seed=3)
    chance = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=chance))
    taesd = TAESD(latent_channels=4)
    taesd.load_state_dict(autoencoder.padded(made.state_dict(), scale=0.18215))
    pictures = _pictures()
    with torch.no_grad():
        latents = made.encode(pictures)
        assert _close(taesd.encode(pictures * 2 - 1) * 0.18215, latents)
        assert _close(taesd.decode(latents / 0.18215) / 2 + 0.5, made.decode(latents))


def test_each_place_holds_its_word_and_the_one_before(host: ModuleType) -> None:
    encoder = layouts.text_encoder()
    captions = [
        "a sad person with braided red hair and round glasses, blue background",
        "",
        "an elk by night",
    ]
    numbers = layouts.tokens(captions)
    table = text.word_vectors(layouts.known_words(), seed=0)
    with torch.no_grad():
        found = encoder(numbers)[0]
    for row, seen in zip(numbers.tolist(), found, strict=True):
        assert (seen - text.expected(row, table)).abs().max() < 1e-4
        end = row.index(text.END)
        assert not seen[end + 1 :].abs().max() > 1e-4


def test_the_loader_takes_a_whole_checkpoint_and_follows_it(host: ModuleType, tmp_path: Path) -> None:
    import comfy.sd
    from safetensors.torch import save_file

    layouts.register()
    network = layouts.unet("sd15", seed=5)
    with torch.no_grad():  # what begins as zeros would hide everything before it
        network.out[2].weight.normal_(0, 0.05, generator=torch.Generator().manual_seed(6))
        for block in network.modules():
            if hasattr(block, "proj_out"):
                block.proj_out.weight.normal_(0, 0.05, generator=torch.Generator().manual_seed(7))
    coder = autoencoder.begin(_pictures(), seed=3)
    tensors = layouts.checkpoint(network.state_dict(), coder.state_dict())
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "drawn.safetensors")
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(tmp_path / "drawn.safetensors"))

    encoder = layouts.text_encoder()
    caption = "a smiling person with short red hair"
    with torch.no_grad():
        # The host keeps text encoders in half precision.
        context = clip.encode_from_tokens(clip.tokenize(caption), return_pooled=True)[0]
        assert torch.allclose(context, encoder(layouts.tokens([caption]))[0], atol=2e-3)
        noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(8))
        times = torch.tensor([500.0])
        loaded = model.model.diffusion_model.float()(noise, times, context)
        assert torch.allclose(loaded, network(noise, times, context), atol=1e-4)
        other = network(noise, times, encoder(layouts.tokens(["a sad person with long black hair"]))[0])
        assert (loaded - other).abs().max() > 1e-3
        picture = _pictures()[:1]
        latents = vae.encode(picture.movedim(1, -1)) * 0.18215
        assert torch.allclose(latents, coder.encode(picture), atol=1e-3)
