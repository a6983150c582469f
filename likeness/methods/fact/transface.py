"""TransFace-S: 144 local tokens of an aligned face. Spec: fact_wplus.md A.4, A.5, adapters.md 4.4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

#: Side of the picture, of a patch, of the grid of tokens. The last 4 rows and columns are never read.
SIZE, _PATCH, _GRID = 112, 9, 12
WIDTH, HEADS, BLOCKS = 512, 8, 12
#: Parts of the published file that local tokens do not need.
_UNUSED = ("mask_token", "feature.", "senet.")
_BLOCK = re.compile(r"blocks\.(\d+)\..+")

Tensors = Mapping[str, torch.Tensor]


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        out: torch.Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return out


class _MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.fc2(F.relu6(self.fc1(x)))
        return out


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = _Attention(), _MLP()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out


class TransFace(nn.Module):
    """Named as in the published file."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(1, _GRID * _GRID, WIDTH))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, WIDTH, _PATCH, _PATCH)
        self.blocks = nn.ModuleList(_Block() for _ in range(blocks))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Faces [R, 3, 112, 112], RGB from -1 to 1 -> [R, 144, 512]. Raises ValueError for another size."""
        if tuple(faces.shape[1:]) != (3, SIZE, SIZE):
            raise ValueError(f"TransFace looks at faces of {SIZE} x {SIZE}, not {list(faces.shape)}.")
        patches: Any = self.patch_embed.proj
        x = patches(faces).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        out: torch.Tensor = self.norm(x)
        return out


def build(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> TransFace:
    """The network of a file, float32 on the CPU. Raises ValueError that says what the file is instead.

    TransFace-S has 12 blocks; a safetensors file may say another number in its metadata (`blocks`).
    """
    _check_kind(content, name)
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(value, torch.Tensor) and not key.startswith(_UNUSED)
    }
    blocks = _blocks(metadata, name)
    found = len({match[1] for match in map(_BLOCK.fullmatch, tensors) if match})
    if found != blocks:
        kind = " It is TransFace-B or TransFace-L." if found == 24 else ""
        raise ValueError(f"{name} has {found} blocks, but FACT listens to TransFace-S with {blocks}.{kind}")
    with torch.device("meta"):
        network = TransFace(blocks)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise ValueError(
            f"{name} is incomplete: it lacks {missing[0]}"
            f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}. Download it again."
        )
    for key, shape in wanted.items():
        if tuple(tensors[key].shape) != shape:
            raise ValueError(f"{name} does not fit: {key} is {list(tensors[key].shape)}, not {list(shape)}.")
        if not torch.isfinite(tensors[key]).all():
            raise ValueError(f"{name} is damaged: {key} holds NaN or infinity. Download it again.")
    # Weights made while the host infers could not be moved outside of a node.
    with torch.inference_mode(False), torch.no_grad():
        state = {key: tensors[key].to("cpu", torch.float32, copy=True) for key in wanted}
        network.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)


def _blocks(metadata: Mapping[str, str], name: str) -> int:
    said = metadata.get("blocks", str(BLOCKS))
    if not said.isascii() or not said.isdigit() or not 0 < int(said) <= BLOCKS:
        raise ValueError(f"{name} is damaged: its metadata says blocks {said[:20]!r}.")
    return int(said)


def _check_kind(tensors: Mapping[str, Any], name: str) -> None:
    """Raises ValueError for what is plainly something else."""
    from ...adapters.describe import describe

    if any(key.startswith("local_fac_prj.") or key == "local_fac_prj" for key in tensors):
        raise ValueError(f"{name} is a FACT adapter, not TransFace: load it with Load FACT.")
    places, patches = tensors.get("pos_embed"), tensors.get("patch_embed.proj.weight")
    if not isinstance(places, torch.Tensor) or not isinstance(patches, torch.Tensor):
        raise ValueError(f"{name} is no TransFace but {describe(tensors)}.")
    if "cls_token" in tensors or tuple(places.shape[:2]) != (1, _GRID * _GRID):
        raise ValueError(
            f"{name} is another vision transformer (pos_embed {list(places.shape)}): FACT listens to "
            f"TransFace-S, which has {_GRID * _GRID} places and no class token."
        )
    if places.shape[-1] != WIDTH:
        kinds = {768: "TransFace-L", 256: "a smaller TransFace"}
        wide = int(places.shape[-1])
        raise ValueError(
            f"{name} is {wide} wide ({kinds.get(wide, 'another network')}), but FACT listens to TransFace-S, "
            f"which is {WIDTH}."
        )
