"""Tiny stand-ins for the gigabytes: where they are, and how a workflow is turned to use them."""

from __future__ import annotations

import copy
import hashlib
import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .paths import REPOSITORY, cache_root

#: The node pack that makes the host accept the tiny networks.
PACK = REPOSITORY / "tests" / "tiny" / "likeness_tiny"
#: Sources of what is written: a change in one of them makes the files anew.
_WRITERS = (
    "tests/tiny/write_tiny.py",
    "tests/support/tiny_faces.py",
    "tests/support/smirk_files.py",
    "tests/support/parser_files.py",
    "tests/support/consistentid_files.py",
    "tests/support/wplus_files.py",
)
CHECKPOINT = "tiny_sdxl.safetensors"
INSTANTID = "tiny_instantid.safetensors"
ARC2FACE = "tiny_arc2face.safetensors"
LARGEST_SIDE = 256
#: Inputs that hold a size in pixels.
SIZES = ("width", "height", "size")
STEPS = 3
#: Nodes whose graphs need more than one recogniser.
_OWN_PACKS = {"LikenessEncodeArc2Face", "LikenessRepairFaces", "LikenessDrawUntil"}


def ensure_tiny(python: str | Path, comfyui: Path) -> Path:
    """A folder with `models/` full of tiny files, made once per version of the code that writes them."""
    folder = cache_root() / f"tiny-{_version()}"
    if (folder / "complete").exists():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    script = PACK.parent / "write_tiny.py"
    command = [str(python), str(script), str(comfyui), str(partial)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", cwd=PACK.parent)
    if done.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise RuntimeError(f"Writing the tiny checkpoints failed:\n{done.stderr[-3000:]}")
    (partial / "complete").touch()
    try:
        partial.rename(folder)
    except OSError:
        if not (folder / "complete").exists():
            raise
        shutil.rmtree(partial)  # another process was first
    return folder


def _version() -> str:
    digest = hashlib.sha256()
    for source in (*sorted(PACK.glob("*.py")), *(REPOSITORY / writer for writer in _WRITERS)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def extra_paths(
    folder: Path, target: Path, names: Sequence[str] = ("checkpoints", "controlnet", "instantid")
) -> Path:
    """Write a file for --extra-model-paths-config that adds the tiny models to the host's own.

    names: the model folders to add. Not `insightface` unless asked: its tiny recognisers have the
    names of the real ones.
    """
    lines = ["tiny:", f"  base_path: '{(folder / 'models').as_posix()}'"]
    lines += [f"  {name}: {name}" for name in names]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def for_tiny(prompt: dict[str, Any]) -> dict[str, Any]:
    """A copy of an API prompt that runs on the tiny files in seconds: other file names, sizes, step counts.

    The graph stays as it is: nodes, links and every other setting. All sizes are divided by one
    number, so that shapes still fit each other; 0, which stands for "as the source", stays. A graph
    with Arc2Face, or where one recogniser judges what another draws, keeps its face packs and
    recognisers, which the tiny folder `insightface` has; any other gets the embedded ones.
    """
    prompt = copy.deepcopy(prompt)
    divisor = max(1.0, max(_sizes(prompt), default=0) / LARGEST_SIDE)
    own_packs = any(node["class_type"] in _OWN_PACKS for node in prompt.values())
    for node in prompt.values():
        inputs = node["inputs"]
        inputs.update(_stand_ins(node["class_type"], inputs, own_packs))
        for name in SIZES:
            if _is_number(inputs.get(name)):
                inputs[name] = math.ceil(inputs[name] / divisor / 8) * 8
        # The steps of a sequence are as many as the latent batch has pictures.
        if _is_number(inputs.get("steps")) and node["class_type"] != "LikenessBlendExpressions":
            inputs["steps"] = min(inputs["steps"], STEPS)
    return prompt


def _sizes(prompt: dict[str, Any]) -> list[float]:
    found = [node["inputs"].get(name) for node in prompt.values() for name in SIZES]
    return [size for size in found if _is_number(size)]


def _stand_ins(class_type: str, inputs: dict[str, Any], own_packs: bool) -> dict[str, Any]:
    """The inputs of a node that name files, with tiny ones in their place; how long it may learn."""
    kinds = dict.fromkeys(("v1-5", "majicmix"), "tiny_sd15.safetensors")
    kinds |= {"512-inpainting": "tiny_sd2_inpaint.safetensors"}
    checkpoint = next((t for k, t in kinds.items() if str(inputs.get("ckpt_name")).startswith(k)), CHECKPOINT)
    posing = str(inputs.get("control_net_name")).startswith("arc2face/")
    family = "sdxl" if "sdxl" in str(inputs.get("file")).lower() else "sd15"
    stand_ins: dict[str, dict[str, Any]] = {
        "CheckpointLoaderSimple": {"ckpt_name": checkpoint},
        "ControlNetLoader": {"control_net_name": ARC2FACE if posing else CHECKPOINT},
        "LikenessLoadInstantID": {"file": "tiny_instantid_glintr100.safetensors" if own_packs else INSTANTID},
        "LikenessLoadFaceModels": {} if own_packs else {"pack": "embedded"},
        "LikenessEmbedFaces": {} if own_packs else {"recogniser": "sface"},
        "LikenessLoadArc2Face": {
            "unet_file": ARC2FACE,
            "encoder_file": "tiny_arc2face_encoder.safetensors",
        },
        "LikenessLoadExpressionAdapter": {"file": "tiny_expression.safetensors"},
        "LikenessReadExpression": {"encoder": "tiny_smirk.safetensors"},
        "LoraLoaderModelOnly": {"lora_name": "tiny_reference.safetensors"},
        "LikenessRedrawArc2Face": {"encoder": "tiny_smirk.safetensors"},
        "LikenessLoadFaceParser": {"file": "tiny_parser.safetensors"},
        "LikenessLoadEAdapter": {"file": f"tiny_emojidiff_{family}.safetensors"},
        "LikenessLoadMasterWeaver": {"file": "tiny_masterweaver.safetensors"},
        "LikenessLoadConsistentID": {"file": f"tiny_consistentid_{family}.safetensors"},
        "CLIPVisionLoader": {"clip_name": "tiny_clip_vision.safetensors"},
        "LikenessLoadFACT": {"file": "tiny_fact.safetensors"},
        "LikenessLoadTransFace": {"file": "tiny_transface.safetensors"},
        "LikenessLoadWPlus": {"file": "tiny_wplus.safetensors"},
        "LikenessLoadFaceEncoder": {"file": "tiny_e4e.safetensors"},
        "LikenessLoadWPlusDirection": {"file": "tiny_directions.safetensors"},
        "LikenessLoadWPlusCode": {"file": "tiny_code.safetensors"},
        "LikenessLoadAttribute": {"file": "tiny_attributes.safetensors"},
        "LikenessLoadPVA": {"file": "tiny_pva.safetensors"},
        "LikenessTunePVA": {"steps": 1, "timesteps": 1},
        "LikenessApplyReference": {"lora": "tiny_reference.safetensors"},
    }
    return stand_ins.get(class_type, {})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
