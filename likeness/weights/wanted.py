"""Which catalogued files the nodes of a graph read, by what their widgets say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import commercial
from .catalogue import ModelFile, catalogue, face_packs

Prompt = Mapping[str, Mapping[str, Any]]

#: Widgets that name a file: the model folder they offer. Of the host's nodes, those of our workflows.
FOLDERS: Mapping[tuple[str, str], str] = {
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("ControlNetLoader", "control_net_name"): "controlnet",
    ("LoraLoaderModelOnly", "lora_name"): "loras",
    ("LikenessApplyReference", "lora"): "loras",
    ("LikenessLoadArc2Face", "unet_file"): "diffusion_models",
    ("LikenessLoadArc2Face", "encoder_file"): "text_encoders",
    ("LikenessLoadConsistentID", "file"): "consistentid",
    ("LikenessLoadEAdapter", "file"): "emojidiff",
    ("LikenessLoadExpressionAdapter", "file"): "ipadapter",
    ("LikenessLoadFACT", "file"): "fact",
    ("LikenessLoadFaceEncoder", "file"): "e4e",
    ("LikenessLoadFaceParser", "file"): "face_parsing",
    ("LikenessLoadInstantID", "file"): "instantid",
    ("LikenessLoadMasterWeaver", "file"): "masterweaver",
    ("LikenessLoadPVA", "file"): "pva",
    ("LikenessLoadTransFace", "file"): "fact",
    ("LikenessLoadWPlus", "file"): "wplus",
    ("LikenessLoadWPlusDirection", "file"): "wplus_directions",
    ("LikenessReadExpression", "encoder"): "smirk",
    ("LikenessRedrawArc2Face", "encoder"): "smirk",
}
#: Files that a node reads without naming them.
_BESIDE = {"LikenessLoadPVA": ("pva/face_encoder",)}
#: Hosts and endings of which the page's own dialog of missing models fetches files.
_DIALOG_HOST = "https://huggingface.co/"
_DIALOG_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pth", ".pt")


def file_of(class_type: str, widget: str, value: Any) -> ModelFile | None:
    """The catalogued file that a widget's value names, or None. Slashes of any system."""
    folder = FOLDERS.get((class_type, widget))
    if folder is None or not isinstance(value, str):
        return None
    inside = value.replace("\\", "/")
    return next((f for f in catalogue().values() if (f.folder, f.inside) == (folder, inside)), None)


def files_of_prompt(prompt: Prompt) -> list[ModelFile]:
    """Every catalogued file that the nodes of an API prompt read, each once. Bundled ones are left out.

    Of a face pack those recognisers that a node of the prompt names; its first where one is chosen by itself.
    """
    keys: dict[str, None] = {}
    for node in prompt.values():
        kind, inputs = str(node.get("class_type")), node.get("inputs") or {}
        named = [file_of(kind, name, value) for name, value in inputs.items()]
        keys.update(dict.fromkeys(file.key for file in named if file))
        keys.update(dict.fromkeys(_BESIDE.get(kind, ())))
        if kind == "LikenessLoadFaceModels":
            keys.update(dict.fromkeys(_of_pack(str(inputs.get("pack")), prompt)))
    return [catalogue()[key] for key in keys if not catalogue()[key].bundled]


def _of_pack(name: str, prompt: Prompt) -> list[str]:
    pack = face_packs().get(name)
    if pack is None:
        return []
    asked = [
        str(value) for node in prompt.values() if (value := (node.get("inputs") or {}).get("recogniser"))
    ]
    named = [key for recogniser, key in pack.recognisers.items() if recogniser in asked]
    first = list(pack.recognisers.values())[:1] if asked else []
    return [pack.detector, pack.mesh, *(named or first)]


def not_commercial(file: ModelFile) -> bool:
    """Whether the file's licence, or what it was trained on, keeps commerce out: by the licence's words."""
    return commercial.use(file) == commercial.NO


def page_entry(file: ModelFile) -> dict[str, str] | None:
    """The file for `properties.models` of a node, or None where the page's dialog can't serve it.

    A browser saves a file under the last part of its address, and knows no folders inside a model folder.
    """
    url = file.url or ""
    served = url.startswith(_DIALOG_HOST) and url.endswith(f"/{file.name}")
    if not served or file.subpath or not file.name.endswith(_DIALOG_ENDINGS):
        return None
    known = {"hash": file.sha256, "hash_type": "SHA256"} if file.sha256 else {}
    return {"name": file.name, "url": url, "directory": file.folder, **known}
