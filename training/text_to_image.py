"""What some trainers learn on: a Stable Diffusion 1.5 or SDXL in a folder, all frozen. Nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .reading import read_parts
from .unets import check_and_freeze

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


def load_base(where: str) -> BaseModel:
    """A folder in diffusers' layout. Raises ValueError for another kind of model, or a missing part."""
    two = (Path(where) / "text_encoder_2").is_dir()
    parts = read_parts(where, two_encoders=two)
    encoders = (parts["text_encoder"], parts["text_encoder_2"]) if two else (parts["text_encoder"],)
    tokenizers = (parts["tokenizer"], parts["tokenizer_2"]) if two else (parts["tokenizer"],)
    base = BaseModel(parts["unet"], parts["vae"], encoders, tokenizers, parts["scheduler"])
    example = "Stable Diffusion 1.5 or SDXL"
    frozen = base.vae, *base.encoders
    check_and_freeze(where, base.unet, base.scheduler, frozen, _CHANNELS, "text-to-image", example)
    width = sum(encoder.config.hidden_size for encoder in base.encoders)
    if base.unet.config.cross_attention_dim != width:
        raise ValueError(
            f"--base {where}: its network takes words {base.unet.config.cross_attention_dim} wide, its text "
            f"encoders make them {width} wide."
        )
    return base
