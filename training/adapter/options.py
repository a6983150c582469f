"""The command line of training.adapter, each option with what it means."""

from __future__ import annotations

import argparse

from likeness.weights.catalogue import face_packs

from ..arguments import positive, saving_and_watching, side

_EPILOG = """\
The data set: a folder per person with square portraits, and maybe captions.json. Two pictures of a person
or more are better than one: who it is then comes from another picture than the one that is learnt. What it
takes, and the licences: training/README.md. For commercial use: --recogniser sface or auraface, and pictures,
a base model and captions that allow it.

A run that was broken off goes on when the same command is given again; Ctrl-C saves first. Nothing is
fetched.
"""
#: Who may be asked who somebody is: the recognisers that come as an ONNX file.
RECOGNISERS = tuple(dict.fromkeys(name for pack in face_packs().values() for name in pack.recognisers))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python -m training.adapter",
        description="Train an adapter of InstantID's kind on the vectors of any recogniser.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _files(made.add_argument_group("files"))
    _learning(made.add_argument_group("learning"))
    add = saving_and_watching(made, "batches")
    add("--sample-steps", type=positive, default=25, help="of DDIM (default: %(default)s)")
    add("--guidance", type=float, default=5.0, help="while drawing (default: %(default)s)")
    return made


def _files(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--data", required=True, help="folder of the data set")
    add("--output", required=True, help="folder of this run: checkpoints, samples, log.jsonl, the file")
    add("--base", required=True, help="Stable Diffusion 1.5 or SDXL, a folder in diffusers' layout")
    add("--recogniser", required=True, choices=RECOGNISERS, help="whose vectors the adapter understands")
    add(
        "--face-models",
        required=True,
        help="ComfyUI's folder models/insightface, where the recogniser's file lies",
    )
    add("--start", help="adapter file to go on from, InstantID's own or one that was trained here")


def _learning(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--steps", type=positive, default=60_000, help="changes of the weights (default: %(default)s)")
    add("--batch", type=positive, default=8, help="pictures of one process in a step (default: %(default)s)")
    add("--size", type=side, help="side of the pictures in pixels (default: 1024 for SDXL, else 512)")
    add("--rate", type=float, default=1e-4, help="learning rate (default: %(default)s)")
    add("--warm-up", type=int, default=0, help="steps in which the rate grows (default: %(default)s)")
    add(
        "--face-weight",
        type=float,
        default=1.0,
        help="of an error in the face's box over one beside it (default: 1, as in InstantID)",
    )
    add("--tokens", type=positive, default=16, help="of a person (default: %(default)s, InstantID's)")
    add("--width", type=side, help="of the resampler (default: 1280 for SDXL, else 768)")
    add("--depth", type=positive, default=4, help="of the resampler (default: %(default)s)")
    add("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    add("--precision", choices=("fp32", "bf16"), help="default: bf16 with CUDA, fp32 without")
    add("--gradient-checkpointing", action="store_true", help="half the speed or better, far less memory")
    add("--cpu", action="store_true", help="use no graphics card")
    add("--workers", type=int, default=2, help="processes that read pictures ahead (default: %(default)s)")
    add("--test-share", type=float, default=0.0, help="of the people, not looked at (default: %(default)s)")
    add("--validation-share", type=float, default=0.05, help="of all, looked at (default: %(default)s)")
