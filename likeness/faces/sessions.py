"""ONNX Runtime sessions: made once per process for a file and a provider, and shared by every node."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ..choices.faces import PROVIDERS as CHOICES

log = logging.getLogger(__name__)

#: What the widget offers, and ONNX Runtime's names for it.
PROVIDERS: dict[str, str] = {
    "CPU": "CPUExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "ROCm": "ROCMExecutionProvider",
    "DirectML": "DmlExecutionProvider",
    "CoreML": "CoreMLExecutionProvider",
    "OpenVINO": "OpenVINOExecutionProvider",
}
#: CoreML is missing on purpose: it fails on the changing sizes of detection and has to be asked for.
_AUTOMATIC = ("CUDA", "ROCm", "DirectML")
_CPU = PROVIDERS["CPU"]

Loaded = TypeVar("Loaded")
_Key = tuple[str, str, int, int, str]
_cache: dict[_Key, Any] = {}
_lock = threading.RLock()


class BrokenModel(ValueError):
    """A model file that can't be what its name says. The message names the file."""


@lru_cache(maxsize=64)
def _say_once(message: str) -> None:
    log.warning(message)


def resolve_provider(choice: str) -> str:
    """ONNX Runtime's provider for a choice of the widget; the CPU when it is not available.

    Capitals don't matter: other packs write ROCM, and their graphs run on this one.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if choice == "auto":
        return next((PROVIDERS[name] for name in _AUTOMATIC if PROVIDERS[name] in available), _CPU)
    name = next((name for name in PROVIDERS if name.lower() == choice.lower()), None)
    if name is None:
        raise ValueError(f"Unknown provider {choice!r}. There are: {', '.join(CHOICES)}.")
    if PROVIDERS[name] not in available:
        _say_once(f"This onnxruntime has no {name} provider: face models run on the CPU.")
        return _CPU
    return PROVIDERS[name]


def once(kind: str, path: Path, provider: str, make: Callable[[Path, str], Loaded]) -> Loaded:
    """make(path, provider), remembered until the file changes. Safe to call from several threads.

    An older version of the same file is forgotten, so that replacing a file does not keep both.
    """
    stat = path.stat()
    key: _Key = (kind, str(path), stat.st_mtime_ns, stat.st_size, provider)
    with _lock:
        if key not in _cache:
            loaded = make(path, provider)
            for old in [k for k in _cache if (k[0], k[1], k[4]) == (key[0], key[1], key[4])]:
                del _cache[old]
            _cache[key] = loaded
        found: Loaded = _cache[key]
    return found


def open_session(path: Path, provider: str) -> Any:
    """An ONNX Runtime session. Raises BrokenModel for a file that is no ONNX model or is cut short."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # SFace's unused initialisers are no news to anybody
    # SFace's weights are packed in 8 bits: unpack them once here, not at every face (1.8 times as fast).
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    providers = [provider] if provider == _CPU else [provider, _CPU]
    try:
        session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=providers)
    except (
        errors.InvalidProtobuf,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.NotImplemented,
        errors.RuntimeException,
        errors.Fail,
        UnicodeDecodeError,  # its own message can quote the broken file
    ) as error:
        raise BrokenModel(
            f"{path} ({path.stat().st_size:,} bytes) can't be read as an ONNX model: the download is "
            "incomplete, or it is another kind of file. Delete it and fetch it again. (onnxruntime: "
            f"{_first_line(error)})"
        ) from error
    if session.get_providers()[0] != provider:
        _say_once(f"onnxruntime could not start {provider}: {path.name} runs on the CPU.")
    return session


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
