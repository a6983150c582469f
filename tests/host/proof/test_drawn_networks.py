"""The drawn world's networks in the real host: its classes, its tokenizer and its loader."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from proof.networks import autoencoder, hosted, layouts, text
from proof.training.lessons.trunk import predicted


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


def _awake(network: Any) -> None:
    """What begins as zeros would hide everything before it."""
    with torch.no_grad():
        network.out[2].weight.normal_(0, 0.05, generator=torch.Generator().manual_seed(6))
        for block in network.modules():
            if hasattr(block, "proj_out"):
                block.proj_out.weight.normal_(0, 0.05, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("kind", ["sd15", "sdxl", "sd2_inpaint"])
def test_the_loader_takes_a_whole_checkpoint_and_follows_it(
    kind: str, host: ModuleType, tmp_path: Path
) -> None:
    import comfy.sd
    from safetensors.torch import save_file

    hosted.register()
    network = layouts.unet(kind, seed=5)
    _awake(network)
    coder = autoencoder.begin(_pictures(), seed=3)
    tensors = hosted.checkpoint(kind, network.state_dict(), coder.state_dict())
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "drawn.safetensors")
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(tmp_path / "drawn.safetensors"))

    encoder = layouts.text_encoder()
    caption, another = "a smiling person with short red hair", "a sad person with long black hair"
    with torch.no_grad():
        # The host keeps text encoders in half precision.
        context, pooled = clip.encode_from_tokens(clip.tokenize(caption), return_pooled=True)
        own, own_pooled = layouts.conditions(kind, encoder, [caption])
        assert torch.allclose(context, own, atol=4e-3)
        assert own_pooled is None or torch.allclose(pooled, own_pooled, atol=4e-3)
        noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(8))
        beside = torch.randn(1, 5, 16, 16, generator=torch.Generator().manual_seed(9))
        times = torch.tensor([500.0])
        further = beside if kind == "sd2_inpaint" else None
        expected = predicted(kind, network, encoder, noise, times, [caption], further)
        found = _loaded(kind, model, noise, times, own, own_pooled, beside)
        assert torch.allclose(found, expected, atol=1e-4)
        other = predicted(kind, network, encoder, noise, times, [another], further)
        assert (found - other).abs().max() > 1e-3
        picture = _pictures()[:1]
        latents = vae.encode(picture.movedim(1, -1)) * hosted.SCALES[kind]
        assert torch.allclose(latents, coder.encode(picture), atol=1e-3)


def _loaded(
    kind: str,
    model: Any,
    noise: torch.Tensor,
    times: torch.Tensor,
    context: torch.Tensor,
    pooled: torch.Tensor | None,
    beside: torch.Tensor,
) -> torch.Tensor:
    """What the loaded network finds, with the host's own sizes for SDXL."""
    network = model.model.diffusion_model.float()
    given = torch.cat([noise, beside], dim=1) if kind == "sd2_inpaint" else noise
    further = {}
    if pooled is not None:
        further["y"] = model.model.encode_adm(pooled_output=pooled, width=128, height=128)
    found: torch.Tensor = network(given, times, context, **further)
    return found


def test_the_loaded_network_hears_what_all_places_share(host: ModuleType, tmp_path: Path) -> None:
    """With one channel a group, norms would take away what is the same everywhere: the time, and a colour."""
    import comfy.sd
    from safetensors.torch import save_file

    hosted.register()
    network = layouts.unet("sd15", seed=5)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, tmp_path / "drawn.safetensors")
    model = comfy.sd.load_diffusion_model(str(tmp_path / "drawn.safetensors"))
    norms = [m for m in model.model.diffusion_model.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert len(norms) > 40
    for norm in norms:
        shared = torch.zeros(1, norm.num_channels, 4, 4)
        shared[:, 0] = 1
        assert norm.float()(shared).abs().max() > 0.1


def test_an_sdxl_begins_as_the_sd15_it_came_from(host: ModuleType) -> None:
    trunk = layouts.unet("sd15", seed=5)
    made = layouts.as_sdxl(trunk.state_dict(), seed=6)
    state = trunk.state_dict()
    for name, other in (("input_blocks.1.0", "input_blocks.1.0"), ("output_blocks.5.0", "output_blocks.8.0")):
        assert torch.equal(made[f"{name}.in_layers.2.weight"], state[f"{other}.in_layers.2.weight"])
    assert torch.equal(made["time_embed.0.weight"], state["time_embed.0.weight"])
    assert torch.equal(made["output_blocks.2.2.conv.weight"], state["output_blocks.5.2.conv.weight"])
    keys = made["middle_block.1.transformer_blocks.0.attn2.to_k.weight"]
    assert torch.equal(keys[:, : text.WIDTH], state["middle_block.1.transformer_blocks.0.attn2.to_k.weight"])
    assert not keys[:, text.WIDTH :].any()
    layouts.unet("sdxl", seed=7).load_state_dict(made)


def test_an_inpainting_network_begins_as_its_trunk(host: ModuleType) -> None:
    trunk, inpainting = layouts.unet("sd15", seed=5), layouts.unet("sd2_inpaint", seed=6)
    _awake(trunk)
    inpainting.load_state_dict(layouts.as_sd2_inpaint(trunk.state_dict()))
    chance = torch.Generator().manual_seed(8)
    noise, beside = torch.randn(1, 4, 16, 16, generator=chance), torch.randn(1, 5, 16, 16, generator=chance)
    encoder, times = layouts.text_encoder(), torch.tensor([500.0])
    with torch.no_grad():
        first = predicted("sd15", trunk, encoder, noise, times, ["a sad person"])
        second = predicted("sd2_inpaint", inpainting, encoder, noise, times, ["a sad person"], beside)
    assert torch.allclose(first, second, atol=1e-4)
