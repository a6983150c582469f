"""A worker: it owns one host and draws one job at a time. The same in a plain process and a Ray actor."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping

from . import answers
from .client import Client, HostGone, NotThere, Refused
from .digests import Digests
from .graph import node_names
from .host import BootError, Host
from .listening import Listener
from .values import HostSettings, Job, Outcome, Picture, Progress, Ready, State

__all__ = ["BootError", "Worker"]

#: Seconds between two questions whether a job is done: a share of the time it has taken, within these.
_SOON, _LATE, _SHARE = 0.004, 0.5, 0.02
#: Seconds between two questions whether the host still knows the job.
_KNOWN = 2.0
#: Seconds in which a process whose connection broke is gone, if it died.
_ENDING = 2.0
#: Input files that are kept for the next rows.
_KEPT = 32


class Worker:
    """gpu: the only one its host sees; None for all, or for --cpu. Used by one thread at a time."""

    def __init__(self, name: str, settings: HostSettings, gpu: int | None = None) -> None:
        self.name = name
        self._settings = settings
        self._host = Host(settings, gpu)
        self._client: Client | None = None
        self._listener: Listener | None = None
        self._me = uuid.uuid4().hex
        self._device = ""
        self._digests = Digests()

    def boot(self) -> Ready:
        """Raises BootError. Waits until the host answers."""
        self._host.boot()
        self._client = Client(self._host.url, min(self._settings.timeout, 120.0))
        self._listener = Listener(self._host.url, self._me, self.name)
        self._device = _device(json.loads(self._client.get("/system_stats")))
        return Ready(self.name, self._device, self._host.pid)

    def close(self) -> None:
        """End the host, whatever it does."""
        if self._listener is not None:
            self._listener.stop()
        if self._client is not None:
            self._client.close()
        self._host.close()
        self._client = self._listener = None

    @property
    def alive(self) -> bool:
        """Whether the host's process is there."""
        return self._host.alive

    @property
    def memory(self) -> int:
        """Resident bytes of the host."""
        return self._host.memory

    def ask(self, path: str) -> bytes:
        """GET of the host. Raises HostGone, NotThere."""
        if self._client is None:
            raise HostGone(f"{self.name} has no host.")
        return self._client.get(path)

    def digest(self, path: str) -> str:
        """sha256 of a file or folder on this machine; "" if it is not there."""
        return self._digests.of(path)

    def draw(
        self, job: Job, files: Mapping[str, bytes], tell: Callable[[Progress], None] | None = None
    ) -> Outcome:
        """Draw a job and say whose fault it is if that fails; nothing about the host is raised.

        files: name in the input folder -> contents. tell: called from another thread as the host goes on.
        """
        begin = time.monotonic()
        names = node_names(job.prompt)
        pictures: tuple[Picture, ...] = ()
        failed: answers.Failure | None
        try:
            pictures, failed = self._draw(job, files, names, tell)
        except (HostGone, NotThere) as error:
            failed = answers.Failure("worker", "", self._gone(error))
        except Refused as error:
            failed = answers.refusal(error.faults, names)
        except OSError as error:
            failed = answers.Failure("world", "", f"{self.name} can't use its folder: {error}.")
        seconds = time.monotonic() - begin
        timings = self._listener.end() if self._listener is not None else {}
        state: State = failed.state if failed else "done"
        return Outcome(
            job,
            self.name,
            state,
            pictures,
            round(seconds, 4),
            timings,
            failed.sentence if failed else "",
            failed.node if failed else "",
            self._device,
            self.memory,
        )

    def _draw(
        self,
        job: Job,
        files: Mapping[str, bytes],
        names: Mapping[str, str],
        tell: Callable[[Progress], None] | None,
    ) -> tuple[tuple[Picture, ...], answers.Failure | None]:
        self._place(files)
        end = time.monotonic() + self._settings.timeout
        for fresh in (False, True):
            entry = self._run(job, names, tell, end)
            if isinstance(entry, answers.Failure):
                return (), entry
            failed = answers.failure(entry, names)
            if failed is not None:
                return (), failed
            try:
                return self._fetch(entry, names), None
            except NotThere:
                # An equal prompt was drawn before and its files are cleared away: without its memory of
                # that the host draws it once more.
                if fresh:
                    raise
                assert self._client is not None
                self._client.post("/free", {"free_memory": True})
        raise AssertionError

    def _run(
        self, job: Job, names: Mapping[str, str], tell: Callable[[Progress], None] | None, end: float
    ) -> dict[str, object] | answers.Failure:
        """Queue the prompt and ask until it ended: its history entry."""
        if self._client is None or self._listener is None:
            raise HostGone(f"{self.name} has no host.")
        prompt_id = str(uuid.uuid4())
        self._listener.follow(prompt_id, names, tell)
        begin = known = time.monotonic()
        self._client.queue(job.prompt, prompt_id, self._me)
        while (now := time.monotonic()) < end:
            entry = self._client.entry(prompt_id)
            if entry is not None:
                self._client.forget(prompt_id)
                return entry
            if not self._host.alive:
                raise HostGone("Its process is gone.")
            if now - known > _KNOWN:
                known = now
                if not self._client.knows(prompt_id) and self._client.entry(prompt_id) is None:
                    return answers.Failure("lost", "", "The host doesn't know the job any more.")
            time.sleep(min(max((now - begin) * _SHARE, _SOON), _LATE))
        words = f"No answer within {self._settings.timeout:.0f} s (--timeout)."
        return answers.Failure("worker", "", words)

    def _place(self, files: Mapping[str, bytes]) -> None:
        """Put the job's files where the host looks for them, and take the oldest others away."""
        for name, data in files.items():
            path = self._host.input / name
            if not path.is_file():
                part = path.with_name(f"{name}.part")
                part.write_bytes(data)
                part.replace(path)
        others = [path for path in self._host.input.iterdir() if path.is_file() and path.name not in files]
        for path in sorted(others, key=lambda path: path.stat().st_mtime_ns)[: max(0, len(others) - _KEPT)]:
            path.unlink()

    def _fetch(self, entry: Mapping[str, object], names: Mapping[str, str]) -> tuple[Picture, ...]:
        assert self._client is not None
        found = list(answers.files(entry, names))
        pictures = []
        for node, reference in found:
            name = reference["filename"]
            data = self._client.view(reference)
            pictures.append(Picture(name, data, names.get(node, node), answers.kind_of(name)))
        for _, reference in found:
            (self._host.output / reference.get("subfolder", "") / reference["filename"]).unlink(
                missing_ok=True
            )
        return tuple(pictures)

    def _gone(self, error: Exception) -> str:
        if not self._host.ended(_ENDING):
            return f"The host of {self.name} failed: {error}"
        return f"The host of {self.name} died. The end of its log:\n{self._host.log_tail(8)}"


def _device(facts: dict[str, list[dict[str, str]]]) -> str:
    devices = facts.get("devices") or [{}]
    return str(devices[0].get("name") or devices[0].get("type") or "")
