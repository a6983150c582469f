"""Where things lie: this repository, and the per-user cache that every clone on a machine shares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def cache_root() -> Path:
    """The per-user cache folder. LIKENESS_CACHE overrides the platform's convention."""
    chosen = os.environ.get("LIKENESS_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "likeness"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "likeness"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "likeness"


def shared_models() -> Path:
    """The models folder of the demo and the tests: large files that outlive an environment."""
    return cache_root() / "models"


def surrounding_comfyui() -> Path | None:
    """The ComfyUI whose custom_nodes folder holds this pack, or None."""
    # Not resolved: the pack may be a link, and the link's place is what counts. The working folder
    # has lost that; the shell's PWD has not.
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else REPOSITORY / "install.py"
    shell = Path(os.environ.get("PWD", os.getcwd()))
    starts = [shell, Path.cwd()] if same_folder(shell, Path.cwd()) else [Path.cwd()]
    packs = [Path(os.path.normpath(start / script)).parent for start in starts]
    for pack in (*packs, REPOSITORY):
        host = pack.parent.parent
        if pack.parent.name == "custom_nodes" and is_comfyui(host):
            return host
    return None


def same_folder(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def is_comfyui(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir()


def link_folder(source: Path, link: Path) -> None:
    """Make `link` lead to the folder `source`: a symlink, on Windows a junction where links need rights."""
    if link.is_symlink() or _is_junction(link):
        if link.resolve() == source.resolve():
            return
        _remove_link(link)
    elif link.exists():
        raise FileExistsError(f"{link} is in the way: it is a folder of its own. Move it and try again.")
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(source, target_is_directory=True)
    except OSError:
        if sys.platform != "win32":
            raise
        subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(source)], check=True, capture_output=True)


def link_models(models: Path, place: Path) -> None:
    """Make `place` lead to a models folder; an empty folder there gives way."""
    if place.is_dir() and not place.is_symlink() and not _is_junction(place) and not any(place.iterdir()):
        place.rmdir()
    link_folder(models, place)


def _is_junction(path: Path) -> bool:
    return sys.platform == "win32" and path.is_dir() and path.absolute() != path.resolve()


def _remove_link(link: Path) -> None:
    if _is_junction(link) and not link.is_symlink():
        link.rmdir()
    else:
        link.unlink()


def photos_folder() -> Path:
    """Photos of several people for the tests; none of them is committed."""
    return cache_root() / "photos"
