"""E-adapter files: which there are, loading each once per process, writing them.

Spec: pva_freecure_emojidiff.md C.1 (state dict).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ...adapters.folder import AdapterFolder
from ...choices.emojidiff import CLIP, FOLDERS, PUBLISHED
from ...weights.write import write_tensors
from .adapter import parse
from .kinds import BASES, FORMAT, TEMPLATE, described_layers

FILES = AdapterFolder(FOLDERS, PUBLISHED, parse)
fingerprint, load = FILES.fingerprint, FILES.load


def write(
    path: str | Path,
    image_proj: Mapping[str, torch.Tensor],
    layers: Mapping[str, torch.Tensor],
    base: str,
    clip: str = CLIP,
) -> None:
    """A flat safetensors file in IP-Adapter-Plus' names, which the common IP-Adapter pack loads, too.

    image_proj: the Resampler's tensors (`latents`, `proj_in.weight`, ...); layers: `{n}.to_k_ip.weight` and
    `{n}.to_v_ip.weight`, n odd in checkpoint order (down, up, middle), as many as were trained. base: sd15
    or sdxl; clip: what the file calls the CLIP vision model. What is written is read once first: raises
    ValueError for what would not load, such as NaN.
    """
    if base not in BASES:
        raise ValueError(f"base must be one of {', '.join(BASES)}, not {base!r}.")
    flat = {f"image_proj.{key}": value.detach().cpu() for key, value in image_proj.items()}
    flat |= {f"ip_adapter.{key}": value.detach().cpu() for key, value in layers.items()}
    broken = [name for name, value in flat.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} holds NaN or infinity: no file is written.")
    facts = {"format": FORMAT, "base": base, "clip": clip, "template": TEMPLATE}
    facts["layers"] = described_layers(layers, base)
    parse(flat, facts, Path(path).name)
    write_tensors({key: value.clone() for key, value in flat.items()}, facts, path)
