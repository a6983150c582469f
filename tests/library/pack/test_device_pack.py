"""The archive for machines without network: what goes in, and how it starts there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from device import start
from device.pack import FOLDER, NOT_HOST, pack

from installer.paths import REPOSITORY

DEVICE = REPOSITORY / "tests" / "device"
OWN = f"{sys.version_info[0]}{sys.version_info[1]}"


def wheel(folder: Path, tags: str, module: str = "tiny_package") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{module}-1.0-{tags}-any.whl"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(f"{module}.py", "HERE = True\n")
    return path


def test_the_archive_holds_what_is_needed_and_nothing_of_this_machine(tmp_path: Path) -> None:
    host = tmp_path / "host"
    for name in ("main.py", "comfy/ops.py", "comfy/__pycache__/ops.pyc", *(f"{one}/big" for one in NOT_HOST)):
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text("x", encoding="utf-8")
    output = tmp_path / "device.tar.gz"
    pack(host, [wheel(tmp_path / "wheels", "py3-none")], output)
    with tarfile.open(output) as archive:
        entries = archive.getmembers()
    names = {entry.name.removeprefix(f"{FOLDER}/") for entry in entries}
    assert {"start.py", "stand_ins/sitecustomize.py", "likeness/__init__.py", "ComfyUI/comfy/ops.py"} <= names
    assert {"likeness/tests/device/run.py", "likeness/models/embedded/det_yunet_scrfd.onnx"} <= names
    assert "wheels/tiny_package-1.0-py3-none-any.whl" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith("/big")]
    assert not [name for name in names if name.startswith(("likeness/models/drawn", "likeness/.git"))]
    assert {(entry.uid, entry.uname, entry.mtime) for entry in entries} == {(0, "", 0)}


@pytest.mark.parametrize(
    ("python", "abi", "right"),
    [
        ("py3", "none", True),
        ("py2.py3", "none", True),
        (f"cp{OWN}", f"cp{OWN}", True),
        ("cp39", "abi3", True),
        ("cp39", "cp39", False),
        ("cp399", "abi3", False),
        ("py2", "none", False),
    ],
)
def test_wheels_for_this_python_are_chosen(python: str, abi: str, right: bool) -> None:
    assert start.fits(python, abi) is right


def test_wheels_are_unpacked_once_and_another_python_is_told(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "py3-none")
    wheel(tmp_path / "wheels", "cp39-cp39")
    done = start.unpack(tmp_path / "wheels", tmp_path / "packages")
    assert (done / "tiny_package.py").is_file()
    (done / "mark").touch()
    assert (start.unpack(tmp_path / "wheels", tmp_path / "packages") / "mark").is_file()
    wheel(tmp_path / "other", "cp39-cp39", "compiled")
    with pytest.raises(
        SystemExit, match=r"has no compiled for Python 3\.\d+: make it with .*pack\.py --python"
    ):
        start.unpack(tmp_path / "other", tmp_path / "elsewhere")


def run(code: str, folder: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    """In a Python that has nothing but the standard library and these folders."""
    before = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}; import sitecustomize\n"
    command = [sys.executable, "-I", "-S", "-c", before + code]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    (tmp_path / "stand_ins").mkdir()
    (tmp_path / "stand_ins" / "sitecustomize.py").write_bytes((DEVICE / "stand_ins.py").read_bytes())
    return tmp_path / "stand_ins"


def test_what_is_missing_can_be_imported_and_not_used(stand_ins: Path, tmp_path: Path) -> None:
    code = """
import av
import torchvision.transforms as transforms
from scipy.sparse.linalg import lsmr
class Mine(av.VideoFrame): pass
print(transforms.InterpolationMode.BICUBIC, av.codec.context.X)
try: lsmr(1)
except ImportError as error: print(error)
try: Mine()
except ImportError as error: print('bases, too')
"""
    done = run(code, tmp_path, stand_ins)
    assert done.returncode == 0, done.stderr
    assert "scipy.sparse.linalg.lsmr is not in this archive" in done.stdout and "bases, too" in done.stdout


def test_who_asks_what_is_there_is_not_told_of_stand_ins(stand_ins: Path, tmp_path: Path) -> None:
    code = "import importlib.util as u; print(u.find_spec('scipy'), u.find_spec('nothing'))"
    assert run(code, tmp_path, stand_ins).stdout.split() == ["None", "None"]
    real = tmp_path / "real"
    real.mkdir()
    (real / "scipy.py").write_text("HERE = True\n", encoding="utf-8")
    done = run("import scipy; print(scipy.HERE)", tmp_path, stand_ins, real)
    assert done.stdout.strip() == "True", "what is really there is taken"


def test_without_pytorch_the_start_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(DEVICE / "start.py")], capture_output=True, text=True
    )
    assert done.returncode == 1 and "has no torch: run it with the one that has PyTorch." in done.stderr
    assert importlib.util.find_spec("torch") is not None, "this Python has it, when it looks at its packages"
