"""Tiny Stable Diffusions in diffusers' layout, a tiny CLIP vision, an identity adapter, and toy triplets."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from training.emojidiff.triplets import Triplet, write_triplets
from training.resampler import Sizes

from .fill import fill, fill_state
from .pva_training import LENGTH, SCHEDULE, SIDE, WIDTH, write_tokenizer

VISION = 48
#: A Resampler of which learning is quick.
SMALL = Sizes(VISION, WIDTH, 64, 1, 1, 4, 2)
UNETS: dict[str, dict[str, Any]] = {
    "sd15": {
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "block_out_channels": (32, 32, 32, 32),
        "cross_attention_dim": WIDTH,
    },
    "sdxl": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (32, 32, 32),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2 * WIDTH,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + WIDTH,
    },
}
LAYERS = {"sd15": 16, "sdxl": 70}
#: Four of SD1.5's layers, for what takes many steps.
FEW: dict[str, Any] = {
    "block_out_channels": (32, 32),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
}


def write_base(folder: Path, kind: str = "sd15", **unet: Any) -> Path:
    """All parts, with weights that depend on their names alone."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = write_tokenizer(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    usual: dict[str, Any] = {
        "sample_size": SIDE // 8,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 2,
    }
    usual["norm_num_groups"] = 8  # so that one picture can be learnt from at 1 x 1 tokens
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel(**{**usual, "attention_head_dim": 2, **UNETS[kind], **unet}),
        "vae": AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            norm_num_groups=4,
            layers_per_block=1,
            latent_channels=4,
        ),
        "text_encoder": CLIPTextModel(text),
    }
    if kind == "sdxl":
        write_tokenizer(folder / "tokenizer_2")
        parts["text_encoder_2"] = CLIPTextModelWithProjection(text)
    for name, part in parts.items():
        part.load_state_dict(fill_state(part.state_dict(), f"{name}."))
        part.save_pretrained(folder / name)
    DDIMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    return folder


def write_vision(folder: Path) -> Path:
    """A CLIP that sees 16 patches of a template."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=VISION,
        intermediate_size=96,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=224,
        patch_size=56,
    )
    vision = CLIPVisionModelWithProjection(config)
    vision.load_state_dict(fill_state(vision.state_dict(), "vision."))
    vision.save_pretrained(folder)
    return folder


def identity_adapter(kind: str = "sd15", lora: bool = True) -> dict[str, torch.Tensor]:
    """IP-Adapter FaceID's layout: two linear layers and a norm, keys and values, and LoRAs on every layer."""
    width = UNETS[kind]["cross_attention_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "image_proj.proj.0.weight": (1024, 512),
        "image_proj.proj.0.bias": (1024,),
        "image_proj.proj.2.weight": (4 * width, 1024),
        "image_proj.proj.2.bias": (4 * width,),
        "image_proj.norm.weight": (width,),
        "image_proj.norm.bias": (width,),
    }
    for n in range(2 * LAYERS[kind]):
        inside = width if n % 2 else WIDTH
        if n % 2:
            shapes |= {f"ip_adapter.{n}.to_{part}_ip.weight": (WIDTH, inside) for part in "kv"}
        if lora:
            shapes |= {f"ip_adapter.{n}.to_k_lora.down.weight": (2, inside)}
            shapes |= {f"ip_adapter.{n}.to_k_lora.up.weight": (WIDTH, 2)}
    return {name: fill(f"identity.{name}", shape) for name, shape in shapes.items()}


def toy_template(n: int, side: int = 224) -> torch.Tensor:
    """An expression: a face-like ellipse with a mouth that is more or less open, [3, side, side]."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    face = ((x / 0.6) ** 2 + (y / 0.8) ** 2 < 1).float()
    mouth = ((x / 0.3) ** 2 + ((y - 0.4) / (0.03 + 0.08 * n)) ** 2 < 1).float()
    skin = torch.tensor([0.9, 0.7, 0.6])[:, None, None] * face
    return skin * (1 - mouth) + mouth * torch.tensor([0.5, 0.1, 0.1])[:, None, None]


#: Five points of the face that toy targets show, in parts of the side.
POINTS = torch.tensor([[0.36, 0.42], [0.64, 0.42], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]])


def toy_target(n: int, side: int = SIDE) -> torch.Tensor:
    """The same mouth in a picture of another colour, [3, side, side]."""
    colour = torch.tensor([math.sin(n), math.cos(2 * n), math.sin(3 * n)])[:, None, None] * 0.2 + 0.5
    return (toy_template(n, side) * 0.8 + 0.2 * colour).clamp(0, 1)


def save(picture: torch.Tensor, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture * 255).round().byte().movedim(0, -1).contiguous().numpy()
    Image.fromarray(pixels).save(path)
    return path


def write_toys(folder: Path, count: int = 4, identity: Path | None = None) -> Path:
    """triplets.jsonl with so many toys."""
    made = [
        Triplet(
            save(toy_template(n), folder / f"expression {n}.png"),
            save(toy_target(n), folder / f"target {n}.png"),
            identity,
            f"no. {n}",
            POINTS * SIDE,
        )
        for n in range(count)
    ]
    return write_triplets(made, folder)
