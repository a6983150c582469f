"""The quick checks, by name, for .pre-commit-config.yaml: `python -m tools.hooks style`."""

from __future__ import annotations

import subprocess
import sys

from installer.environment import current
from installer.paths import REPOSITORY

CHECKS = {
    "style": ["ruff", "check", "."],
    "layout": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "hosted": ["installer.hosted"],
    "changelog": ["pytest", "-q", "tests/library/release"],
    "contract": ["tools.node_contract"],
}


def main(names: list[str]) -> int:
    environment = current()
    if not environment.complete:
        print("The environment of the checks is not made yet: run `python install.py --test` once.")
        return 1
    wrong = [name for name in names if name not in CHECKS]
    if wrong or not names:
        print(f"{', '.join(wrong) or 'Nothing'} is none of the checks: {', '.join(CHECKS)}.")
        return 1
    runs = [[str(environment.python), "-m", *CHECKS[name]] for name in names]
    return max(subprocess.run(run, cwd=REPOSITORY).returncode for run in runs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
