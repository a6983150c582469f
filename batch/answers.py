"""What the host says about a prompt, read: whose fault it is, and which files it left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .client import Fault
from .values import State

#: Endings of files that hold models: one that a host doesn't have is nobody's row's fault.
MODELS = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx", ".pkl")
#: After these a process draws nothing any more, whoever's row comes next.
_BROKEN = ("cuda error", "acceleratorerror", "cublas_status", "cudnn_status", "hip error", "device-side")
_MEMORY = ("outofmemory", "out of memory", "memoryerror", "allocation on device", "cannot allocate memory")
_DISK = ("no space left on device", "[errno 28]", "disk quota exceeded", "not enough space on the disk")
#: Of a file's name, what it is.
_KINDS = {
    "video": ("mp4", "webm", "mkv", "mov", "avi"),
    "audio": ("flac", "mp3", "wav", "opus", "ogg"),
    "text": ("txt", "json", "csv", "md"),
}


@dataclass(frozen=True)
class Failure:
    """node: the title it came from, "" if none. sentence: the host's own words."""

    state: State
    node: str
    sentence: str


def failure(entry: Mapping[str, Any], names: Mapping[str, str]) -> Failure | None:
    """Why a prompt that ended was no success, from its history entry; None if it was one.

    names: what the nodes are called, by id.
    """
    status = entry.get("status") or {}
    for kind, data in status.get("messages", ()):
        if kind == "execution_error":
            name = str(data.get("exception_type", ""))
            words = str(data.get("exception_message", "")).strip() or name
            node = names.get(str(data.get("node_id")), str(data.get("node_type", "")))
            return Failure(_whose(name, words), node, words)
        if kind == "execution_interrupted":
            return Failure("lost", "", "The host interrupted the prompt.")
    if status.get("status_str", "success") != "success" or not status.get("completed", True):
        return Failure("lost", "", "The host ended the prompt without success and without a reason.")
    return None


def refusal(faults: list[Fault], names: Mapping[str, str]) -> Failure:
    """A prompt that was refused: the row's fault, or the world's where a model's file is not there."""
    for fault in faults:
        if fault.kind == "value_not_in_list" and str(fault.value).lower().endswith(MODELS):
            words = f"The host has no model {fault.value!r} ({fault.sentence})."
            return Failure("world", names.get(fault.node, ""), words)
    node = next((names.get(fault.node, fault.node) for fault in faults if fault.node), "")
    return Failure("row", node, "; ".join(fault.sentence for fault in faults))


def files(entry: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """(node id, reference for /view) of all that was saved; previews are left out.

    names: of the nodes by id, in the order of the workflow, which is that of the files: the host's own
    order is the one it worked in, and that is another each time.
    """
    seen = set()
    places = {node: place for place, node in enumerate(names)}
    outputs = entry.get("outputs") or {}
    for node in sorted(outputs, key=lambda node: (places.get(str(node), len(places)), str(node))):
        left = outputs[node]
        for references in left.values():
            for reference in references if isinstance(references, list) else ():
                if not isinstance(reference, dict) or reference.get("type") != "output":
                    continue
                place = (reference.get("subfolder", ""), reference.get("filename", ""))
                if place[1] and place not in seen:
                    seen.add(place)
                    yield str(node), reference


def kind_of(name: str) -> str:
    """image, video, audio or text, by the file's ending."""
    ending = name.rsplit(".", 1)[-1].lower()
    return next((kind for kind, endings in _KINDS.items() if ending in endings), "image")


def _whose(name: str, words: str) -> State:
    said = f"{name} {words}".lower()
    if any(sign in said for sign in _DISK):
        return "world"
    return "worker" if any(sign in said for sign in (*_MEMORY, *_BROKEN)) else "row"
