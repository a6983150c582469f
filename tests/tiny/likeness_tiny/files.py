"""Writes tiny model files that the host's own loader nodes, and ours, accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

#: File names, the same in every folder they are written to.
CHECKPOINT = {"sd15": "tiny_sd15.safetensors", "sdxl": "tiny_sdxl.safetensors"}
INSTANTID = "tiny_instantid.safetensors"
#: As the real adapter: it listens to glintr100, which the tiny face pack has.
INSTANTID_GLINTR100 = "tiny_instantid_glintr100.safetensors"
ARC2FACE = "tiny_arc2face.safetensors"
ENCODER = "tiny_arc2face_encoder.safetensors"
EXPRESSION = "tiny_expression.safetensors"
REFERENCE = "tiny_reference.safetensors"
SD2_INPAINT = "tiny_sd2_inpaint.safetensors"
PVA, PERSON = "tiny_pva.safetensors", "tiny_pva_person.safetensors"
ATTRIBUTES = "tiny_attributes.safetensors"
CLIP_VISION = "tiny_clip_vision.safetensors"
FACT, TRANSFACE = "tiny_fact.safetensors", "tiny_transface.safetensors"
MASTERWEAVER = "tiny_masterweaver.safetensors"
EADAPTER = {"sd15": "tiny_emojidiff_sd15.safetensors", "sdxl": "tiny_emojidiff_sdxl.safetensors"}


def write(base: str | Path, kind: str, seed: int = 0) -> None:
    """Write `base`/models/{checkpoints,controlnet}/tiny_<kind>.safetensors; for sdxl an adapter too."""
    models = Path(base) / "models"
    _save(checkpoint(kind, seed), models / "checkpoints" / CHECKPOINT[kind])
    _save(controlnet(kind, seed + 3), models / "controlnet" / CHECKPOINT[kind])
    if kind == "sdxl":
        from .instantid import METADATA, instantid

        _save(instantid(seed + 4), models / "instantid" / INSTANTID, METADATA)
        _save(instantid(seed + 4), models / "instantid" / INSTANTID_GLINTR100)


def write_arc2face(base: str | Path, seed: int = 0) -> None:
    """Write Arc2Face's parts under `base`/models; its VAE is that of the tiny SD1.5 checkpoint."""
    from . import arc2face

    models = Path(base) / "models"
    _save(unet("arc2face", seed), models / "diffusion_models" / ARC2FACE)
    _save(controlnet("arc2face", seed + 3), models / "controlnet" / ARC2FACE)
    _save(arc2face.encoder(seed + 5), models / "text_encoders" / ENCODER)
    _save(arc2face.expression_adapter(seed + 6), models / "ipadapter" / EXPRESSION)
    _save(arc2face.reference_lora(seed + 7), models / "loras" / REFERENCE)


def write_pva(base: str | Path, seed: int = 0) -> None:
    """Write an SD2 inpainting checkpoint, a PVA file for it, and one person's layer, under `base`/models."""
    from . import pva

    models = Path(base) / "models"
    _save(checkpoint("sd2_inpaint", seed), models / "checkpoints" / SD2_INPAINT)
    _save(pva.whole(seed + 8), models / "pva" / PVA)
    _save(pva.person(seed + 9), models / "pva" / PERSON)


def write_emojidiff(base: str | Path, seed: int = 0) -> None:
    """Write E-adapters for SD1.5 and SDXL and the CLIP vision model of both, under `base`/models."""
    from . import clip_vision, emojidiff

    models = Path(base) / "models"
    _save(clip_vision.weights(seed + 10), models / "clip_vision" / CLIP_VISION)
    for kind, name in EADAPTER.items():
        adapter = emojidiff.eadapter(kind, seed + 11)
        _save(adapter, models / "emojidiff" / name, emojidiff.metadata(kind))


def write_masterweaver(base: str | Path, seed: int = 0) -> None:
    """Write a MasterWeaver for SD1.5 under `base`/models; its CLIP vision model is the E-adapters'."""
    from . import masterweaver

    _save(masterweaver.adapter(seed + 13), Path(base) / "models" / "masterweaver" / MASTERWEAVER)


def write_fact(base: str | Path, seed: int = 0) -> None:
    """Write a FACT for SD1.5 and a shallow TransFace under `base`/models."""
    from . import fact

    folder = Path(base) / "models" / "fact"
    _save(fact.adapter(seed + 14), folder / FACT)
    _save(fact.transface(seed + 15), folder / TRANSFACE, fact.METADATA)


def write_attributes(base: str | Path, seed: int = 0) -> None:
    """Write directions as wide as the tiny text encoders, under `base`/models."""
    from . import networks

    generator = torch.Generator().manual_seed(seed + 12)
    directions = {
        f"{name}.{encoder}": torch.randn(networks.TEXT_WIDTH, generator=generator)
        for name in ("person_age", "person_smile", "person_pale", "person_tired")
        for encoder in ("clip_l", "clip_g")
    }
    metadata = {"format": "likeness-attribute-deltas/1", "kind": "learned", "base_model": "tiny"}
    _save(directions, Path(base) / "models" / "attributes" / ATTRIBUTES, metadata)


def _save(tensors: dict[str, Any], path: Path, metadata: dict[str, str] | None = None) -> None:
    import comfy.utils

    path.parent.mkdir(parents=True, exist_ok=True)
    apart = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    comfy.utils.save_torch_file(apart, str(path), metadata=metadata)


def checkpoint(kind: str, seed: int) -> dict[str, Any]:
    """A whole checkpoint: network, text encoders and the small autoencoder TAESD."""
    import comfy.taesd.taesd

    from . import networks

    tensors = {"model.diffusion_model." + k: v for k, v in unet(kind, seed).items()}
    config = networks.CONFIGS[kind](dict(networks.UNETS[kind]))
    text = networks.fill(config.clip_target().clip(device="cpu", dtype=torch.float32), seed + 1)
    for name, tensor in text.state_dict().items():
        if not name.endswith("logit_scale"):
            tensors[_text_name(kind, name)] = tensor
    vae = networks.fill(comfy.taesd.taesd.TAESD(latent_channels=4), seed + 2)
    vae.vae_scale.data.fill_(1.0)
    vae.vae_shift.data.fill_(0.0)
    tensors.update({"first_stage_model." + k: v for k, v in vae.state_dict().items()})
    return tensors


def unet(kind: str, seed: int) -> dict[str, Any]:
    """The network alone, in the host's own key names."""
    from . import networks

    networks.register()
    config = networks.CONFIGS[kind](dict(networks.UNETS[kind]))
    config.set_inference_dtype(torch.float32, None)
    return networks.fill(config.get_model({}, "").diffusion_model, seed).state_dict()


def _text_name(kind: str, name: str) -> str:
    return "cond_stage_model." + name[len("clip_l.") :] if kind == "sd15" else "tinyclip." + name


def controlnet(kind: str, seed: int) -> dict[str, Any]:
    """A ControlNet of the tiny network's shape, in the host's own key names."""
    import comfy.cldm.cldm
    import comfy.ops

    from . import networks

    config = {**networks.UNETS[kind], **networks.HEADS[kind]}
    for name in ("out_channels", "transformer_depth_output", "use_temporal_attention"):
        config.pop(name)
    operations = comfy.ops.disable_weight_init
    net = comfy.cldm.cldm.ControlNet(hint_channels=3, dtype=torch.float32, operations=operations, **config)
    return networks.fill(net, seed).state_dict()
