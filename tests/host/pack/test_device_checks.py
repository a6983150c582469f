"""The checks that people run on their graphics cards: here on the CPU, and that each of them can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from device.checks import TOLERANCE, check_method, supports
from device.report import Report
from support.method_runs import METHODS, NOTHING, Method

from installer.paths import REPOSITORY

CPU = torch.device("cpu")
PICTURE = torch.linspace(-1, 1, 12)


def test_every_method_passes_and_the_report_can_be_shared(comfyui: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.txt"
    script = REPOSITORY / "tests" / "device" / "run.py"
    command = [sys.executable, str(script), "--comfyui", str(comfyui), "--cpu", "--output", str(output)]
    settings = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    text = output.read_text(encoding="utf-8")
    assert text.strip() in done.stdout
    for name in METHODS:
        for dtype in TOLERANCE:
            assert f"ok      {name}, {str(dtype).removeprefix('torch.')}: " in text
    assert (
        "ok      Tune PVA, one step: loss" in text
        and f"{len(METHODS) * len(TOLERANCE) + 2} ok, 0 failed" in text
    )
    assert "ok      InstantID, compiled: by eager, the first step" in text
    assert text.count(" ms, without the method ") == len(METHODS), "in float32 on a CPU"
    assert text.count(" MB stay") == len(METHODS) * len(TOLERANCE) + 1
    assert f"torch {torch.__version__.split('+')[0]}" in text and "device   cpu" in text
    private = (comfyui, REPOSITORY, Path.home(), sys.prefix)
    assert not [place for place in private if str(place) in text]


# Each check can fail


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside: Callable[[torch.Tensor], torch.Tensor] = lambda x: x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inside(x)


@pytest.fixture
def method() -> Method:
    """One that passes: half of its strength is added."""
    network = Network()
    return Method(network, lambda: network(PICTURE), lambda strength: network(PICTURE) + strength / 2)


def check(method: Method, dtype: torch.dtype = torch.float32) -> list[str]:
    said: list[str] = []
    wanted = {"m.plain": PICTURE, "m.full": PICTURE + 0.5}
    check_method(SimpleNamespace(device=CPU), method, dtype, "m", wanted, said.append)
    return said


def inside(method: Method, change: Callable[[torch.Tensor], torch.Tensor]) -> Method:
    """The method, with something that happens in the network when it draws, and not without it."""

    def draw(strength: float) -> torch.Tensor:
        method.network.inside = change
        try:
            return method.draw(strength)
        finally:
            method.network.inside = lambda x: x

    return replace(method, draw=draw)


def test_a_sound_method_passes(host: Any, method: Method) -> None:
    said = check(method)
    assert said[0].startswith("differs from the CPU by 0.0e+00")
    assert re.fullmatch(r"a step \d+\.\d ms, without the method \d+\.\d ms", said[1])
    assert said[2] == "0.0 MB stay"


kept: list[torch.Tensor] = []


@pytest.mark.parametrize(
    ("sentence", "plant"),
    [
        ("NaN", lambda m: replace(m, draw=lambda strength: m.draw(strength) * float("nan"))),
        ("further from the CPU", lambda m: replace(m, draw=lambda strength: m.draw(strength) * 1.01)),
        ("the method does nothing", lambda m: replace(m, draw=lambda strength: m.plain())),
        ("not bit-equal", lambda m: replace(m, draw=lambda strength: m.draw(strength or 1e-6))),
        ("float64 on the device", lambda m: inside(m, lambda x: x.double().float())),
        ("the network gave", lambda m: inside(m, lambda x: x.bfloat16())),
        ("MB stay on the device", lambda m: inside(m, lambda x: kept.append(torch.zeros(500_000)) or x)),
    ],
    ids=["NaN", "far", "idle", "strength 0", "float64", "precision", "memory"],
)
def test_what_is_wrong_is_found(host: Any, method: Method, sentence: str, plant: Any) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check(plant(method))
    kept.clear()


def test_a_network_in_another_precision_than_asked_is_found(host: Any, method: Method) -> None:
    with pytest.raises(AssertionError, match="the network ran on"):
        check(method, torch.float16)


def test_a_precision_that_a_device_does_not_know_is_left_out() -> None:
    assert all(supports(CPU, dtype) for dtype in TOLERANCE)
    assert not supports(CPU, torch.float8_e4m3fn)
    assert not supports(torch.device("cuda:77"), torch.float32)


def test_a_failure_is_reported_without_private_folders(tmp_path: Path) -> None:
    report = Report(private=(tmp_path,))
    with report.check("first"):
        raise FileNotFoundError(f"{tmp_path / 'model'} and C:\\Users\\Anna B\\x and /home/anna/x: missing")
    with report.check("second") as say:
        say("fine")
    report.left_out(torch.bfloat16, "not known")
    report.write(tmp_path / "deep" / "report.txt")
    text = (tmp_path / "deep" / "report.txt").read_text(encoding="utf-8")
    assert "FAILED  first: FileNotFoundError: ..." in text and "test_device_checks.py:" in text
    assert "ok      second: fine" in text and "-       bfloat16: not known" in text
    assert "1 ok, 1 failed" in text and not report.sound
    assert str(tmp_path) not in text and "nna" not in text and " B" not in text


def test_nothing_checked_is_not_sound() -> None:
    assert not Report(private=()).sound


def test_strength_0_is_what_the_methods_call_nothing() -> None:
    assert NOTHING == 0.0
