"""The options that say which host is booted and how; `run`, `replay` and the exports share them."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from installer.environment import current
from installer.paths import REPOSITORY, is_comfyui

from .values import HostSettings


class OptionError(ValueError):
    """An option can't be met; the message says which and what to do."""


def add_host_options(parser: argparse.ArgumentParser) -> None:
    host = parser.add_argument_group("the host, one process per worker")
    host.add_argument(
        "--comfyui",
        type=Path,
        metavar="DIR",
        help="ComfyUI's folder. Default: the one this pack is in, then LIKENESS_COMFYUI, "
        "then the one that install.py made.",
    )
    host.add_argument(
        "--python",
        default=sys.executable,
        metavar="FILE",
        help="Python of that ComfyUI. Default: the one that runs this.",
    )
    host.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help="ComfyUI's base directory (models, custom_nodes), if it is not its own folder.",
    )
    host.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        help="The models folder, if it is not the base directory's. On a cluster: a path that "
        "every machine sees.",
    )
    host.add_argument(
        "--extra-model-paths",
        type=Path,
        metavar="FILE",
        help="A file for ComfyUI's --extra-model-paths-config.",
    )
    host.add_argument(
        "--host-arguments",
        default="",
        metavar="TEXT",
        help='More arguments for ComfyUI, in one text: "--lowvram --disable-metadata".',
    )
    host.add_argument(
        "--cpu",
        action="store_true",
        help="Draw on the processor. Taken by itself where no graphics card is found, not with --address.",
    )
    host.add_argument(
        "--gpus",
        default="",
        metavar="0,1",
        help="Graphics cards to share out to the workers in turns. Default: all.",
    )
    host.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="Threads of each host (OMP_NUM_THREADS). Default: with --cpu the cores shared by the "
        "workers, else what the host takes.",
    )
    host.add_argument(
        "--timeout",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="How long one drawing may take before its worker is taken for hung. Default: 1800.",
    )
    host.add_argument(
        "--boot-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="How long a host may take to boot. Default: 600.",
    )
    host.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="Where workers keep their own folders while they run. Default: the system's folder "
        "for temporary files.",
    )


def host_settings(options: argparse.Namespace, workers: int) -> HostSettings:
    """How each worker boots its host. Raises OptionError."""
    # On a cluster this machine's cards say nothing: others draw.
    cpu = bool(options.cpu) or not (getattr(options, "address", "") or graphics())
    threads = options.threads
    if threads is None:
        threads = max(1, cores() // workers) if cpu else 0
    if threads < 0:
        raise OptionError(f"--threads {threads} is less than none.")
    for name in ("timeout", "boot_timeout"):
        if getattr(options, name) <= 0:
            raise OptionError(f"--{name.replace('_', '-')} must be more than 0 seconds.")
    if options.scratch is not None and not options.scratch.is_dir():
        raise OptionError(f"There is no folder {options.scratch} (--scratch).")
    return HostSettings(
        command=command(options),
        folder=str(options.scratch.resolve()) if options.scratch else "",
        cpu=cpu,
        threads=threads,
        timeout=options.timeout,
        boot_timeout=options.boot_timeout,
        environment={"LIKENESS_COMFYUI": str(comfyui(options))},
    )


def command(options: argparse.Namespace) -> tuple[str, ...]:
    """What boots a host, but for what each worker adds. Raises OptionError."""
    if shutil.which(options.python) is None:
        raise OptionError(f"There is no Python {options.python} (--python).")
    python = str(options.python)
    if os.path.dirname(python):  # hosts run in folders of their own; a link must stay one, for venv's sake
        python = os.path.abspath(python)
    words = [python, str(comfyui(options) / "main.py")]
    for name, flag in (("base", "--base-directory"), ("models", "--models-directory")):
        folder = getattr(options, name)
        if folder is not None:
            if not folder.is_dir():
                raise OptionError(f"There is no folder {folder} (--{name}).")
            words += [flag, str(folder.resolve())]
    extra = options.extra_model_paths
    if extra is not None:
        if not extra.is_file():
            raise OptionError(f"There is no file {extra} (--extra-model-paths).")
        words += ["--extra-model-paths-config", str(extra.resolve())]
    try:
        return (*words, *shlex.split(options.host_arguments))
    except ValueError as error:
        raise OptionError(f"--host-arguments {options.host_arguments!r} can't be read: {error}.") from error


def comfyui(options: argparse.Namespace) -> Path:
    """ComfyUI's folder. Raises OptionError."""
    if options.comfyui is not None:
        if not is_comfyui(options.comfyui):
            raise OptionError(f"{options.comfyui} holds no ComfyUI: no main.py and comfy (--comfyui).")
        return Path(options.comfyui).resolve()
    # The shell's folder keeps the name of a link into custom_nodes, which the process's own has lost.
    packs = [Path(os.environ.get("PWD", os.getcwd())), Path.cwd(), REPOSITORY]
    places = [pack.parent.parent for pack in packs if pack.parent.name == "custom_nodes"]
    if os.environ.get("LIKENESS_COMFYUI"):
        places.append(Path(os.environ["LIKENESS_COMFYUI"]))
    for place in [*places, current().comfyui]:
        if is_comfyui(place):
            return place.resolve()
    raise OptionError(
        "No ComfyUI was found. Name its folder with --comfyui, or run `python install.py` once."
    )


def graphics() -> bool:
    """Whether a graphics card is likely: asking torch would take seconds and hold memory of the card."""
    return sys.platform == "darwin" or bool(nvidia_cards()) or Path("/dev/kfd").exists()


def nvidia_cards() -> list[int]:
    """Their numbers, [] where there are none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    done = subprocess.run([tool, "-L"], capture_output=True, text=True)
    lines = done.stdout.splitlines() if not done.returncode else []
    return list(range(len([line for line in lines if line.startswith("GPU ")])))


def cards(options: argparse.Namespace) -> list[int]:
    """The cards to share out; none where the system tells of none. Raises OptionError."""
    if options.cpu:
        return []
    if not options.gpus:
        return nvidia_cards()
    try:
        return [int(word) for word in options.gpus.split(",")]
    except ValueError as error:
        raise OptionError(f"--gpus {options.gpus!r} is no list of numbers such as 0,1.") from error


def cores() -> int:
    """Of this process, where the system says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
