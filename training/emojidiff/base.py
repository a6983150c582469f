"""What an E-adapter learns on: a Stable Diffusion 1.5 or SDXL, a CLIP vision model, an identity adapter.

All out of folders and files on the disk, all frozen. Nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from likeness.adapters.projectors import Projector, build
from likeness.weights.read import tensors_under

from ..autoencoders import class_in
from ..reading import read, read_parts

_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class BaseModel:
    """diffusers' parts, float32 on the CPU. encoders: one, or SDXL's two, each with its tokeniser."""

    unet: Any
    vae: Any
    encoders: tuple[Any, ...]
    tokenizers: tuple[Any, ...]
    scheduler: Any

    @property
    def kind(self) -> str:
        """As adapter files call it."""
        return "sd15" if len(self.encoders) == 1 else "sdxl"


@dataclass(frozen=True, eq=False)
class IdentityAdapter:
    """An IP-Adapter FaceID, or another that makes tokens of ArcFace vectors. unit: it wants length 1."""

    name: str
    projector: Projector
    layers: dict[str, Tensor]
    unit: bool = True

    def tokens(self, vectors: Tensor) -> Tensor:
        """Raw vectors [n, D] -> tokens [n, T, width] on the CPU, without gradients."""
        shown = nn.functional.normalize(vectors, dim=-1) if self.unit else vectors
        return self.projector(shown[:, None].cpu())


def load_base(where: str) -> BaseModel:
    """A folder in diffusers' layout. Raises ValueError for another kind of model, or a missing part."""
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    folder = Path(where)
    kinds: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": class_in(folder)}
    kinds |= {"text_encoder": CLIPTextModel, "tokenizer": CLIPTokenizer, "scheduler": DDIMScheduler}
    if (folder / "text_encoder_2").is_dir():
        kinds |= {"text_encoder_2": CLIPTextModelWithProjection, "tokenizer_2": CLIPTokenizer}
    parts = read_parts(where, kinds)
    two = "text_encoder_2" in parts
    encoders = (parts["text_encoder"], parts["text_encoder_2"]) if two else (parts["text_encoder"],)
    tokenizers = (parts["tokenizer"], parts["tokenizer_2"]) if two else (parts["tokenizer"],)
    base = BaseModel(parts["unet"], parts["vae"], encoders, tokenizers, parts["scheduler"])
    check_base(base, where)
    return base


def check_base(base: BaseModel, name: str) -> None:
    """Freezes everything. Raises ValueError for a model an E-adapter can't be trained on."""
    channels = base.unet.config.in_channels
    if channels != _CHANNELS:
        raise ValueError(
            f"--base {name} takes {channels} channels instead of {_CHANNELS}: give a text-to-image model, "
            "not one for inpainting."
        )
    prediction = base.scheduler.config.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise ValueError(
            f"--base {name} predicts {prediction}; this trainer needs a model that predicts epsilon."
        )
    width = sum(encoder.config.hidden_size for encoder in base.encoders)
    if base.unet.config.cross_attention_dim != width:
        raise ValueError(
            f"--base {name}: its network takes words {base.unet.config.cross_attention_dim} wide, its text "
            f"encoders make them {width} wide."
        )
    for part in (base.unet, base.vae, *base.encoders):
        part.requires_grad_(False).eval()


def load_vision(where: str) -> Any:
    """A CLIP vision model's folder (ViT-H/14 for the real thing), frozen. Raises ValueError."""
    from transformers import CLIPVisionModelWithProjection

    if not Path(where).is_dir():
        raise ValueError(f"--clip {where} is no folder with a CLIP vision model.")
    try:
        vision: Any = CLIPVisionModelWithProjection.from_pretrained(
            where, local_files_only=True, torch_dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"--clip {where} can't be read as a CLIP vision model. ({error})") from error
    return vision.requires_grad_(False).eval()


def load_identity(path: Path, unit: bool = True) -> IdentityAdapter:
    """An identity adapter's file, .bin or .safetensors. Raises ValueError naming it."""
    content = read(path)
    image_proj, layers = tensors_under(content, "image_proj"), tensors_under(content, "ip_adapter")
    if not image_proj or not layers:
        raise ValueError(
            f"{path} is no identity adapter: it has no image_proj and ip_adapter. IP-Adapter FaceID has both."
        )
    try:
        projector = build(image_proj)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{path} is no identity adapter that can be used: {error}.") from error
    return IdentityAdapter(path.name, projector, dict(layers), unit)
