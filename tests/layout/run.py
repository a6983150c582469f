"""Writes files with the real keys, shapes and sizes of the published ones, and loads them with our nodes.

python tests/layout/run.py                    all, one after the other: about 13 GB of sparse files
python tests/layout/run.py arc2face/unet      one of them

Needs up to 8 GB of memory, and 2 GB of disk. Numbers are random; the files are deleted afterwards. CI does
not run this: see CONTRIBUTING.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]
    from layout.shapes import LAYOUTS

    arguments = _arguments()
    unknown = [name for name in arguments.names if name not in LAYOUTS]
    if unknown:
        sys.exit(f"No layout is called {unknown[0]}. There are: {', '.join(LAYOUTS)}.")
    if arguments.alone:
        return _alone(arguments.names[0], arguments.comfyui)
    failed = 0
    for name in arguments.names or LAYOUTS:
        # A process for each: so the memory of one is free for the next, and its peak is its own.
        command = [sys.executable, __file__, name, "--alone"]
        command += ["--comfyui", str(arguments.comfyui)] if arguments.comfyui else []
        failed += bool(subprocess.run(command).returncode)
    return 1 if failed else 0


def _alone(name: str, comfyui: Path | None) -> int:
    import resource

    from device.host import boot

    from installer.environment import current
    from layout.check import check
    from layout.shapes import LAYOUTS

    os.nice(5)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        base = Path(folder) / "base"
        base.mkdir()
        host = boot(comfyui or current().comfyui, base, cpu=True)
        try:
            found = check(LAYOUTS[name], host, base / "models")
        except (AssertionError, ValueError, RuntimeError) as error:
            print(f"{name}: FAILED: {error}", flush=True)
            return 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{name}: {found}, peak {peak:.1f} GB", flush=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="FILE", help="keys of the catalogue; none: all")
    parser.add_argument("--comfyui", type=Path, metavar="DIR", help="the ComfyUI to load them in")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
