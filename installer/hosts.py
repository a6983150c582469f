"""The ComfyUIs that tests run on: older and newer ones, each with its own requirements.

A host's environment is small: what it wants in another version than the pinned one lies in a virtual
environment of its own, and all else (PyTorch is 5 GB) is seen in that of the pinned one behind it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import comfyui
from .comfyui import PINNED, RELEASES, Release
from .environment import ADVICE, Environment, lock, make_venv, packages, pip_install
from .output import Progress, SetupError

NAMES = ("oldest", "pinned", "newest")
#: The page of a year later than the pinned host's: what users who update get. Tests run on it too.
FRONTEND = "1.58.1"
_FRONTEND_PACKAGE = "comfyui-frontend-package"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Host:
    """A ComfyUI and a Python that has what it needs."""

    name: str
    comfyui: Path
    python: Path


def ensure(progress: Progress, environment: Environment, release: Release = RELEASES[0]) -> Host:
    """The host of a release, made if it is not there. Raises SetupError."""
    if release == PINNED:
        return Host(PINNED.version, environment.comfyui, environment.python)
    folder = environment.folder / "hosts" / f"ComfyUI-{release.version}"
    with lock(progress):
        if not folder.exists():
            # Under another name until it is whole.
            making = folder.with_name(folder.name + ".new")
            shutil.rmtree(making, ignore_errors=True)
            making.parent.mkdir(exist_ok=True)
            comfyui.get_comfyui(making, environment.python, progress, git_first=False, release=release)
            making.rename(folder)
    return of_folder(progress, environment, folder, release.version)


def find(wanted: str) -> Release:
    """The release that `oldest`, `pinned`, `newest` or a version means. Raises SetupError.

    The newest is that of ComfyUI's repository; where git can't reach it, of the registry.
    """
    if wanted == "newest":
        tagged = comfyui.tagged_versions() or [RELEASES[-1].version]
        wanted = max(tagged[-1], RELEASES[-1].version, key=numbers)
    named = {"oldest": RELEASES[0], "pinned": PINNED, **{release.version: release for release in RELEASES}}
    if wanted in named:
        return named[wanted]
    if not _VERSION.fullmatch(wanted):
        raise SetupError(
            f"--host takes {', '.join(NAMES)} or a version of ComfyUI such as {RELEASES[0].version}, "
            f"not {wanted!r}."
        )
    return Release(wanted)


def numbers(version: str) -> tuple[int, ...]:
    """A version as what can be compared."""
    return tuple(int(part) for part in version.split("."))


def of_folder(progress: Progress, environment: Environment, folder: Path, name: str = "") -> Host:
    """The ComfyUI in a folder, with the requirements it has now. Raises SetupError."""
    requirements = comfyui.requirements(folder)
    if not requirements.is_file():
        raise SetupError(f"{folder} has no requirements.txt: it is no whole ComfyUI.")
    wanted = requirements.read_bytes()
    if wanted == comfyui.requirements(environment.comfyui).read_bytes():
        return Host(name or str(folder), folder, environment.python)
    digest = hashlib.sha256(wanted).hexdigest()[:12]
    own = Environment(environment.folder / "hosts" / f"packages-{digest}")
    with lock(progress):
        if not own.complete:
            shutil.rmtree(own.folder, ignore_errors=True)
            own.folder.mkdir(parents=True)
            _install(own, environment, requirements, progress)
            (own.folder / "complete.json").write_text("{}\n", encoding="utf-8")
    return Host(name or str(folder), folder, own.python)


def _install(own: Environment, shared: Environment, requirements: Path, progress: Progress) -> None:
    """What the host wants in another version goes into `own`; pip finds the rest in `shared`."""
    make_venv(own.folder / "venv", with_pip=False)
    behind = _site_packages(own) / "behind.pth"
    # Own packages come first in the path, so the same package behind them is never seen.
    behind.write_text(f"{_site_packages(shared)}\n", encoding="utf-8")
    command = [*pip_install(own.python), *packages(shared, requirements)]
    progress.run("Installing what this ComfyUI needs", command, own.folder / "setup.log", advice=ADVICE)


def _site_packages(environment: Environment) -> Path:
    # Windows: venv/Lib/site-packages; elsewhere venv/lib/python3.x/site-packages.
    inside = environment.folder / "venv"
    return next(p for p in (*inside.glob("[Ll]ib/site-packages"), *inside.glob("lib/*/site-packages")))


def check_frontend(version: str) -> None:
    """Raises SetupError for what is neither `newest` nor a version."""
    if version != "newest" and not _VERSION.fullmatch(version):
        raise SetupError(f"--frontend takes newest or a version such as {FRONTEND}, not {version!r}.")


def ensure_frontend(progress: Progress, environment: Environment, version: str = FRONTEND) -> Path:
    """The folder for the host's --front-end-root with that page, `newest` or a version. Raises SetupError."""
    newest = version == "newest"
    folder = environment.folder / "frontends" / version
    static = folder / "comfyui_frontend_package" / "static"
    with lock(progress):
        if newest or not static.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            making = folder.with_name(folder.name + ".new")
            shutil.rmtree(making, ignore_errors=True)
            package = _FRONTEND_PACKAGE + ("" if newest else f"=={version}")
            command = [*pip_install(environment.python), "--no-deps", "--target", making, package]
            log = environment.folder / "frontends" / "setup.log"
            progress.run(f"Installing the page {version}", command, log, advice=ADVICE)
            making.rename(folder)
    return static
