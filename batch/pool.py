"""What the driver asks of a pool of workers: plain processes on this machine, or Ray actors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .values import Event, Job


class Pool(Protocol):
    """Workers by name. Every job that was submitted comes back as exactly one Outcome.

    A worker whose process or host is gone gives, for the job it had, an Outcome of state "worker", and then
    Died; it takes nothing until `restart`, after which it says Ready.
    """

    @property
    def workers(self) -> Sequence[str]:
        """Their names, the same from start to stop: "worker-1" ..."""

    @property
    def page(self) -> str:
        """Where what it does can be seen in a browser, once it started; "" if nowhere."""

    def start(self) -> None:
        """Begin to boot all workers, side by side; returns at once. Each says Ready by itself."""

    def submit(self, worker: str, job: Job, files: Mapping[str, bytes]) -> None:
        """Hand out a job; one at a time per worker, and only to one that is Ready.

        files: name in the host's input folder -> contents, for those the job names.
        """

    def poll(self, timeout: float) -> list[Event]:
        """What happened since; waits up to timeout seconds for the first of it."""

    def restart(self, worker: str) -> None:
        """End the worker with its host, whatever it does, and boot it again; returns at once.

        A job that it had gets no Outcome: whoever restarts a busy worker knows what it was at.
        """

    def ask(self, worker: str, path: str) -> bytes:
        """GET of a Ready worker's host, such as /object_info; waits. Raises ConnectionError if it is gone."""

    def digest(self, worker: str, path: str) -> str:
        """sha256 of a file on the worker's machine; "" if it is not there. Waits."""

    def stop(self, now: bool) -> None:
        """End all workers and hosts; returns when they are gone. now: kill instead of asking politely."""
