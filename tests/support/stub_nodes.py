"""The nodes that the stub host knows: names, sockets and ranges of the real ones, in /object_info's form.

What a node refuses is said with the types and sentences of ComfyUI's own check of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKPOINTS = ["tiny_sdxl.safetensors", "tiny_sd15.safetensors"]
_SEED = ["INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}]
_SIZE = ["INT", {"default": 512, "min": 16, "max": 16384, "step": 8}]
_TEXT = ["STRING", {"multiline": True, "dynamicPrompts": True}]
#: name: (required inputs, names of the outputs' types, is an output node)
_NODES: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    "CheckpointLoaderSimple": ({"ckpt_name": [CHECKPOINTS, {}]}, ["MODEL", "CLIP", "VAE"], False),
    "CLIPTextEncode": ({"text": _TEXT, "clip": ["CLIP", {}]}, ["CONDITIONING"], False),
    "EmptyLatentImage": (
        {"width": _SIZE, "height": _SIZE, "batch_size": ["INT", {"default": 1, "min": 1, "max": 4096}]},
        ["LATENT"],
        False,
    ),
    "KSampler": (
        {
            "model": ["MODEL", {}],
            "seed": _SEED,
            "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
            "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
            "sampler_name": [["euler", "ddim"], {}],
            "scheduler": [["simple", "normal"], {}],
            "positive": ["CONDITIONING", {}],
            "negative": ["CONDITIONING", {}],
            "latent_image": ["LATENT", {}],
            "denoise": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}],
        },
        ["LATENT"],
        False,
    ),
    "VAEDecode": ({"samples": ["LATENT", {}], "vae": ["VAE", {}]}, ["IMAGE"], False),
    "LoadImage": ({"image": [[], {"image_upload": True}]}, ["IMAGE", "MASK"], False),
    "ImageScale": (
        {
            "image": ["IMAGE", {}],
            "upscale_method": [["nearest-exact", "bilinear"], {}],
            "width": ["INT", {"default": 512, "min": 0, "max": 16384, "step": 1}],
            "height": ["INT", {"default": 512, "min": 0, "max": 16384, "step": 1}],
            "crop": [["disabled", "center"], {}],
        },
        ["IMAGE"],
        False,
    ),
    "EmptyImage": (
        {
            "width": ["INT", {"default": 512, "min": 1, "max": 16384, "step": 1}],
            "height": ["INT", {"default": 512, "min": 1, "max": 16384, "step": 1}],
            "batch_size": ["INT", {"default": 1, "min": 1, "max": 4096}],
            "color": ["INT", {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1}],
        },
        ["IMAGE"],
        False,
    ),
    "SaveImage": ({"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "ComfyUI"}]}, [], True),
    "PreviewImage": ({"images": ["IMAGE", {}]}, [], True),
}


def object_info(input_folder: Path) -> dict[str, Any]:
    """All nodes as /object_info tells them; LoadImage offers what lies in the input folder."""
    return {name: _info(name, input_folder) for name in _NODES}


def is_output(class_type: str) -> bool:
    return class_type in _NODES and _NODES[class_type][2]


def faults(prompt: Mapping[str, Any], input_folder: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(error, node_errors) as the host would answer with 400; None for a prompt that it takes."""
    for node, content in prompt.items():
        if content.get("class_type") not in _NODES:
            message = f"Node '{node}' has no known class_type: {content.get('class_type')}."
            return _error("missing_node_type", message, f"Node ID '#{node}'"), {}
    outputs = [node for node, content in prompt.items() if is_output(content["class_type"])]
    if not outputs:
        return _error("prompt_no_outputs", "Prompt has no outputs", ""), {}
    node_errors = {}
    for node, content in prompt.items():
        wrong = _wrong_inputs(content, input_folder)
        if wrong:
            node_errors[node] = {
                "errors": wrong,
                "dependent_outputs": outputs,
                "class_type": content["class_type"],
            }
    if not node_errors:
        return None
    return _error("prompt_outputs_failed_validation", "Prompt outputs failed validation", ""), node_errors


def _info(name: str, input_folder: Path) -> dict[str, Any]:
    required, outputs, output_node = _NODES[name]
    required = dict(required)
    if name == "LoadImage":
        required["image"] = [sorted(p.name for p in input_folder.iterdir()), required["image"][1]]
    return {
        "input": {"required": required},
        "input_order": {"required": list(required)},
        "output": outputs,
        "output_is_list": [False] * len(outputs),
        "output_name": outputs,
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": "nodes",
        "category": "stub",
        "output_node": output_node,
    }


def _wrong_inputs(content: Mapping[str, Any], input_folder: Path) -> list[dict[str, Any]]:
    found = []
    inputs = content.get("inputs", {})
    for name, (kind, settings) in _info(content["class_type"], input_folder)["input"]["required"].items():
        if name not in inputs:
            found.append(_fault("required_input_missing", "Required input is missing", name, name))
        elif not isinstance(inputs[name], list):
            found += _wrong_value(name, kind, settings, inputs[name])
    return found


def _wrong_value(name: str, kind: Any, settings: Mapping[str, Any], value: Any) -> list[dict[str, Any]]:
    if isinstance(kind, list):
        if value in kind:
            return []
        return [_fault("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {kind}", name)]
    if kind not in ("INT", "FLOAT"):
        return []
    try:
        number = int(value) if kind == "INT" else float(value)
    except (TypeError, ValueError) as error:
        message = f"Failed to convert an input value to a {kind} value"
        return [_fault("invalid_input_type", message, f"{name}, {value}, {error}", name)]
    if "min" in settings and number < settings["min"]:
        message = f"Value {number} smaller than min of {settings['min']}"
        return [_fault("value_smaller_than_min", message, name, name)]
    if "max" in settings and number > settings["max"]:
        message = f"Value {number} bigger than max of {settings['max']}"
        return [_fault("value_bigger_than_max", message, name, name)]
    return []


def _fault(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name}}


def _error(kind: str, message: str, details: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}
