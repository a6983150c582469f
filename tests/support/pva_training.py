"""A tiny Stable Diffusion inpainting in diffusers' layout, and tiny data sets of generated pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image

from likeness.faces.holes import BOXES

from . import pva_files
from .fill import fill_state

WIDTH, SIDE, LENGTH = 32, 64, 24
UNET: dict[str, Any] = {
    "sample_size": SIDE // 8,
    "in_channels": 9,
    "out_channels": 4,
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "layers_per_block": 2,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,
    "use_linear_projection": True,
    "norm_num_groups": 8,
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def write_base(folder: Path, **unet: Any) -> Path:
    """All five parts, with weights that depend on their names alone."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = write_tokenizer(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    parts = {
        "unet": UNet2DConditionModel(**{**UNET, **unet}),
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
    for name, part in parts.items():
        part.load_state_dict(fill_state(part.state_dict(), f"{name}."))
        part.save_pretrained(folder / name)
    DDIMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    return folder


def write_tokenizer(folder: Path) -> Any:
    """CLIP's, with a token for every letter and no merges but one."""
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True)
    letters = [chr(n) for n in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "of</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\no f</w>\n")
    facts = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, "pad_token": "!"}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return CLIPTokenizer.from_pretrained(folder)


def write_face_encoder(path: Path) -> Path:
    torch.save(pva_files.face_net(), path)
    return path


def write_people(folder: Path, people: int = 6, pictures: int = 3, side: int = SIDE) -> Path:
    """Everybody is a colour on a background of another; every picture has another brightness."""
    captions = {}
    for n in range(people):
        generator = torch.Generator().manual_seed(n)
        skin, around = torch.rand(2, 3, 1, 1, generator=generator)
        for i in range(pictures):
            picture = around.expand(3, side, side).clone()
            picture[:, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = skin
            picture = (
                picture * (0.7 + 0.1 * i) + 0.02 * torch.rand(3, side, side, generator=generator)
            ) * 255
            path = folder / f"person {n}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.byte().movedim(0, -1).contiguous().numpy()).save(path)
            captions[f"person {n}/{i}.png"] = f"no. {i}"
    (folder / "captions.json").write_text(json.dumps(captions))
    return folder


def write_boxes(folder: Path, path: Path, without: Sequence[str] = ()) -> Path:
    """What training.pva_boxes would have found: these pictures show no faces a detector sees."""
    pictures = {}
    for picture in sorted(folder.rglob("*.png")):
        name, stat = picture.relative_to(folder).as_posix(), picture.stat()
        extents = None if name in without else {region: [0.3, 0.3, 0.7, 0.7] for region in BOXES}
        pictures[name] = {"file": [stat.st_size, stat.st_mtime_ns], "extents": extents}
    path.write_text(json.dumps({"format": "likeness-pva-boxes/1", "pictures": pictures}))
    return path


def command(files: SimpleNamespace, output: Path, **options: object) -> list[str]:
    """The command line of a small run."""
    usual = {
        "data": files.people,
        "base": files.base,
        "face_encoder": files.face_encoder,
        "boxes": files.boxes,
        "size": SIDE,
        "validation_share": 0.2,
        "validate_every": 0,
        "sample_every": 0,
        "workers": 0,
        "output": output,
    }
    line = ["--cpu"]
    for name, value in {**usual, **options}.items():
        line += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return line
