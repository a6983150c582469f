"""The browser that the browser tests drive: found on this machine, or installed where that can be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from .output import Progress, SetupError
from .paths import cache_root

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: Where macOS and Windows keep it, off the path.
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
MISSING = (
    "The browser tests need Chromium or Chrome, and there is none on this machine. Install one "
    "(Debian: apt install chromium), or name its program in LIKENESS_CHROMIUM. "
    "To leave these tests out: --no-browser."
)
_ADVICE = "Check the network and apt's sources, or install a Chromium yourself. " + MISSING


def find_browser() -> str | None:
    """The program: LIKENESS_CHROMIUM, else the first of the usual names and places, else None."""
    chosen = os.environ.get("LIKENESS_CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    found = (shutil.which(name) for name in (*NAMES, *PLACES))
    return next(filter(None, found), None)


def ensure_browser(progress: Progress) -> str:
    """The program; on Debian and Ubuntu root gets it with apt. Raises SetupError."""
    found = find_browser()
    if found is None and _can_install():
        log = cache_root() / "browser.log"
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        for what, command in (
            ("Reading apt's lists", ["apt-get", "update"]),
            ("Installing Chromium", install),
        ):
            progress.run(what, command, log, advice=_ADVICE, environment=quiet)
        found = find_browser()
    if found is None:
        raise SetupError(MISSING)
    _ensure_it_runs(found)
    return found


def _can_install() -> bool:
    root = sys.platform == "linux" and os.geteuid() == 0
    return root and "LIKENESS_CHROMIUM" not in os.environ and shutil.which("apt-get") is not None


def _ensure_it_runs(program: str) -> None:
    """Ubuntu's package is a stand-in for a snap: it is there, and does not start in a container."""
    if sys.platform == "win32":
        return  # there the program does not know --version
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, encoding="utf-8", errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{program} does not start: {error}. {MISSING}") from error
    if done.returncode:
        raise SetupError(f"{program} does not start: {done.stderr.strip()[-300:]} {MISSING}")
