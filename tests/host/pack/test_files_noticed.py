"""The host runs a node again when a file that it reads was replaced, and only then."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from support import pva_files
from support.tiny_faces import write_antelopev2

#: What each node needs to be asked at all; links as the host hands them over while it looks for changes.
NODES: dict[str, dict[str, Any]] = {
    "LikenessLoadFaceModels": {"pack": "antelopev2", "provider": "CPU"},
    "LikenessCompatArc2FaceExtractor": {"average_method": "average", "n_outliers": 0},
    "LikenessEncodePVA": {"pva": ["1", 0], "align": True, "images.image_0": ["1", 0]},
    "LikenessTunePVA": {"model": ["1", 0], "pva": ["1", 0], "images.image_0": ["1", 0], "save_as": ""},
    "LikenessCompatArc2FaceGenerator": {"unet": ["1", 0], "seed": 1},
    "LikenessCompatArc2FaceImg2Img": {"unet": ["1", 0], "seed": 1},
}
#: The file that each of them reads without a wire saying so.
READS = {
    "LikenessLoadFaceModels": "insightface/models/antelopev2/antelopev2/arcface.onnx",
    "LikenessCompatArc2FaceExtractor": "insightface/models/antelopev2/antelopev2/arcface.onnx",
    "LikenessEncodePVA": "insightface/models/ms1mv3/ms1mv3_arcface_r50.pth",
    "LikenessTunePVA": "insightface/models/ms1mv3/ms1mv3_arcface_r50.pth",
    "LikenessCompatArc2FaceGenerator": "checkpoints/tiny_sd15.safetensors",
    "LikenessCompatArc2FaceImg2Img": "checkpoints/tiny_sd15.safetensors",
}


@pytest.fixture
def models(host: ModuleType, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of this test alone, in front of the session's."""
    import folder_paths

    write_antelopev2(tmp_path / "insightface")
    place = tmp_path / READS["LikenessEncodePVA"]
    place.parent.mkdir(parents=True)
    torch.save(pva_files.face_net(), place)
    checkpoint = tmp_path / READS["LikenessCompatArc2FaceGenerator"]
    checkpoint.parent.mkdir()
    checkpoint.write_bytes((base / "models" / "checkpoints" / "tiny_sd15.safetensors").read_bytes())
    known = dict(folder_paths.folder_names_and_paths)
    for kind in ("insightface", "checkpoints"):
        paths, endings = known[kind]
        known[kind] = ([str(tmp_path / kind), *paths], endings)
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", known)
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    return tmp_path


def changed(node_id: str, **more: Any) -> Any:
    """What the host mixes into the key of its cache: a number that is not one means that asking failed."""
    from comfy_execution.graph import DynamicPrompt
    from execution import IsChangedCache

    node = {"class_type": node_id, "inputs": {**NODES[node_id], **more}}
    prompt = DynamicPrompt({"1": {"class_type": "KSampler", "inputs": {}}, "2": node})
    return asyncio.run(IsChangedCache("test", prompt, None).get("2"))


@pytest.mark.parametrize("node_id", NODES)
def test_a_replaced_file_is_noticed(models: Path, node_id: str) -> None:
    file = models / READS[node_id]
    before = changed(node_id)
    assert isinstance(before[0], str) and str(file) in before[0]
    assert changed(node_id) == before, "stable while nothing changes"
    content = file.read_bytes()
    file.write_bytes(content)
    os.utime(file, ns=(5, 5))
    touched = changed(node_id)
    file.unlink()
    gone = changed(node_id)
    assert before != touched != gone != before


def test_a_vae_that_is_connected_is_nobodys_file(models: Path) -> None:
    for node_id in ("LikenessCompatArc2FaceGenerator", "LikenessCompatArc2FaceImg2Img"):
        assert changed(node_id, vae=["1", 0]) == [""]


def test_another_checkpoint_that_is_no_sd15_changes_nothing(models: Path) -> None:
    before = changed("LikenessCompatArc2FaceGenerator")
    (models / "checkpoints" / "aaa.safetensors").write_bytes(b"not one")
    assert changed("LikenessCompatArc2FaceGenerator") == before


@pytest.mark.parametrize(
    "node_id",
    [
        "LikenessFaceMask",
        "LikenessCropFaces",
        "LikenessPVAMask",
        "LikenessReadExpression",
        "LikenessExpressionTemplate",
        "LikenessScoreExpression",
        "LikenessEncodePVA",
        "LikenessEncodeFACT",
        "LikenessEncodeMasterWeaver",
        "LikenessEncodeWPlus",
        "LikenessTunePVA",
    ],
)
def test_what_looks_at_faces_by_itself_depends_on_the_files_of_the_pack(pack: Any, node_id: str) -> None:
    """Detector and mesh come with the pack; an update replaces them under a running host."""
    said = pack.node(node_id).fingerprint_inputs()
    assert "det_yunet_scrfd.onnx" in said and "face_landmark.onnx" in said
    assert pack.node(node_id).fingerprint_inputs() == said
