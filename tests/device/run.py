"""Runs every method on this machine's device, compares with its CPU, and prints a report to share.

python tests/device/run.py --comfyui DIR          with the Python that runs that ComfyUI
python tests/device/run.py --comfyui DIR --cpu    the CPU alone

Nothing is downloaded. The report is also in demo/device_report.txt; it names no folder of yours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OUTPUT = REPOSITORY / "demo" / "device_report.txt"


def main() -> int:
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]
    arguments = _arguments()
    comfyui = comfyui_of(arguments.comfyui)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny operations on several threads are slower
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        from device.host import boot

        if arguments.reference:
            from device.checks import write_reference

            write_reference(boot(comfyui, Path(folder), cpu=True), arguments.reference)
            return 0
        print("First on the CPU, to compare with ...", flush=True)
        reference = Path(folder) / "reference.safetensors"
        command = [sys.executable, __file__, "--comfyui", str(comfyui), "--reference", str(reference)]
        if subprocess.run(command).returncode:
            sys.exit("The run on the CPU failed; its reason is above.")
        from device.checks import run_checks
        from device.report import Report

        report = Report(private=(Path(folder), comfyui, REPOSITORY, Path(sys.prefix), Path.home()))
        run_checks(boot(comfyui, Path(folder), arguments.cpu), reference, report)
        report.write(arguments.output)
    return 0 if report.sound else 1


def comfyui_of(chosen: Path | None) -> Path:
    """--comfyui, else the one around this pack, else that of `install.py --test`."""
    from installer.environment import current
    from installer.paths import is_comfyui, surrounding_comfyui

    given = chosen or os.environ.get("LIKENESS_COMFYUI")
    folder = Path(given).expanduser().resolve() if given else surrounding_comfyui() or current().comfyui
    if not is_comfyui(folder):
        sys.exit(f"There is no ComfyUI in {folder}: say where it is with --comfyui DIR.")
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comfyui", type=Path, metavar="DIR", help="the ComfyUI to run in")
    parser.add_argument("--cpu", action="store_true", help="not on the graphics card, but on the CPU")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="where the report goes")
    parser.add_argument("--reference", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
