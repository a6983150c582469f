"""Runs the device checks of this archive: python start.py [--cpu]. Needs PyTorch and NumPy, and no network.

What PyTorch does not bring is unpacked into packages/ beside this file; nothing is installed.
The report is in device_report.txt beside this file, too.
"""

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    for name in ("torch", "numpy"):
        if importlib.util.find_spec(name) is None:
            sys.exit(f"This Python ({sys.executable}) has no {name}: run it with the one that has PyTorch.")
    packages = unpack(HERE / "wheels", HERE / "packages")
    places = [str(HERE / "stand_ins"), str(packages)]
    settings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, str(HERE / "likeness" / "tests" / "device" / "run.py")]
    command += [
        "--comfyui",
        str(HERE / "ComfyUI"),
        "--output",
        str(HERE / "device_report.txt"),
        *sys.argv[1:],
    ]
    return subprocess.run(command, env=settings).returncode


def unpack(wheels, folder):
    """The wheels that fit this Python, once."""
    done = folder / f"for-python-{sys.version_info[0]}.{sys.version_info[1]}"
    if not done.is_dir():
        part = folder / f"{done.name}.{os.getpid()}"
        names = set()
        for wheel in sorted(wheels.glob("*.whl")):
            name, *_, python, abi, _platform = wheel.name[: -len(".whl")].split("-")
            if fits(python, abi):
                names.add(name)
                with zipfile.ZipFile(wheel) as content:
                    content.extractall(part)
        lacking = {wheel.name.split("-")[0] for wheel in wheels.glob("*.whl")} - names
        if lacking:
            version = ".".join(map(str, sys.version_info[:2]))
            sys.exit(
                f"The archive has no {', '.join(sorted(lacking))} for Python {version}: make it with "
                f"`python tests/device/pack.py --python {version}`."
            )
        part.rename(done)
    return done


def fits(python, abi):
    """Whether a wheel of these tags is for this Python."""
    own = sys.version_info[1]
    for tag in python.split("."):
        if tag.startswith("py3"):
            return True
        match = re.fullmatch(r"cp3(\d+)", tag)
        if match and (int(match[1]) == own or ("abi3" in abi and int(match[1]) <= own)):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
