"""The shared environment: Python packages, ComfyUI and photos, made once per machine and recipe."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import comfyui
from .output import Progress, SetupError
from .paths import REPOSITORY, cache_root, photos_folder

#: Raise when the steps below change, so that environments of the older recipe are not taken for good.
RECIPE = "1"
TORCH = ("torch==2.14.1", "torchvision==0.29.1", "torchaudio")
#: insightface asks for opencv-python, which needs libGL; servers have none. So it goes in without what it
#: asks for, and this is what it asks for, with OpenCV's build for servers.
INSIGHTFACE_NEEDS = (
    "opencv-python-headless",
    "onnx>=1.13",
    "onnxruntime",
    "scikit-image",
    "scipy",
    "tqdm",
    "requests",
)
#: What the checks, the trainers and batches need beside requirements.txt.
ALSO_NEEDED = ("requirements-dev.txt", "requirements-train.txt", "requirements-batch.txt")
PHOTO_PACKAGE = "face_recognition==1.3.0"
PHOTO_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
PHOTOS = ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")
SPACE = 8_000_000_000
ADVICE = (
    "Check the network, the free space and pip's settings, then run the same command again: "
    "what pip has downloaded is kept."
)


@dataclass(frozen=True)
class Environment:
    folder: Path

    @property
    def python(self) -> Path:
        inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
        return self.folder / "venv" / inside

    @property
    def comfyui(self) -> Path:
        return self.folder / "ComfyUI"

    @property
    def complete(self) -> bool:
        return (self.folder / "complete.json").is_file() and self.python.exists()


def current() -> Environment:
    """The environment of this recipe on this machine, made or not.

    The published pack comes without some of the lists, and makes none; what it asks for is then not there.
    """
    digest = hashlib.sha256()
    facts = [RECIPE, platform.python_version(), sys.platform, platform.machine(), comfyui.PINNED.sha256]
    facts += [*TORCH, *INSIGHTFACE_NEEDS]
    lists = [REPOSITORY / name for name in ("requirements.txt", *ALSO_NEEDED)]
    facts += [path.read_text(encoding="utf-8") for path in lists if path.is_file()]
    digest.update(json.dumps(facts).encode())
    return Environment(cache_root() / f"env-{digest.hexdigest()[:12]}")


def ensure(progress: Progress, fresh: bool = False) -> Environment:
    """The environment, made if it is not there. Raises SetupError."""
    environment = current()
    if environment.complete and not fresh:
        return environment
    if not (3, 10) <= sys.version_info[:2] <= (3, 14):
        raise SetupError(f"Python 3.10 to 3.14 is needed; this is {platform.python_version()}.")
    with lock(progress):
        if environment.complete and not fresh:
            return environment  # another process made it while we waited
        _ensure_space(environment.folder.parent)
        progress.say(f"Making an environment in {environment.folder}: about 7 GB, several minutes, once.")
        # Made at its final place, because a virtual environment cannot be moved; complete.json comes last.
        shutil.rmtree(environment.folder, ignore_errors=True)
        environment.folder.mkdir(parents=True)
        _build(environment, progress)
        record = {"recipe": RECIPE, "python": platform.python_version(), "seconds": progress.seconds}
        (environment.folder / "complete.json").write_text(
            json.dumps(record, indent=2) + "\n", encoding="utf-8"
        )
    _name_others(environment, progress)
    return environment


def _name_others(environment: Environment, progress: Progress) -> None:
    others = [
        folder.name for folder in environment.folder.parent.glob("env-*") if folder != environment.folder
    ]
    if others:
        progress.say(
            f"Other environments are beside it: {', '.join(others)}. Delete those that no clone needs."
        )


def _ensure_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE:
        raise SetupError(
            f"{folder} has {free / 1e9:.1f} GB free; an environment takes about {SPACE / 1e9:.0f} GB. "
            "Make room, or name a folder on another disk with LIKENESS_CACHE."
        )


def _build(environment: Environment, progress: Progress) -> None:
    log = environment.folder / "setup.log"
    progress.say("Making a virtual environment ...")
    make_venv(environment.folder / "venv")
    pip = pip_install(environment.python)
    progress.run("Updating pip", [*pip, "--upgrade", "pip"], log, advice=ADVICE)
    comfyui.get_comfyui(environment.comfyui, environment.python, progress, git_first=False)
    progress.run("Installing torch", [*pip, *TORCH], log, advice=ADVICE)
    ours = environment.folder / "requirements.txt"
    ours.write_text("\n".join(_without_insightface()) + "\n", encoding="utf-8")
    wanted = packages(environment, comfyui.requirements(environment.comfyui))
    progress.run("Installing the other packages", [*pip, *wanted], log, advice=ADVICE)
    insightface = [line for line in requirement_lines() if line.startswith("insightface")]
    progress.run("Installing insightface", [*pip, "--no-deps", *insightface], log, advice=ADVICE)


def pip_install(python: Path) -> list[str | Path]:
    """The beginning of a command that installs packages for a Python."""
    return [python, "-m", "pip", "install", "--no-input", "--progress-bar", "off"]


def packages(environment: Environment, host: Path) -> list[str | Path]:
    """What pip is to install for a host with these requirements, the pack and the checks."""
    ours = environment.folder / "requirements.txt"
    files = [host, ours, *(REPOSITORY / name for name in ALSO_NEEDED)]
    return [*TORCH, *(part for file in files for part in ("-r", file)), *INSIGHTFACE_NEEDS]


def make_venv(folder: Path, with_pip: bool = True) -> None:
    """A virtual environment of the Python that runs this. Raises SetupError."""
    try:
        venv.EnvBuilder(with_pip=with_pip, symlinks=sys.platform != "win32").create(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(
            f"Python could not make a virtual environment: {error}. "
            "On Debian and Ubuntu it needs: apt install python3-venv."
        ) from error


def requirement_lines() -> list[str]:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _without_insightface() -> list[str]:
    return [line for line in requirement_lines() if not line.startswith("insightface")]


def ensure_photos(python: str | Path, progress: Progress) -> Path:
    """The photos the tests read, out of a source package; none of them is committed."""
    folder = photos_folder()
    if all((folder / name).is_file() for name in PHOTOS):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        archive = comfyui.download_source(PHOTO_PACKAGE, PHOTO_SHA256, Path(work), python, progress)
        with tarfile.open(archive) as tar:
            comfyui.extract(tar, Path(work))
        for name in PHOTOS:
            source = next(Path(work).glob(f"*/tests/test_images/{name}"))
            partial = folder / f"{name}.{os.getpid()}.part"
            shutil.copyfile(source, partial)
            partial.replace(folder / name)
    return folder


@contextlib.contextmanager
def lock(progress: Progress) -> Iterator[None]:
    """One set-up at a time per machine. The system frees the lock when the process ends, however it ends."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / "lock").open("a+b") as handle:
        told = False
        while not _try_lock(handle.fileno()):
            if not told:
                progress.say("Another set-up is running on this machine; waiting for it ...")
                told = True
            time.sleep(1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
