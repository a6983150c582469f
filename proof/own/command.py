"""`python -m proof run`."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from installer import paths
from installer.server import ServerError

SERVER = "http://127.0.0.1:8188"


def add_to(rooms: Any) -> None:
    """Adds the command to argparse's subparsers."""
    command = rooms.add_parser(
        "run", help="how good methods are on your own ComfyUI, with your weights and people"
    )
    command.add_argument(
        "--people",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder for each person with 2 photos or more",
    )
    command.add_argument(
        "--methods",
        nargs="+",
        default=["instantid_basic"],
        metavar="GRAPH",
        help="names in workflows/api, or paths of workflows in API form (%(default)s)",
    )
    command.add_argument("--server", default=SERVER, metavar="URL", help="a running ComfyUI (%(default)s)")
    command.add_argument("--into", type=Path, default=Path("demo/proof"), metavar="DIR", help="%(default)s")
    command.add_argument("--prompts", type=Path, metavar="FILE", help="others than proof/own/prompts.json")
    command.add_argument("--seeds", type=int, default=2, help="pictures of each prompt (%(default)s)")
    command.add_argument(
        "--set",
        type=json.loads,
        default={},
        metavar="JSON",
        help='inputs by titles: \'{"SDXL Checkpoint": {"ckpt_name": "mine.safetensors"}}\'',
    )
    command.add_argument(
        "--models", type=Path, metavar="DIR", help="ComfyUI's folder of models, for those who judge"
    )
    command.add_argument(
        "--conditioner", nargs="+", default=[], metavar="NAME", help="further recognisers that may not judge"
    )
    command.add_argument("--no-pictures", action="store_true", help="leave photos out of the page")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Draws, judges, and writes proof.html, proof.json and line.txt. Raises ValueError."""
    # Here: a library of gigabytes is not needed to read what the command is.
    from . import graph, people, prompts
    from .judges import Judges
    from .page import page
    from .remote import Remote
    from .run import run
    from .summary import numbers

    if options.seeds < 1:
        raise ValueError(f"--seeds must be 1 or more, not {options.seeds}.")
    graphs = [graph.read(where, options.set) for where in options.methods]
    _known_titles(options.set, graphs)
    everybody = people.read(options.people)
    asked = prompts.read(options.prompts) if options.prompts else prompts.read()
    judges = Judges(options.models or models())
    try:
        made = run(
            everybody,
            graphs,
            asked,
            options.seeds,
            judges,
            Remote(options.server),
            options.into,
            lambda text: print(text, flush=True),
            options.conditioner,
        )
    except ServerError as error:
        raise ValueError(str(error)) from error
    told = numbers(made)
    write(options.into / "proof.json", json.dumps(_finite(told), indent=1, sort_keys=True) + "\n")
    write(options.into / "proof.html", page(made, not options.no_pictures))
    write(options.into / "line.txt", told["line"] + "\n")
    wrong = [answer.name for answer in made.answers if answer.right is False]
    if wrong:
        print(f"The instrument does not measure these photos as it must: {', '.join(wrong)}. See the page.")
    print(f"{told['line']}\nLook at {options.into / 'proof.html'}")


def models() -> Path:
    """The folder of the ComfyUI that this pack lies in, else of what install.py has fetched."""
    host = paths.surrounding_comfyui()
    return host / "models" if host else paths.shared_models()


def _known_titles(settings: dict[str, Any], graphs: Sequence[Any]) -> None:
    from .titles import node_names

    known = {title for one in graphs for title in node_names(one.nodes).values()}
    for title in settings:
        if title not in known:
            raise ValueError(
                f"--set names {title!r}, but no method has a node called so. There are: "
                f"{', '.join(sorted(known))}."
            )


def write(file: Path, text: str) -> None:
    """There whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, file)


def _finite(value: Any) -> Any:
    """NaN has no place in JSON: null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
