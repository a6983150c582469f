"""The finished files as the repository keeps them."""

from __future__ import annotations

import hashlib
import json

from proof import packing
from proof.training.command import MODELS

#: Of all together, in bytes.
_MOST = 24_000_000


def test_every_file_has_its_sum_and_its_figures() -> None:
    told = {}
    for line in (MODELS / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        told[name] = digest
    files = sorted(MODELS.glob("*.safetensors"))
    assert {file.name for file in files} == set(told)
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == told[file.name], file.name
        facts = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        assert facts["steps"] > 0


def test_all_together_are_small() -> None:
    assert sum(file.stat().st_size for file in MODELS.iterdir()) <= _MOST


def test_every_file_can_be_read() -> None:
    def trunk(name: str) -> packing.Tensors:
        return packing.read(MODELS / f"{name}.safetensors", trunk)  # a trunk may have one of its own

    for file in MODELS.glob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in packing.read(file, trunk).values())
