"""`python reaper.py FOLDER`: ends what a killed driver's own Ray leaves, some of which would stay a minute.

Hears lines "PID CREATED" from the driver, whose end of the pipe closes however the driver ends.
"""

from __future__ import annotations

import contextlib
import shutil
import sys

import psutil


def main(folder: str) -> None:
    noted = dict.fromkeys(line.strip() for line in sys.stdin)
    for line in noted:
        number, _, created = line.partition(" ")
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(int(number))
            if process.create_time() == float(created):
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
