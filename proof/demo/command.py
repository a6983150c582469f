"""`python -m proof world demo`."""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

from ..training.command import CACHE, MODELS
from ..training.stages import Rooms

#: Fewer than the report's: everybody waits for a demo.
STEPS = 8


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    command = commands.add_parser("demo", help="draw one person with a method, on one sheet")
    command.add_argument("method", nargs="?", default="", help="instantid, arc2face, pva, emojidiff, ...")
    command.add_argument("--into", type=Path, default=Path("demo"), metavar="FOLDER", help="%(default)s")
    command.add_argument("--models", type=Path, default=MODELS, help="folder of trained stages")
    command.add_argument("--cache", type=Path, default=CACHE / "full", help="folder for what is made of them")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Writes drawn_world.png, each picture by itself, and report.json. Raises ValueError."""
    logging.basicConfig(level=logging.WARNING)
    began = time.monotonic()
    rooms = Rooms(options.models.resolve(), options.cache.resolve())
    from .draw import METHODS, TITLES, drawn, ready, scale

    there = ready(rooms)
    if not there:
        raise ValueError(f"No method of the drawn world is trained in {rooms.models}.")
    method = options.method or there[0]
    if method not in METHODS:
        raise ValueError(f"No method is called {method!r}. There are: {', '.join(METHODS)}.")
    print("Starting ComfyUI in this process ...", flush=True)
    import torch

    from .. import host_files
    from ..report.judging import Judges
    from ..report.running import Eyes
    from ..report.studio import Studio, as_png
    from .people import friend, person
    from .sheet import Given, sheet

    torch.set_num_threads(1)  # small operations on several threads mostly wait for each other
    studio, eyes = Studio(rooms, STEPS), Eyes(Judges.of(rooms))
    started = time.monotonic()
    print(f"Drawing with {method} ...", flush=True)
    with host_files.offered(rooms):
        pictures = drawn(method, studio, eyes)
    same, other = scale(eyes)
    done = time.monotonic()
    options.into.mkdir(parents=True, exist_ok=True)
    reference = person().reference_drawing.picture
    given = [Given(reference, "one picture of a person", "all that the method is given")]
    if any(len(one.likeness) > 1 for one in pictures):
        given.append(
            Given(friend().reference_drawing.picture, "one of somebody else", "for the two together")
        )
    (options.into / "drawn_world.png").write_bytes(sheet(TITLES[method], given, pictures, same, other))
    (options.into / "reference.png").write_bytes(as_png(reference))
    rows = []
    for n, one in enumerate(pictures, start=1):
        (options.into / f"picture_{n}.png").write_bytes(as_png(one.picture))
        rows.append({"title": one.title, "likeness": [round(value, 3) for value in one.likeness]})
        told = " and ".join(f"{value:.2f}" for value in one.likeness)
        print(f"  {one.title}: likeness {told}")
    print(f"Two true pictures of this person: {same:.2f}; somebody else: {other:.2f}.")
    report = {
        "weights": "drawn world",
        "method": method,
        "pictures": rows,
        "two_true_pictures": round(same, 3),
        "somebody_else": round(other, 3),
        "processor_seconds": round(time.process_time(), 1),
        "stages": {"start": round(started - began, 2), "pictures": round(done - started, 2)},
    }
    (options.into / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    spent = time.process_time()
    print(
        f"Done in {time.monotonic() - began:.0f} s ({spent:.0f} s of a processor). Look at "
        f"{options.into / 'drawn_world.png'}"
    )
