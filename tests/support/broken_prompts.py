"""Prompts that must fail, each with what the answer has to name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from installer.server import Server
from support import hostile_files
from support.workflow_runs import node_of

Prompt = dict[str, Any]

#: Names that lead out of a folder, or that some system takes for something else than a file.
ODD_NAMES = ("../../x", "/etc/passwd", "C:\\x\\y", "CON", "a\0b", "..\\..\\x", "x" * 5000)
#: Our nodes that take a file by name: the input, the folder, and the ending of its files.
READERS: Mapping[str, tuple[str, str, str]] = {
    "LikenessLoadInstantID": ("file", "instantid", ".bin"),
    "LikenessLoadPVA": ("file", "pva", ".bin"),
    "LikenessLoadFaceParser": ("file", "face_parsing", ".pth"),
    "LikenessLoadExpressionAdapter": ("file", "ipadapter", ".bin"),
    "LikenessLoadEAdapter": ("file", "emojidiff", ".bin"),
    "LikenessLoadIdentity": ("file", "identities", ".safetensors"),
}


@dataclass(frozen=True)
class Broken:
    """names: a regular expression for what the answer must name. cancel: stop it at its first progress."""

    what: str
    prompt: Prompt
    names: str
    cancel: bool = False


def changed(prompt: Prompt, class_type: str, **inputs: Any) -> Prompt:
    prompt = copy.deepcopy(prompt)
    prompt[node_of(prompt, class_type)]["inputs"].update(inputs)
    return prompt


def loading(class_type: str, **inputs: Any) -> Prompt:
    """A loader, and something that wants what it loads."""
    title = {"_meta": {"title": class_type}}
    show = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}, **title}
    return {"1": {"class_type": class_type, "inputs": inputs, **title}, "2": show}


def put_hostile_files(server: Server) -> None:
    """Every hostile file into every folder that we read, under the endings that count there."""
    for _, folder, ending in READERS.values():
        there = server.base / "models" / folder
        there.mkdir(parents=True, exist_ok=True)
        for kind, (own, make) in hostile_files.KINDS.items():
            name = _hostile_name(kind, own, ending)
            (there / name).write_bytes(make(server.base / "trace"))


def _hostile_name(kind: str, own: str, ending: str) -> str:
    return kind.replace(" ", "_").replace("^", "") + (own if own == ".safetensors" else ending)


def hostile() -> Iterator[Broken]:
    for place, (kind, (own, _)) in enumerate(hostile_files.KINDS.items()):
        class_type = list(READERS)[place % len(READERS)]
        key, _, ending = READERS[class_type]
        name = _hostile_name(kind, own, ending)
        yield Broken(f"{kind} in {class_type}", loading(class_type, **{key: name}), name.partition(".")[0])


def names(prompts: Mapping[str, Prompt]) -> Iterator[Broken]:
    for class_type, (key, _, _) in READERS.items():
        for name in ODD_NAMES:
            yield Broken(
                f"{class_type} {name[:20]!r}", loading(class_type, **{key: name}), rf"\b{key}\b|{class_type}"
            )
    for name in (*ODD_NAMES[:3], ODD_NAMES[5], ""):
        saved = changed(prompts["faces"], "LikenessSaveIdentity", filename_prefix=name)
        yield Broken(f"save to {name[:20]!r}", saved, "filename_prefix")


def numbers(prompts: Mapping[str, Prompt]) -> Iterator[Broken]:
    """Wrong types, absurd sizes, links to nowhere."""
    cases: list[tuple[str, str, str, Any]] = [
        ("faces", "LikenessDetectFaces", "min_score", "high"),
        ("faces", "LikenessDetectFaces", "min_score", float("nan")),
        ("faces", "LikenessDetectFaces", "max_faces", -5),
        ("faces", "LikenessDetectFaces", "max_faces", 10**9),
        ("faces", "LikenessDetectFaces", "if_no_face", "whatever"),
        ("faces", "LikenessDetectFaces", "image", ["99", 0]),
        ("faces", "LikenessDetectFaces", "image", ["2", 0]),
        ("faces", "LikenessDetectFaces", "image", "a text"),
        ("faces", "LikenessFaceKeypoints", "width", 10**9),
        ("faces", "LikenessFaceKeypoints", "height", -1),
        ("faces", "LikenessFaceKeypoints", "width", float("inf")),
        ("faces", "LikenessFaceMask", "grow", 10**9),
        ("faces", "LikenessFaceMask", "feather", "wide"),
        ("faces", "LikenessFaceMask", "region", "everything"),
        ("faces", "LikenessSelectFaces", "indices", "9" * 5000),
        ("faces", "LikenessSelectFaces", "indices", "0;1"),
        ("faces", "LikenessSelectFaces", "by", ["1", 2, 3]),
        ("faces", "LikenessEmbedFaces", "recogniser", "../../x"),
        ("instantid", "LikenessApplyInstantID", "weight", "strong"),
        ("instantid", "LikenessApplyInstantID", "weight", 1e9),
        ("instantid", "LikenessApplyInstantID", "start", -1),
        ("instantid", "LikenessApplyInstantID", "seed", -(10**30)),
        ("instantid", "LikenessApplyInstantID", "identity", ["1", 0]),
        ("instantid", "EmptyLatentImage", "width", 10**9),
        ("instantid", "EmptyLatentImage", "width", 0),
        ("instantid", "EmptyLatentImage", "batch_size", 10**9),
        ("instantid", "KSampler", "steps", 10**9),
        ("freecure", "LikenessFreeCureSample", "strength", -(10**9)),
        ("emojidiff", "LikenessExpressionTemplate", "size", 10**9),
        ("emojidiff", "LikenessExpressionTemplate", "box_width", -5),
        ("emojidiff", "LikenessApplyEAdapter", "weight", [1, 2, 3]),
        ("emojidiff", "LikenessApplyEAdapter", "expression_tokens", ["7", 0]),
    ]
    for name, class_type, key, value in cases:
        prompt = changed(prompts[name], class_type, **{key: value})
        yield Broken(f"{class_type} {key} {str(value)[:20]}", prompt, rf"\b{key}\b|LikenessDetectFaces.*'99'")
    for key, value in (("jaw_open", "wide"), ("component_1", 1e9), ("preset", "furious")):
        edited = loading("LikenessEditExpression", **{key: value})
        yield Broken(f"expression {key} {value}", edited, rf"\b{key}\b")
    without = copy.deepcopy(prompts["faces"])
    del without[node_of(without, "LikenessDetectFaces")]["inputs"]["face_models"]
    yield Broken("an input is missing", without, "face_models")
    unknown = copy.deepcopy(prompts["faces"])
    unknown[node_of(unknown, "LikenessDetectFaces")]["class_type"] = "LikenessNothing"
    yield Broken("an unknown node", unknown, "LikenessNothing|Detect Faces")


def texts(prompts: Mapping[str, Prompt]) -> Iterator[Broken]:
    for text in ("[" * 100_000, '[{"points": [[1e999, 0]]}]', "{}", "9" * 6000, "not json"):
        prompt = copy.deepcopy(prompts["faces"])
        prompt["90"] = {"class_type": "LikenessEditKeypoints", "_meta": {"title": ""}, "inputs": {}}
        faces = [node_of(prompt, "LikenessDetectFaces"), 0]
        prompt["90"]["inputs"] = {"faces": faces, "keypoints": text, "width": 64, "height": 64}
        yield Broken(f"keypoints {text[:20]}", prompt, "keypoints")
    for text in ("1-999999999", "9" * 5000, "some"):
        prompt = changed(prompts["freecure"], "LikenessFreeCureSample", layers=text)
        yield Broken(f"layers {text[:20]}", prompt, "layers")
        prompt = changed(prompts["emojidiff"], "LikenessApplyEAdapter", layers="custom", layer_list=text)
        yield Broken(f"layer_list {text[:20]}", prompt, "layer_list")


def cancelled(prompts: Mapping[str, Prompt]) -> Iterator[Broken]:
    for name in ("instantid", "arc2face", "pva"):
        long = changed(prompts[name], "KSampler", steps=9999)
        yield Broken(f"{name} cancelled", long, "interrupted", cancel=True)


def all_broken(prompts: Mapping[str, Prompt]) -> list[Broken]:
    kinds = (hostile(), names(prompts), numbers(prompts), texts(prompts), cancelled(prompts))
    return [broken for kind in kinds for broken in kind]
