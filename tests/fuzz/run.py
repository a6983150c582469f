"""Fuzzes one reader, or all of them for a while.

python tests/fuzz/run.py                      every target, as the tests do
python tests/fuzz/run.py keypoints            one target
python tests/fuzz/run.py keypoints --rounds 100000 --seed 7
python tests/fuzz/run.py keypoints --atheris  guided by coverage, without end; needs `pip install atheris`
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path


def prepare() -> None:
    """The pack, its tests and the host's modules can be imported."""
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests), str(tests.parent)]
    from conftest import comfyui_folder

    sys.path.append(str(comfyui_folder()))
    from comfy.cli_args import args

    args.cpu = True


def mutate(name: str, rounds: int, seed: int) -> tuple[int, int]:
    """Try a target on sound inputs and `rounds` changed ones; returns how many were read and refused.

    Raises what the reader raised, with a note of how to see it again.
    """
    from fuzz.targets import TARGETS

    target, read = TARGETS[name], 0
    for sound in target.seeds():
        read += target(sound)
    for number in range(rounds):
        data = target.changed(random.Random(f"{name} {seed} {number}"))
        try:
            read += target(data)
        except BaseException as error:
            raise AssertionError(
                f"{name}, seed {seed}, round {number}: {error!r} of {data[:200]!r}"
            ) from error
    return read, rounds + len(target.seeds()) - read


def guided(name: str) -> None:
    """Atheris' endless search, with the target's sound inputs to start from."""
    import atheris

    from fuzz.targets import TARGETS

    target = TARGETS[name]
    corpus = Path(sys.prefix) / "fuzz-corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, sound in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(sound)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(corpus)], target)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", help="a name out of targets.py; without it: all")
    parser.add_argument("--rounds", type=int, help="how many changed inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    arguments = parser.parse_args()
    prepare()
    from fuzz.targets import TARGETS

    if arguments.target is not None and arguments.target not in TARGETS:
        parser.error(f"no target is called {arguments.target}. There are: {', '.join(TARGETS)}.")
    if arguments.atheris:
        guided(arguments.target or parser.error("--atheris takes one target"))
    for name in [arguments.target] if arguments.target else TARGETS:
        start = time.perf_counter()
        read, refused = mutate(name, arguments.rounds or TARGETS[name].rounds, arguments.seed)
        print(f"{name}: {read} read, {refused} refused, {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
