"""The command line of training.pva, each option with what it means."""

from __future__ import annotations

import argparse

from ..arguments import positive, saving_and_watching, side

_EPILOG = """\
The data set: a folder per person with two aligned, square portraits or more (as in FFHQ and CelebA-HQ), and
maybe captions.json. training/README.md describes it, what a training takes, and the licences.

A run that was broken off goes on when the same command is given again; Ctrl-C saves first.
Nothing is fetched from anywhere, unless --base or --base-config names a model of the Hugging Face hub.
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python -m training.pva",
        description="Train PVA, which fills a hole in a picture with a given person's face.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _files(made.add_argument_group("files"))
    _learning(made.add_argument_group("learning"))
    add = saving_and_watching(made, "pictures")
    add("--sample-steps", type=positive, default=25, help="of DDIM, eta 1 (default: %(default)s)")
    return made


def _files(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--data", required=True, help="folder of the data set")
    add("--output", required=True, help="folder of this run: checkpoints, samples, log.jsonl, the PVA file")
    add(
        "--base",
        required=True,
        help="Stable Diffusion 2 inpainting: a folder in diffusers' layout, a .safetensors file, or a hub id",
    )
    add(
        "--base-config",
        help="for one file: the folder (or hub id) with its configuration and tokeniser; without, diffusers "
        "asks the hub for it",
    )
    add("--face-encoder", help="ms1mv3_arcface_r50.pth; not needed when --start holds a tuned one")
    add("--start", help="PVA file to go on from; stage 2 needs stage 1's")
    add("--list", help="the official JSON of CelebAHQ-IDI (train_ids, id2image) over the pictures in --data")
    add("--masks", help="folder of free-form masks, white where the hole is; else strokes are drawn")
    add("--boxes", help="where found face boxes are kept, to share between runs (default: OUTPUT/boxes.json)")
    add("--format", choices=("safetensors", "bin"), default="safetensors", help="of the PVA file")


def _learning(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--stage",
        type=int,
        choices=(1, 2),
        default=1,
        help="1: visual attention, identity transformer and word; 2: the face encoder, too",
    )
    add("--steps", type=positive, default=50_000, help="changes of the weights (default: %(default)s)")
    add("--batch", type=positive, default=2, help="pictures of one process in a step (default: %(default)s)")
    add(
        "--timesteps",
        type=positive,
        default=4,
        help="of each picture in a step, one out of each equal part; they take no more memory (default: "
        "%(default)s)",
    )
    add("--size", type=side, default=512, help="side of the pictures in pixels (default: %(default)s)")
    add("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    add("--rate", type=float, default=1.0, help="multiplies all learning rates (default: %(default)s)")
    add("--precision", choices=("fp32", "bf16"), help="default: bf16 with CUDA, fp32 without")
    add("--gradient-checkpointing", action="store_true", help="half the speed or better, far less memory")
    add("--cpu", action="store_true", help="use no graphics card")
    add("--workers", type=int, default=2, help="processes that read pictures ahead (default: %(default)s)")
    add(
        "--latents",
        choices=("sample", "mode"),
        default="sample",
        help="drawn from the VAE's posterior, as the authors do, or its middle (default: %(default)s)",
    )
    add("--test-share", type=float, default=0.3, help="of the people, not looked at (default: %(default)s)")
    add(
        "--validation-share",
        type=float,
        default=0.1,
        help="of all, looked at (default: %(default)s)",
    )
    add(
        "--official-box-quirk",
        action="store_true",
        help="boxes as high as they should be wide and the other way round, as in the authors' code",
    )
