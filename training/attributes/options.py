"""The command line of training.attributes, each option with what it means."""

from __future__ import annotations

import argparse

from ..arguments import positive, saving_and_watching, side

_EPILOG = """\
--pairs: a text file, a pair a line: `old man | young man`. The words that both end with are the subject,
which the direction is added to; where they end with different words, name it as a third: `person with hat |
person | person`. --prefixes: what may stand before, a line each, lists in braces: `a {photo,painting} of a`.

No pictures are needed: the base model draws what it learns from. A run that was broken off goes on when the
same command is given again; Ctrl-C saves first. Nothing is fetched.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python -m training.attributes",
        description="Learn a direction that changes one attribute of a prompt's subject, by a signed scale.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _files(made.add_argument_group("files"))
    _learning(made.add_argument_group("learning"))
    saving_and_watching(made, "prompts")
    made.set_defaults(save_every=100, validate_every=100, validation_batches=2, sample_every=250)
    return made


def _files(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--base", required=True, help="Stable Diffusion 1.5 or SDXL, a folder in diffusers' layout")
    add("--pairs", required=True, help="text file, a pair of phrases a line: see below")
    add("--prefixes", help="text file of what may stand before a phrase (default: nothing)")
    add("--name", required=True, help="of the attribute, such as person_age")
    add("--output", required=True, help="folder of this run: checkpoints, samples, log.jsonl, the file")


def _learning(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--steps", type=positive, default=1000, help="changes of the direction (default: %(default)s)")
    add(
        "--parts",
        type=positive,
        default=10,
        help="prompts after each other in a step; they take no more memory (default: %(default)s)",
    )
    add("--batch", type=positive, default=1, help="prompts at once, of a process (default: %(default)s)")
    add("--scales", type=positive, default=4, help="of the direction, for each prompt (default: %(default)s)")
    add(
        "--scale-range",
        type=float,
        nargs=2,
        default=(0.1, 5.0),
        metavar=("LEAST", "MOST"),
        help="of a scale without its sign (default: 0.1 5)",
    )
    add(
        "--draw-steps",
        type=positive,
        default=50,
        help="of DDIM, at a random one of which is looked (default: %(default)s)",
    )
    add("--guidance", type=float, default=7.5, help="while drawing (default: %(default)s)")
    add("--rate", type=float, default=0.1, help="learning rate (default: %(default)s)")
    add("--size", type=side, help="side of the pictures in pixels (default: 1024 for SDXL, else 512)")
    add("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    add("--precision", choices=("fp32", "bf16"), help="default: bf16 with CUDA, fp32 without")
    add("--gradient-checkpointing", action="store_true", help="half the speed or better, far less memory")
    add("--cpu", action="store_true", help="use no graphics card")
    add("--workers", type=int, default=0, help="processes that choose prompts ahead (default: %(default)s)")
