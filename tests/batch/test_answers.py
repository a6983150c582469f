"""What the host says, read: whose fault, and which files in which order."""

from __future__ import annotations

import pytest

from batch.answers import Failure, failure, files, kind_of, refusal
from batch.client import Fault

NAMES = {"1": "Model", "2": "Save", "3": "Save Faces"}


def ended(kind: str, **data: str) -> dict[str, object]:
    return {"status": {"status_str": "error", "completed": False, "messages": [[kind, data]]}}


@pytest.mark.parametrize(
    "kind, words, whose",
    [
        ("ValueError", "No face in picture 0.", "row"),
        ("torch.OutOfMemoryError", "Allocation on device", "worker"),
        ("RuntimeError", "CUDA error: out of memory", "worker"),
        ("MemoryError", "", "worker"),
        ("torch.AcceleratorError", "CUDA error: an illegal memory access was encountered", "worker"),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "worker"),
        ("OSError", "[Errno 28] No space left on device", "world"),
    ],
)
def test_a_node_s_error(kind: str, words: str, whose: str) -> None:
    entry = ended("execution_error", node_id="1", node_type="X", exception_type=kind, exception_message=words)
    assert failure(entry, NAMES) == Failure(whose, "Model", words or kind)  # type: ignore[arg-type]


def test_an_interrupted_job_is_lost() -> None:
    found = failure(ended("execution_interrupted"), NAMES)
    assert found is not None and found.state == "lost"


def test_an_end_without_a_reason_is_not_done() -> None:
    found = failure({"status": {"status_str": "error", "completed": False, "messages": []}}, NAMES)
    assert found is not None and found.state == "lost"
    assert failure({"status": {"status_str": "success", "completed": True, "messages": []}}, NAMES) is None


def test_a_refused_value_is_the_row_s_and_a_missing_model_the_world_s() -> None:
    value = Fault("1", "value_not_in_list", "Value not in list: way: 'x' not in ['y']", "x")
    assert refusal([value], NAMES) == Failure("row", "Model", value.sentence)
    model = Fault("1", "value_not_in_list", "Value not in list", "gone.safetensors")
    found = refusal([value, model], NAMES)
    assert (found.state, found.node) == ("world", "Model")
    assert "The host has no model 'gone.safetensors'" in found.sentence


def test_files_come_in_the_order_of_the_workflow() -> None:
    one, two = ({"filename": name, "subfolder": "", "type": "output"} for name in ("a.png", "b.png"))
    shown = {"filename": "c.png", "subfolder": "", "type": "temp"}
    entry = {"outputs": {"3": {"images": [two, two]}, "2": {"images": [one, shown], "animated": [False]}}}
    assert list(files(entry, NAMES)) == [("2", one), ("3", two)]


@pytest.mark.parametrize(
    "name, kind", [("a.PNG", "image"), ("a.mp4", "video"), ("a.flac", "audio"), ("a.txt", "text")]
)
def test_kinds_of_files(name: str, kind: str) -> None:
    assert kind_of(name) == kind
