"""What training.pva trains is what Apply PVA applies: the same weights give the same noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.golden import relative_error
from support.pva_training import UNET
from support.sampling import denoise

from training.pva import export
from training.pva.network import add_visual_attention, load_attention

CHECKPOINT, FILE = "tiny_sd2_inpaint.safetensors", "tiny_pva.safetensors"
WIDTH, SIDE = 64, 16


@pytest.fixture(scope="module")
def unet(host: Any, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny checkpoint's U-Net in diffusers."""
    from diffusers import UNet2DConditionModel

    folder = tmp_path_factory.mktemp("config")
    UNet2DConditionModel(**{**UNET, "cross_attention_dim": WIDTH, "norm_num_groups": 32}).save_config(
        folder / "unet"
    )
    path = str(base / "models" / "checkpoints" / CHECKPOINT)
    return UNet2DConditionModel.from_single_file(
        path, config=str(folder), subfolder="unet", local_files_only=True
    )


@pytest.mark.parametrize("timestep", [3, 480, 961])
def test_the_trainers_network_is_the_nodes(
    pack: Any, host: Any, base: Path, unet: Any, timestep: int
) -> None:
    source = torch.Generator().manual_seed(timestep)
    x, masked = torch.randn(2, 1, 4, SIDE, SIDE, generator=source)
    mask = (torch.rand(1, 1, SIDE, SIDE, generator=source) > 0.5).float()
    text, empty = torch.randn(2, 1, 77, WIDTH, generator=source)
    vectors = torch.randn(2, 512, generator=source)

    with torch.inference_mode():
        model = host.CheckpointLoaderSimple().load_checkpoint(CHECKPOINT)[0]
        pva = pack.node("LikenessLoadPVA").execute(file=FILE)[0]
        identity = pack.module("likeness.values").Identity(vectors, pva.base.recogniser)
        tokens = pack.node("LikenessEncodePVA").execute(pva=pva, identity=identity)[0]
        applied = pack.node("LikenessApplyPVA").execute(model=model, pva=pva, pva_tokens=tokens)[0]
        sigma = float(model.get_model_object("model_sampling").sigma(torch.tensor(timestep)))
        pixels = mask.repeat_interleave(8, 2).repeat_interleave(8, 3)
        facts = {"concat_latent_image": masked / 0.18215, "concat_mask": pixels}
        noisy = x * (1 + sigma**2) ** 0.5
        denoised = denoise(applied, [[text, facts]], [[empty, facts]], noisy, sigma)[0]
        wanted = (noisy - denoised) / sigma

    trained = export.read_base(base / "models" / "pva" / FILE)
    add_visual_attention(unet, tokens.somebody.shape[1])
    load_attention(unet, trained.unet)
    with torch.no_grad():
        context = torch.cat([text, trained.transformer(identity.embeddings[None])], dim=1)
        found = unet(torch.cat([x, mask, masked], dim=1), torch.tensor([timestep]), context).sample
    assert relative_error(found, wanted) <= 1e-5
