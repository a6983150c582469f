"""How batches scale: rows a minute, what a row costs beside its drawing, and what ten thousand rows cost.

python benchmarks/scale.py [--only workers overhead rows] [--rows 100 1000 10000]

Hosts are real: ComfyUI with the tests' tiny checkpoints, and for `rows` the stub host of the tests, which
answers at once. Prints the table for the README, and beside each bar whether it is met.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=["workers", "overhead", "rows"])
    parser.add_argument("--rows", nargs="*", type=int, default=[100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from scale_runs import Bench, load

    wanted = options.only or ["workers", "overhead", "rows"]
    lines = ["| batches | | bar |", "| --- | --- | --- |"]
    print(f"load when it began: {load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="likeness-scale-") as folder:
        bench = Bench(Path(folder), options.rounds)
        if "workers" in wanted:
            lines += bench.workers()
        if "overhead" in wanted:
            lines += bench.overhead()
        if "rows" in wanted:
            lines += bench.rows(options.rows)
    print(f"load when it ended: {load()}")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]
    from benchmarks.start import in_environment

    in_environment(__file__, sys.argv[1:])
    main()
