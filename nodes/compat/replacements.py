"""Which of our nodes run those of two other packs, where those are not installed.

The page offers the replacements when a graph with unknown nodes is opened. Prompts posted to the server
are replaced here, before the host looks: its own replacement of prompts stops with a bare KeyError (HTTP 500)
when a node has no `_meta`, or when an optional input is not connected.
"""

from __future__ import annotations

import logging
from typing import Any

from comfy_api.latest import ComfyAPI, io

from ...likeness import host

log = logging.getLogger(__name__)

#: The page puts this widget behind a seed and saves its value among the others; no prompt holds it.
_AFTER_SEED = "control_after_generate"


def _replace(
    old: str,
    new: str,
    sockets: str,
    widgets: str,
    outputs: int = 1,
    renamed: dict[str, str] | None = None,
    fixed: dict[str, Any] | None = None,
) -> io.NodeReplace:
    """An old node and ours. sockets and widgets are the old names, in their order; renamed: old to new."""
    renamed = renamed or {}
    return io.NodeReplace(
        new_node_id=new,
        old_node_id=old,
        old_widget_ids=widgets.split(),
        input_mapping=[
            *({"new_id": renamed.get(name, name), "old_id": name} for name in f"{sockets} {widgets}".split()),
            *({"new_id": name, "set_value": value} for name, value in (fixed or {}).items()),
        ],
        output_mapping=[{"new_idx": place, "old_idx": place} for place in range(outputs)],
    )


_APPLY = "instantid insightface control_net image model positive negative image_kps mask"
_DRAW = "negative_prompt num_inference_steps guidance_scale num_images"

REPLACEMENTS = [
    _replace(
        "InstantIDModelLoader",
        "LikenessLoadInstantID",
        "",
        "instantid_file",
        renamed={"instantid_file": "file"},
    ),
    _replace("InstantIDFaceAnalysis", "LikenessLoadFaceModels", "", "provider", fixed={"pack": "antelopev2"}),
    _replace("ApplyInstantID", "LikenessCompatApplyInstantID", _APPLY, "weight start_at end_at", outputs=3),
    _replace(
        "ApplyInstantIDAdvanced",
        "LikenessCompatApplyInstantIDAdvanced",
        _APPLY,
        "ip_weight cn_strength start_at end_at noise combine_embeds",
        outputs=3,
    ),
    _replace("FaceKeypointsPreprocessor", "LikenessCompatFaceKeypoints", "faceanalysis image", ""),
    _replace(
        "InstantIDAttentionPatch",
        "LikenessCompatInstantIDAttention",
        "instantid insightface image model mask",
        "weight start_at end_at noise",
        outputs=2,
    ),
    _replace(
        "ApplyInstantIDControlNet",
        "LikenessCompatInstantIDControlNet",
        "face_embeds control_net image_kps positive negative mask",
        "strength start_at end_at",
        outputs=2,
    ),
    _replace(
        "Arc2FaceFaceExtractor", "LikenessCompatArc2FaceExtractor", "images", "average_method n_outliers"
    ),
    _replace("Arc2FaceUNetLoader", "LikenessCompatArc2FaceUNet", "", "model_path"),
    _replace("Arc2FaceEncoderLoader", "LikenessCompatArc2FaceEncoder", "", "encoder_path"),
    _replace(
        "Arc2FaceGenerator",
        "LikenessCompatArc2FaceGenerator",
        "face_embedding unet encoder",
        f"{_DRAW} width height seed {_AFTER_SEED}",
    ),
    _replace(
        "Arc2FaceImg2ImgGenerator",
        "LikenessCompatArc2FaceImg2Img",
        "face_embedding unet encoder initial_image",
        f"{_DRAW} seed {_AFTER_SEED} denoise_strength extra_param",
    ),
    _replace("Arc2FaceImageGridGenerator", "LikenessCompatArc2FaceGrid", "", "directory max_images max_size"),
]
_BY_OLD_ID = {replacement.old_node_id: replacement for replacement in REPLACEMENTS}


async def register() -> None:
    """Tell the host. Without a server there is nobody to tell."""
    if host.prompts.on_prompt(replace_nodes):
        api = ComfyAPI()
        for replacement in REPLACEMENTS:
            await api.node_replacement.register(replacement)


def replace_nodes(prompt: dict[str, Any]) -> None:
    """Make the old nodes of a prompt ours, in place, each only where no pack has the old one.

    Inputs that are left out stay so: the host then says which one is missing, and of which node.
    """
    replaced = {}
    for node in prompt.values():
        old = node.get("class_type") if isinstance(node, dict) else None
        if not isinstance(old, str) or old not in _BY_OLD_ID or host.prompts.has_node(old):
            continue
        given = node.get("inputs", {})
        if not isinstance(given, dict):
            continue  # the host says so
        replacement = _BY_OLD_ID[old]
        node["inputs"] = {
            entry["new_id"]: entry["set_value"] if "set_value" in entry else given[entry["old_id"]]
            for entry in replacement.input_mapping
            if "set_value" in entry or entry["old_id"] in given
        }
        node["class_type"] = replaced[old] = replacement.new_node_id
        node.setdefault("_meta", {"title": old})
    if replaced:
        pairs = ", ".join(f"{old} by {new}" for old, new in replaced.items())
        log.info("Likeness runs nodes of a pack that is not installed: %s.", pairs)
