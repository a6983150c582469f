"""The command line of training.emojidiff, each option with what it means."""

from __future__ import annotations

import argparse
from typing import Any

from likeness.choices.emojidiff import CLIP

from ..arguments import positive, saving_and_watching, side

_EPILOG = """\
Four stages, each a command: base (adapter from portraits), data (triplets out of it: drawn, faces swapped,
filtered), decoupled (the adapter from triplets), ica (identity and expression in the picture). An
EmojiDiff-style reconstruction: training/EMOJIDIFF.md says what is attested, what a training takes, and the
licences of what is needed beside.

A run that was broken off goes on when the same command is given again; Ctrl-C saves first. Nothing is
fetched.
"""
#: Per stage, from the spec: rate, steps, pictures per process and step, warm-up.
USUAL = {"base": (1e-4, 50_000, 32, 0), "decoupled": (1e-4, 80_000, 64, 1000), "ica": (1e-5, 5000, 16, 0)}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python -m training.emojidiff",
        description="Train an E-adapter, which gives drawn faces the expression of a template.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stages = made.add_subparsers(dest="stage", required=True, metavar="STAGE")
    texts = {
        "base": "stage 0: an adapter from portraits, each with its own expression",
        "decoupled": "stage 1: an adapter from triplets of three people's pictures",
        "ica": "stage 2: identity and expression supervised in the picture",
    }
    for name, text in texts.items():
        stage = stages.add_parser(name, help=text, description=text)
        _files(stage, name)
        _learning(stage, name)
        _drawing(saving_and_watching(stage, "batches"))
    data = stages.add_parser("data", help="triplets: drawn with stage 0's adapter, faces swapped, filtered")
    _files(data, "data")
    _iterating(data)
    return made


def _files(made: argparse.ArgumentParser, stage: str) -> None:
    add = made.add_argument_group("files").add_argument
    portraits = "a folder of square portraits, or of folders per person; or triplets.jsonl"
    add(
        "--data",
        required=True,
        help=portraits if stage in ("base", "data") else "triplets.jsonl or its folder",
    )
    add("--output", required=True, help="folder of this run")
    add("--base", required=True, help="Stable Diffusion 1.5 or SDXL, a folder in diffusers' layout")
    add("--clip", required=True, help="CLIP vision model (ViT-H/14), a folder in transformers' layout")
    add("--clip-name", default=CLIP, help="in the file (default: %(default)s)")
    add(
        "--identity-adapter",
        help="a frozen IP-Adapter FaceID for the same base; without, texts alone say who",
    )
    add(
        "--identity-vectors",
        choices=("unit", "raw"),
        default="unit",
        help="length of the vectors the identity adapter wants (default: %(default)s, as FaceID)",
    )
    add(
        "--recogniser", help="ONNX file that makes the identity adapter's vectors (w600k_r50.onnx for FaceID)"
    )
    add("--start", required=stage in ("data", "ica"), help="adapter file to go on from")
    add("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    add("--size", type=side, default=512, help="side of the pictures in pixels (default: %(default)s)")
    add("--precision", choices=("fp32", "bf16"), help="default: bf16 with CUDA, fp32 without")
    add("--cpu", action="store_true", help="use no graphics card")


def _learning(made: argparse.ArgumentParser, stage: str) -> None:
    rate, steps, batch, warm = USUAL[stage]
    add = made.add_argument_group("learning").add_argument
    add("--steps", type=positive, default=steps, help="changes of the weights (default: %(default)s)")
    add(
        "--batch",
        type=positive,
        default=batch,
        help="pictures of a process in a step (default: %(default)s)",
    )
    add(
        "--parts",
        type=positive,
        default=1,
        help="go through a step's pictures in so many parts, for less memory (default: %(default)s)",
    )
    add("--rate", type=float, default=rate, help="learning rate (default: %(default)s)")
    add("--warm-up", type=int, default=warm, help="steps in which the rate grows (default: %(default)s)")
    add("--gradient-checkpointing", action="store_true", help="half the speed or better, far less memory")
    add("--workers", type=int, default=2, help="processes that read pictures ahead (default: %(default)s)")
    add(
        "--held-out", type=float, default=0.02, help="share of triplets only looked at (default: %(default)s)"
    )
    if stage == "ica":
        _alignment(made)


def _alignment(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("alignment").add_argument
    add("--face-encoder", required=True, help="ms1mv3_arcface_r50.pth: judges who the pictures show")
    add("--identity-weight", type=float, default=0.1, help="(default: %(default)s)")
    add("--alignment-weight", type=float, default=0.05, help="(default: %(default)s)")
    add("--expression-weight", type=float, default=0.05, help="(default: %(default)s)")
    add("--cut", type=int, default=400, help="image terms at timesteps below this (default: %(default)s)")


def _drawing(add: Any) -> None:
    add("--sample-steps", type=positive, default=30, help="of DDIM (default: %(default)s)")
    add("--guidance", type=float, default=5.0, help="of drawn pictures (default: %(default)s)")


def _iterating(made: argparse.ArgumentParser) -> None:
    add = made.add_argument_group("drawing and swapping").add_argument
    add("--donors", help="folder of portraits whose faces are put in (default: those of --data)")
    add("--per-source", type=positive, default=4, help="pictures of each portrait (default: %(default)s)")
    add("--prompts", help="text file, a prompt a line (default: a few plain ones)")
    add(
        "--swapper",
        help="swaps a face: a command with {source} (who), {target} (the drawn picture) and {output}",
    )
    add("--swaps", help="in its place: a folder of ready swaps, named as wanted.jsonl in --output says")
    add("--swap-timeout", type=float, default=300.0, help="seconds for one swap (default: %(default)s)")
    _drawing(add)
    add = made.add_argument_group("filtering").add_argument
    add("--comfyui", help="folder of a ComfyUI, whose landmarker reads blendshapes; needs --landmarker")
    add(
        "--landmarker",
        help="mediapipe_face_fp32.safetensors; without, ratios of the embedded mesh are compared",
    )
    add(
        "--max-expression",
        type=float,
        help="distance from the source's expression (default: 0.06 for blendshapes, 0.08 for ratios)",
    )
    add("--min-donor", type=float, default=0.5, help="cosine with who was put in (default: %(default)s)")
    add("--max-source", type=float, default=0.2, help="cosine with who was there (default: %(default)s)")
    add("--max-yaw", type=float, default=45.0, help="degrees to the side (default: %(default)s)")
