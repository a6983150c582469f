"""`python benchmarks/run.py`: what an identity costs, as ratios measured in one run.

Runs in the environment of `python install.py --test`, on the CPU, on one thread. The network is a
tiny SDXL with all 70 cross-attention layers (network.py); sizes and bytes are those of the real one.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.start import in_environment  # noqa: E402

#: glibc gives large tensors back to the system and asks for them again at every step; the pages it
#: gets then cost more, and vary more, than what is measured here.
QUIET = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "OMP_NUM_THREADS": "1",
}


def main() -> None:
    """Measure and print. Runs where ComfyUI can be imported, on the CPU."""
    sys.path[:0] = [str(REPOSITORY / part) for part in ("tests", "tests/tiny")]
    from comfy.cli_args import args

    args.cpu = True
    import torch

    from benchmarks import (
        arc2face,
        consistentid,
        emojidiff,
        faces,
        fact,
        masterweaver,
        people,
        pva,
        repair,
        steps,
        stories,
        wplus,
    )

    torch.set_num_threads(1)
    with torch.inference_mode():
        methods = (steps, stories, arc2face, pva, emojidiff, masterweaver, consistentid, fact, wplus)
        rows = [row for method in (*methods, repair, faces, people) for row in method.rows()]
    width = max(len(what) for what, _ in rows)
    print(f"\n| {'what'.ljust(width)} | measured |\n| {'-' * width} | --- |")
    for what, measured in rows:
        print(f"| {what.ljust(width)} | {measured} |")


if __name__ == "__main__":
    in_environment(__file__, settings=QUIET)
    main()
