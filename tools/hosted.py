"""What CI runs on every system and Python: `python -m tools.hosted library server`.

Makes the environment as `python install.py --test` does, and runs these rooms of the tests in it. `server`
boots a ComfyUI with the pack and tiny weights, and draws with it over HTTP.
"""

from __future__ import annotations

import os
import subprocess
import sys

from installer.environment import Environment, ensure, ensure_photos
from installer.folders import Folders
from installer.models import EMBEDDED, fetch_models
from installer.output import Progress, SetupError
from installer.paths import REPOSITORY, shared_models

ROOMS = {
    "library": ["tests/library"],
    "server": [
        "tests/server/test_boot.py",
        "tests/server/test_models_page.py",
        "tests/server/test_workflows.py",
        *("-k", "not test_workflows or instantid_basic or faces_inspect"),
    ],
}


def command(environment: Environment, room: str) -> list[str]:
    return [str(environment.python), "-m", "pytest", "-q", *ROOMS[room]]


def main(rooms: list[str]) -> int:
    unknown = [room for room in rooms if room not in ROOMS]
    if unknown or not rooms:
        print(f"{', '.join(unknown) or 'Nothing'} is none of the rooms: {', '.join(ROOMS)}.", file=sys.stderr)
        return 2
    progress = Progress()
    try:
        environment = ensure(progress)
        ensure_photos(environment.python, progress)
        fetch_models(Folders(shared_models()), [EMBEDDED], progress, environment.python)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    settings = {"OMP_NUM_THREADS": "1", "LIKENESS_COMFYUI": str(environment.comfyui), "PYTHONUTF8": "1"}
    status = 0
    for room in rooms:
        progress.say(f"{room} ...")
        done = subprocess.run(command(environment, room), cwd=REPOSITORY, env={**os.environ, **settings})
        status = status or done.returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
