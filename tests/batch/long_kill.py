"""The kill tests with the real host and tiny checkpoints: 300 rows, 2 workers, each victim by itself.

python tests/batch/long_kill.py [--rows 300] [--kills 3] [--only NAME ...] [--seed N] [--place DIR]

Takes about an hour of one core, so CI runs test_kill.py instead. Linux; the small file system needs root.
LIKENESS_COMFYUI names the host, as for the other tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]
    from support.long_killing import main

    sys.exit(main(str(__doc__)))
