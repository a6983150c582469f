"""Makes one archive that runs the device checks on a machine with PyTorch, NumPy and no network.

python tests/device/pack.py [--comfyui DIR] [--python 3.12 ...] [--output FILE]

There: tar -xf likeness_device.tar.gz && python likeness-device/start.py
It holds this pack, a ComfyUI and the wheels that a bare machine lacks. Networks are made there.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = "likeness-device"
#: What of this pack the checks need.
PACK = (
    *("__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "likeness", "nodes", "installer"),
    *("models/embedded", "tests/device", "tests/support", "tests/tiny/likeness_tiny", "tests/data"),
)
#: What of ComfyUI they don't.
NOT_HOST = (
    *("blueprints", "models", "input", "output", "temp", "user", "custom_nodes", "tests", "tests-unit"),
    *("script_examples", "openapi.yaml", ".git", ".github", ".ci", "notebooks"),
)
#: Packages that a machine with PyTorch lacks, in the versions that this Python has. Large ones that are only
#: imported have stand-ins instead, see stand_ins.py.
WHEELS = (
    *("einops", "transformers", "tokenizers", "safetensors", "pillow", "psutil", "PyYAML", "tqdm", "regex"),
    *("huggingface_hub", "packaging", "pydantic", "pydantic_core", "pydantic-settings", "python-dotenv"),
    *("torchsde", "trampoline", "typing-inspection", "annotated-types", "comfy-aimdo"),
)
#: Of these the wheel without compiled kernels, which are large; the host then computes with PyTorch alone.
PURE = ("comfy-kitchen",)
#: What huggingface_hub speaks HTTP with, from one release to another: imported, and never used.
HTTP = (
    *("httpx2", "httpcore2", "httpx", "httpcore", "anyio", "h11", "idna", "truststore", "certifi", "sniffio"),
    *("requests", "urllib3", "charset-normalizer", "filelock", "fsspec", "typing-extensions"),
)
_LINUX = (
    *(f"manylinux_2_{n}_x86_64" for n in (39, 35, 34, 31, 28, 27, 24, 17, 12, 5)),
    "manylinux2014_x86_64",
)
LARGEST = 60_000_000


def main() -> None:
    arguments = _arguments()
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]
    from device.run import comfyui_of

    host = comfyui_of(arguments.comfyui)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wheels = download(Path(folder), arguments.python)
        pack(host, wheels, arguments.output)
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {size / 1e6:.1f} MB, for Python {' and '.join(arguments.python)} on Linux.")
    if size > LARGEST:
        sys.exit(f"That is more than {LARGEST / 1e6:.0f} MB: name fewer Pythons.")


def download(folder: Path, pythons: list[str]) -> list[Path]:
    """The wheels for these Pythons. Raises SystemExit with pip's own reason."""
    for python in pythons:
        for names, platforms in (((*WHEELS, *installed(HTTP)), _LINUX), (PURE, ("any",))):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            command += ["--python-version", python, "--implementation", "cp", "--dest", str(folder)]
            command += [part for platform in platforms for part in ("--platform", platform)]
            command += [f"{name}=={metadata.version(name)}" for name in names]
            if subprocess.run(command).returncode:
                sys.exit(f"pip could not get the wheels for Python {python}: its reason is above.")
    return sorted(folder.glob("*.whl"))


def installed(names: Iterable[str]) -> list[str]:
    """Those of these packages that are there."""
    there = {found.metadata["Name"].lower().replace("_", "-") for found in metadata.distributions()}
    return [name for name in names if name in there]


def pack(host: Path, wheels: list[Path], output: Path) -> None:
    """Writes the archive: there whole or not at all."""
    part = output.with_name(output.name + ".part")
    with tarfile.open(part, "w:gz", compresslevel=9) as archive:
        _add(archive, REPOSITORY / "tests" / "device" / "start.py", "start.py")
        _add(archive, REPOSITORY / "tests" / "device" / "stand_ins.py", "stand_ins/sitecustomize.py")
        for path in files(REPOSITORY, PACK):
            _add(archive, path, f"likeness/{path.relative_to(REPOSITORY).as_posix()}")
        tops = [path.name for path in sorted(host.iterdir()) if path.name not in NOT_HOST]
        for path in files(host, tops):
            _add(archive, path, f"ComfyUI/{path.relative_to(host).as_posix()}")
        # The host lists these folders when it starts.
        for name in ("models", "custom_nodes", "input", "output"):
            _put(archive, f"ComfyUI/{name}/.keep", b"")
        for wheel in wheels:
            _add(archive, wheel, f"wheels/{wheel.name}")
    part.replace(output)


def files(root: Path, tops: tuple[str, ...] | list[str]) -> Iterator[Path]:
    """All files of these folders and files, but what Python has compiled."""
    for top in tops:
        path = root / top
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (one for one in found if one.is_file() and "__pycache__" not in one.parts)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    _put(archive, name, path.read_bytes())


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Nothing of this machine goes in: no owner, no time."""
    entry = tarfile.TarInfo(f"{FOLDER}/{name}")
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def _arguments() -> argparse.Namespace:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comfyui", type=Path, metavar="DIR", help="the ComfyUI to put in")
    parser.add_argument(
        "--python", nargs="+", default=[own], metavar="3.N", help="of that machine (%(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "demo" / "likeness_device.tar.gz", metavar="FILE"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
