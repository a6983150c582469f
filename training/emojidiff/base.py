"""What an E-adapter learns with beside a base model: a CLIP vision model, an identity adapter.

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

from ..reading import read


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
