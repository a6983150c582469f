"""Arc2Face's two files, checked by name before the host loads them. Spec: instantid_arc2face.md 2.1.

The host itself loads incomplete files without a word and leaves random numbers in the gaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ... import host
from ...adapters.describe import describe
from ...choices.arc2face import ENCODER, ENCODERS, UNET, UNETS
from ...weights.chosen import find_chosen
from ...weights.read import read_weights

#: The first tensor of a U-Net in the host's own layout.
_HOST_SIGN = "input_blocks.0.0.weight"

_LAYER_PARTS = tuple(
    f"{part}.{kind}"
    for part in (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.out_proj",
        "layer_norm1",
        "layer_norm2",
        "mlp.fc1",
        "mlp.fc2",
    )
    for kind in ("weight", "bias")
)
_TOKENS = "text_model.embeddings.token_embedding.weight"
_WHOLE = (
    _TOKENS,
    "text_model.embeddings.position_embedding.weight",
    "text_model.final_layer_norm.weight",
    "text_model.final_layer_norm.bias",
)
_ENCODER_LAYER = re.compile(r"text_model\.encoder\.layers\.(\d+)\.")


def fingerprint(unet_file: str | None, encoder_file: str | None) -> str:
    return f"{host.files.fingerprint(UNETS, unet_file)}; {host.files.fingerprint(ENCODERS, encoder_file)}"


def load(unet_file: str, encoder_file: str) -> tuple[Any, Any]:
    """(MODEL, CLIP). Raises MissingModel, or ValueError naming what a file is or lacks."""
    unet, encoder = find_chosen(UNETS, unet_file, UNET), find_chosen(ENCODERS, encoder_file, ENCODER)
    content = read_weights(unet)[0]
    width = check_unet(content, unet_file)
    config, dtype = check_encoder(read_weights(encoder)[0], encoder_file)
    if width != config["hidden_size"]:
        raise ValueError(
            f"unet_file {unet_file} takes tokens of width {width}, encoder_file {encoder_file} makes "
            f"{config['hidden_size']}: they do not belong together. Arc2Face's are both 768 (SD1.5)."
        )
    return _model(unet, content, unet_file), host.loading.load_text_encoder(encoder, config, dtype)


def load_unet(path: str, name: str) -> Any:
    """The MODEL of a file alone. Raises ValueError naming what it is or lacks."""
    content = read_weights(path)[0]
    check_unet(content, name)
    return _model(path, content, name)


def load_encoder(path: str, name: str) -> Any:
    """The CLIP of a file alone. Raises ValueError naming what it is or lacks."""
    return host.loading.load_text_encoder(path, *check_encoder(read_weights(path)[0], name))


def _model(path: str, content: Mapping[str, Any], name: str) -> Any:
    model = host.loading.load_diffusion_model(path)
    if _HOST_SIGN in content:
        _complete(model.model.diffusion_model.state_dict(), content, f"unet_file {name}")
    return model


def check_unet(content: Mapping[str, Any], name: str) -> int:
    """The width of the prompt tokens that an SD1.5-shaped U-Net takes, in diffusers' or the host's layout.

    Raises ValueError for anything else, and for diffusers' layout when a tensor is missing.
    """
    if _HOST_SIGN not in content:
        if "conv_in.weight" not in content or "down_blocks.0.resnets.0.conv1.weight" not in content:
            raise ValueError(f"unet_file {name} is not Arc2Face's U-Net but {describe(content)}.")
        if (
            "controlnet_cond_embedding.conv_in.weight" in content
            or "add_embedding.linear_1.weight" in content
        ):
            raise ValueError(f"unet_file {name} is a ControlNet or an SDXL U-Net, not Arc2Face's (SD1.5).")
        _complete(host.loading.diffusers_names(), content, f"unet_file {name}")
    prompt = next((key for key in content if key.endswith("attn2.to_k.weight")), "")
    if not prompt or _sides(content[prompt]) != 2:
        raise ValueError(f"unet_file {name} has no attention to a prompt: it is not Arc2Face's U-Net.")
    return int(content[prompt].shape[-1])


def check_encoder(content: Mapping[str, Any], name: str) -> tuple[dict[str, int], torch.dtype]:
    """(sizes, precision) of a CLIP-L text encoder in HF's layout; ValueError for anything else."""
    if _TOKENS not in content:
        raise ValueError(f"encoder_file {name} is not Arc2Face's text encoder but {describe(content)}.")
    # Counted, not the highest number: that can be anything.
    layers = max(1, len({match[1] for match in map(_ENCODER_LAYER.match, content) if match}))
    parts = (f"text_model.encoder.layers.{n}.{part}" for n in range(layers) for part in _LAYER_PARTS)
    _complete((*_WHOLE, *parts), content, f"encoder_file {name}")
    fc1 = content["text_model.encoder.layers.0.mlp.fc1.weight"]
    if _sides(content[_TOKENS]) != 2 or _sides(fc1) != 2:
        raise ValueError(f"encoder_file {name} is damaged: its tensors have other shapes than a CLIP's.")
    hidden = int(content[_TOKENS].shape[1])
    config = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "intermediate_size": int(fc1.shape[0]),
    }
    return config, content[_TOKENS].dtype


def _sides(value: Any) -> int:
    """How many sides a tensor has; 0 for what is none."""
    return value.ndim if isinstance(value, torch.Tensor) and value.numel() else 0


def _complete(wanted: Iterable[str], content: Mapping[str, Any], file: str) -> None:
    missing = sorted(name for name in wanted if name not in content)
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise ValueError(
            f"{file} is incomplete: {len(missing)} tensors are missing ({shown}). Download it again."
        )
