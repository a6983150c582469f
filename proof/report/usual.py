"""`world usual`: measures what the parser sees in faces that are whole, and puts it into whole.json."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from ..training.command import CACHE, MODELS
from ..training.stages import Rooms

#: People of the unseen stream, each once as drawn and once through the autoencoder.
_PEOPLE = 60


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    command = commands.add_parser(
        "usual", help="measure faces that are whole, for the report; after the parser"
    )
    command.add_argument("--models", type=Path, default=MODELS, help="folder of trained stages")
    command.add_argument(
        "--cache", type=Path, default=CACHE / "full", help="folder for what is made from them"
    )
    command.set_defaults(run=_run)


@torch.no_grad()
def _run(options: argparse.Namespace) -> None:
    import numpy as np

    from ..networks import autoencoder, parser
    from ..training.decoded import decoded
    from ..training.pictures import album
    from ..training.running import results
    from . import whole

    rooms = Rooms(options.models.resolve(), options.cache.resolve())
    made = results(("parser", "autoencoder"), rooms)
    network, coder = parser.load(made["parser"]), autoencoder.load(made["autoencoder"])
    drawn = album(rooms.cache, "unseen", _PEOPLE)
    places = torch.arange(_PEOPLE)
    shown = torch.cat([drawn.batch(places), decoded(coder, drawn, places).float() / 255])
    parsed = (network.scores(some).softmax(1).numpy() for some in shown.split(8))
    seen = np.stack([whole.arrangement(scores) for some in parsed for scores in some])
    usual = whole.Usual.of(seen)
    whole.FILE.write_text(usual.text(), encoding="utf-8", newline="\n")
    print(f"{len(seen)} faces; a whole one is at most {usual.limit:.2f} from the usual.")
