"""`python benchmarks/run.py`: what an identity costs, as ratios measured in one run.

Runs in the environment of `python install.py --test`, on the CPU, on one thread. The network is a
tiny SDXL with all 70 cross-attention layers (network.py); sizes and bytes are those of the real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

#: glibc gives large tensors back to the system and asks for them again at every step; the pages it
#: gets then cost more, and vary more, than what is measured here.
QUIET = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}


def main() -> None:
    from benchmarks import faces, repair, steps

    rows = [*steps.rows(), *repair.rows(), *faces.rows()]
    width = max(len(what) for what, _ in rows)
    print(f"\n| {'what'.ljust(width)} | measured |\n| {'-' * width} | --- |")
    for what, measured in rows:
        print(f"| {what.ljust(width)} | {measured} |")


def start_host(comfyui: str) -> None:
    """ComfyUI's modules in this process, on the CPU."""
    sys.path[:0] = [comfyui, *(str(REPOSITORY / part) for part in ("", "tests", "tests/tiny"))]
    from comfy.cli_args import args

    args.cpu = True
    import torch

    torch.set_num_threads(1)


def ratios(rounds: int, plain: Callable[[], object], *others: Callable[[], object]) -> list[str]:
    """Processor time of each over plain's: the median of pairs run one after the other, and the quartiles."""
    import statistics
    import time

    def seconds(action: Callable[[], object]) -> float:
        start = time.thread_time()
        action()
        return time.thread_time() - start

    for action in (plain, *others):
        action()
    pairs: list[list[float]] = [[] for _ in others]
    for _ in range(rounds):
        for kept, other in zip(pairs, others, strict=True):
            base = seconds(plain)
            kept.append(seconds(other) / base)
    quartiles = [statistics.quantiles(kept, n=4) for kept in pairs]
    return [f"{middle:.3f}x ({low:.3f} to {high:.3f})" for low, middle, high in quartiles]


def best_of(repeats: int, *actions: Callable[[], object]) -> list[float]:
    """Seconds of the fastest run of each action; they take turns, so that a busy machine hits all alike."""
    import time

    best = [float("inf")] * len(actions)
    for repeat in range(repeats + 2):
        for place, action in enumerate(actions):
            start = time.perf_counter()
            action()
            if repeat >= 2:
                best[place] = min(best[place], time.perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    from installer.environment import current

    environment = current()
    comfyui = os.environ.get("LIKENESS_COMFYUI") or str(environment.comfyui)
    if os.environ.get("LIKENESS_BENCHMARK") != "1":
        if not environment.complete and "LIKENESS_COMFYUI" not in os.environ:
            sys.exit("There is no environment yet. Run `python install.py --test` once: it makes one.")
        python = environment.python if environment.complete else sys.executable
        settings = {**os.environ, **QUIET, "LIKENESS_BENCHMARK": "1", "OMP_NUM_THREADS": "1"}
        sys.exit(subprocess.call([str(python), __file__], env=settings))
    start_host(comfyui)
    import torch

    with torch.inference_mode():
        main()
