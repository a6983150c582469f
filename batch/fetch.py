"""`python -m batch fetch NAMES`: the weights of methods, once on every machine of a cluster.

Each machine runs `install.py --models` for its own ComfyUI: resumed, with the sums of the catalogue. What is
fetched, and under which licence, is said before anything begins.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from likeness.weights.catalogue import files_of

from .lock import PACK
from .options import OptionError, comfyui
from .ray_cluster import Cluster


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("fetch", help="fetch model files, on every machine of a cluster")
    parser.add_argument("names", metavar="NAMES", help="methods of the catalogue, such as instantid,embedded")
    parser.add_argument(
        "--address", default="", metavar="HOST:PORT", help="a Ray cluster. Default: this machine alone"
    )
    parser.add_argument(
        "--comfyui", type=Path, metavar="DIR", help="ComfyUI's folder, the same on every machine"
    )
    parser.add_argument(
        "--python", default=sys.executable, metavar="FILE", help="Python there. Default: this one's path"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when every machine has all of them. Raises OptionError, WorldError."""
    names = [name.strip() for name in options.names.split(",") if name.strip()]
    try:
        files = {file.key: file for name in names for file in files_of(name)}
    except KeyError as error:
        raise OptionError(str(error.args[0])) from error
    for file in files.values():
        print(f"{file.name}: {file.size_text}, licence {file.licence}")
    command = [options.python, str(PACK / "install.py"), "--models", ",".join(names)]
    command += ["--comfyui", str(comfyui(options))]
    if not options.address:
        return subprocess.run(command).returncode
    cluster = Cluster(options.address)
    cluster.start()
    try:
        return 0 if all(fetched(command)) else 1
    finally:
        cluster.stop()


def fetched(command: Sequence[str]) -> list[bool]:
    """Run the command once on each machine of the Ray that was joined, side by side, and print its words."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as At

    asked: dict[Any, str] = {}
    for node in ray.nodes():
        if node["Alive"]:
            there = ray.remote(num_cpus=0, max_retries=0)(_task())
            there = there.options(scheduling_strategy=At(node["NodeID"], soft=False))
            asked[there.remote(list(command))] = str(node["NodeManagerAddress"])
    done = []
    for promise, name in asked.items():
        try:
            status, words = ray.get(promise)
        except ray.exceptions.RayError as error:
            status, words = 1, f"The machine failed: {str(error).splitlines()[0]}"
        print(f"{name}: {'done' if not status else 'failed'}\n{words}")
        done.append(not status)
    return done


def _task() -> Any:
    """A function that is pickled whole: the other side has no module of ours loaded."""

    def once(command: list[str]) -> tuple[int, str]:
        import subprocess

        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        except OSError as error:
            return 1, str(error)
        return done.returncode, (done.stdout + done.stderr)[-4000:].strip()

    return once
