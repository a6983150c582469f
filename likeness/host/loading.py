"""Networks out of files, and where the host puts them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.lora
import comfy.lora_convert
import comfy.model_management as model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.utils
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.supported_models_base import ClipTarget

from .files import load_tensors, model_folders


def load_diffusion_model(path: str) -> Any:
    """A U-Net file, in the host's or diffusers' layout, as MODEL."""
    return comfy.sd.load_diffusion_model(path)


def diffusers_names() -> frozenset[str]:
    """The names of every tensor of an SD1.5 U-Net in diffusers' layout: 686."""
    detected = {"in_channels": 4, "out_channels": 4, "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4]}
    detected |= {"transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1}
    detected |= {"transformer_depth_output": [1] * 9 + [0] * 3, "image_size": 32, "legacy": False}
    fixed = {**comfy.supported_models.SD15.unet_config, **comfy.supported_models.SD15.unet_extra_config}
    config = {**fixed, **detected, "use_spatial_transformer": True}
    operations = comfy.ops.disable_weight_init
    there = set(UNetModel(**config, device="meta", operations=operations).state_dict())
    return frozenset(name for name, ours in comfy.utils.unet_to_diffusers(config).items() if ours in there)


def load_text_encoder(path: str, config: Mapping[str, int], dtype: torch.dtype) -> Any:
    """A CLIP-L text encoder file as CLIP, with the sizes and in the precision of the file."""
    clip = _text_encoder(path, config, dtype)
    # Multi-GPU and scheduled LoRAs make the host load it again.
    clip.patcher.cached_patcher_init = (_text_encoder_patcher, (path, config, dtype))
    return clip


def _text_encoder_patcher(
    path: str, config: Mapping[str, int], dtype: torch.dtype, disable_dynamic: bool = False
) -> Any:
    return _text_encoder(path, config, dtype, disable_dynamic).patcher


def _text_encoder(
    path: str, config: Mapping[str, int], dtype: torch.dtype, disable_dynamic: bool = False
) -> Any:
    tensors, _ = load_tensors(path)
    target = ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    return comfy.sd.CLIP(
        target,
        embedding_directory=model_folders("embeddings"),
        parameters=comfy.utils.calculate_parameters(tensors),
        state_dict=[tensors],
        model_options={"clip_l_model_config": dict(config), "dtype": dtype},
        disable_dynamic=disable_dynamic,
    )


def load_vae(path: str) -> Any:
    """The VAE of a whole checkpoint."""
    _, _, vae, _ = comfy.sd.load_checkpoint_guess_config(path, output_clip=False, output_model=False)
    return vae


def plain_network(model: Any, memory: int) -> tuple[Any, torch.device, torch.dtype]:
    """(network, device, dtype) of a MODEL without its LoRAs and patches, loaded and ready to run.

    memory: bytes that running it takes beside its weights.
    """
    plain = model.clone()
    plain.model_options = {"transformer_options": {}}
    plain.patches, plain.patches_uuid = {}, uuid.uuid4()
    model_management.load_models_gpu([plain], memory_required=memory)
    return plain.model.diffusion_model, plain.load_device, plain.model.get_dtype_inference()


#: What follows a layer's name in the keys of a LoRA file.
_LORA_PART = re.compile(
    r"(_lora\.|\.lora_|\.lora\.|\.alpha$|\.dora_scale$|\.hada_|\.lokr_|\.oft_|\.diff|\.w_norm|\.b_norm).*"
)


def add_lora(model: Any, tensors: Mapping[str, torch.Tensor], strength: float) -> tuple[Any, list[str]]:
    """(a clone of MODEL with a LoRA, the names in the file that fit nothing)."""
    names = comfy.lora.model_lora_keys_unet(model.model, {})
    loaded = comfy.lora.load_lora(comfy.lora_convert.convert_lora(dict(tensors)), names, log_missing=False)
    model = model.clone()
    model.add_patches(loaded, strength)
    fitting = {name for name, target in names.items() if target in loaded}
    modules = {key: _LORA_PART.sub("", key) for key in tensors}
    return model, sorted(key for key, module in modules.items() if module not in fitting)


def set_weights(model: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A clone of MODEL with these in the place of its own weights, by the names of its U-Net.

    LoRAs, connected before or after, change what is set; of two that set the same, the later does. Raises
    KeyError for a name it does not have.
    """
    model = model.clone()
    named = {f"diffusion_model.{name}": weight for name, weight in weights.items()}
    loras = {key: model.patches.pop(key) for key in named if key in model.patches}
    loras = {key: [patch for patch in patches if not _sets(patch)] for key, patches in loras.items()}
    there = model.add_patches({key: ("set", (weight,)) for key, weight in named.items()})
    if len(there) != len(named):
        raise KeyError(f"The U-Net has no {sorted(set(named) - set(there))[0]}.")
    for key, patches in loras.items():
        model.patches[key] = [*model.patches[key], *patches]
    return model


def are_set(model: Any, names: Sequence[str]) -> bool:
    """Whether `set_weights` put anything in the place of these."""
    return any(_sets(patch) for name in names for patch in model.patches.get(f"diffusion_model.{name}", ()))


def _sets(patch: Any) -> bool:
    """Of a patch of the host: (strength, what, ...), what being (kind, tensors)."""
    return isinstance(patch[1], tuple) and patch[1][0] == "set"


def own_weights(model: Any, names: Sequence[str]) -> dict[str, torch.Tensor]:
    """A MODEL's weights without patches, by the names of its U-Net: also while it is patched."""
    found = {}
    for name in names:
        key = f"diffusion_model.{name}"
        kept = model.backup.get(key)
        found[name] = comfy.utils.get_attr(model.model, key) if kept is None else kept.weight
    return found


def managed_network(network: torch.nn.Module) -> Any:
    """A patcher that lets the host decide where a network of plain fp32 layers lies; nothing runs yet."""
    # By attribute: the host replaces the class when it manages memory layer by layer.
    make = comfy.model_patcher.CoreModelPatcher
    device, rest = model_management.get_torch_device(), model_management.unet_offload_device()
    return make(network, load_device=device, offload_device=rest)


def run_network(patcher: Any, memory: int) -> tuple[Any, torch.device]:
    """(network, device) of managed_network, loaded and ready. memory: bytes a run takes beside weights."""
    model_management.load_models_gpu([patcher], memory_required=memory)
    return patcher.model, patcher.load_device
