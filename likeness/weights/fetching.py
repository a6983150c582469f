"""Files fetched one after another in the background, for who watches them come and may stop them.

The same downloads as install.py's: resumed, checked, under their names only when they are whole.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import ModelFile, catalogue
from .download import DownloadError, archive_path, fetch
from .find import PACK_FOLDER
from .wanted import not_commercial

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
#: Run with the pack as working folder: what is made here is made as install.py makes it.
_MAKE = """
import sys
from pathlib import Path
from installer.models import make
from installer.output import Progress, SetupError
from likeness.weights.catalogue import catalogue
try:
    make(catalogue()[sys.argv[1]], Path(sys.argv[2]), Progress(), sys.executable)
except SetupError as error:
    sys.exit(str(error))
"""

#: The folder of its kind that a file is put under.
FolderOf = Callable[[ModelFile], Path]


class Stopped(Exception):
    """Somebody said stop. What was fetched stays, for the next time."""


@dataclass
class Job:
    """One file on its way. message: what went wrong."""

    file: ModelFile
    folder: Path
    state: str = WAITING
    message: str = ""

    def told(self) -> dict[str, Any]:
        """For the page. have and total in bytes of what is fetched, total None when it is not known."""
        archive = archive_path(self.file, self.folder)
        whole = archive or self.folder / self.file.inside
        total = self.file.archive_size if archive else self.file.size
        have = next((_size(p) for p in (whole.with_name(whole.name + ".part"), whole) if p.is_file()), 0)
        return {
            "key": self.file.key,
            "state": self.state,
            "message": self.message,
            "have": have,
            "total": total,
        }


class Downloads:
    """What was asked for since the server began, and the one thread that fetches it."""

    def __init__(self, folder_of: FolderOf) -> None:
        self._folder_of = folder_of
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, keys: Sequence[str], accepted: bool) -> None:
        """Fetch these files of the catalogue. accepted: also those that commerce may not use.

        Raises ValueError for a key that no file has, for one that can't be fetched, for terms that were not
        accepted; then nothing is begun.
        """
        files = [_fetchable(key) for key in dict.fromkeys(keys)]
        if not files:
            raise ValueError("No file was named.")
        asked = [file.name for file in files if not_commercial(file)]
        if asked and not accepted:
            raise ValueError(f"Not for commerce, so to be asked for by themselves: {', '.join(asked)}.")
        with self._lock:
            busy = {key for key, job in self._jobs.items() if job.state in (WAITING, RUNNING)}
            for file in files:
                if file.key not in busy:
                    self._jobs.pop(file.key, None)  # a new one comes last
                    self._jobs[file.key] = Job(file, self._folder_of(file))
            if not self._working:
                self._stop.clear()
                self._thread = threading.Thread(target=self._work, name="likeness-downloads", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the download that runs, within seconds, and forget those that wait."""
        with self._lock:
            for job in self._jobs.values():
                if job.state == WAITING:
                    job.state = STOPPED
            self._stop.set()

    def told(self) -> dict[str, Any]:
        with self._lock:
            return {"running": self._working, "files": [job.told() for job in self._jobs.values()]}

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._get(job)
                job.state = DONE
                self._tidy(job)
            except (DownloadError, OSError) as error:
                job.message, job.state = str(error), FAILED
            except Stopped:
                job.state = STOPPED
            finally:
                if job.state == RUNNING:  # a fault of ours, which ends the thread
                    job.message, job.state = "That went wrong: see the server's log.", FAILED

    @property
    def _working(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _next(self) -> Job | None:
        with self._lock:
            job = next((job for job in self._jobs.values() if job.state == WAITING), None)
            if job is None:
                self._thread = None
            else:
                job.state = RUNNING
                self._stop.clear()
            return job

    def _get(self, job: Job) -> None:
        if job.file.made_from is None:
            fetch(job.file, job.folder, self._report)
            return
        command = [sys.executable, "-c", _MAKE, job.file.key, str(job.folder)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=PACK_FOLDER, stdout=pipe, stderr=subprocess.STDOUT) as child:
            try:
                said, _ = self._output(child)
            except Stopped:
                child.kill()
                raise
        if child.returncode:
            raise DownloadError(said.decode("utf-8", "replace").strip()[-800:])

    def _output(self, child: subprocess.Popen[bytes]) -> tuple[bytes, bytes | None]:
        while True:
            try:
                return child.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                self._report("")

    def _report(self, text: str) -> None:
        """What fetch calls every other second, and before it tries again."""
        if self._stop.is_set():
            raise Stopped

    def _tidy(self, job: Job) -> None:
        """An archive goes when no file that waits is in it."""
        archive = archive_path(job.file, job.folder)
        with self._lock:
            waiting = [other for other in self._jobs.values() if other.state == WAITING]
        if archive and not any(archive_path(other.file, other.folder) == archive for other in waiting):
            archive.unlink(missing_ok=True)


def _fetchable(key: str) -> ModelFile:
    file = catalogue().get(key)
    if file is None:
        raise ValueError(f"No file of the list is called {key!r}.")
    if file.by_hand or file.bundled:
        raise ValueError(f"{file.name} can't be fetched. From: {file.source}.")
    return file


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has just got its name
        return 0
