"""What travels between the table, the driver, the pools and their workers. Frozen, and it pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: A workflow in API form: node id -> {"class_type", "inputs", "_meta"}.
Prompt = dict[str, dict[str, Any]]

#: Whose fault an outcome is: nobody's, the row's, the worker's, nobody's but the job is gone, the world's.
State = Literal["done", "row", "worker", "lost", "world"]


class WorldError(RuntimeError):
    """Something outside rows and workers is wrong (disk full, model missing): stop at once and say so."""


class RowError(ValueError):
    """A row's own fault that is found after it was drawn: nothing was saved, nobody on its photo."""


@dataclass(frozen=True)
class Row:
    """A line of the table as it was read. number counts from 1; values by "Title.input"."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One drawing of a row: everything is set in its prompt.

    repeat counts from 0, attempt (the judge's tries) from 0. seed is None where the graph draws no numbers.
    files: name in the host's input folder -> sha256 of the contents.
    """

    key: str
    row: int
    repeat: int
    attempt: int
    seed: int | None
    prompt: Prompt
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> tuple[str, int, int]:
        return self.key, self.repeat, self.attempt


@dataclass(frozen=True)
class Picture:
    """What an output node left: its file's name at the host, its bytes, the node's title.

    kind is image, video, audio or text.
    """

    name: str
    data: bytes
    node: str
    kind: str


@dataclass(frozen=True)
class Outcome:
    """What became of a job at a worker. error is the host's sentence, node the title it came from.

    timings: seconds per node, by title, as far as the socket told them. device: what the host draws on.
    memory: resident bytes of the host afterwards.
    """

    job: Job
    worker: str
    state: State
    pictures: tuple[Picture, ...] = ()
    seconds: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    node: str = ""
    device: str = ""
    memory: int = 0


@dataclass(frozen=True)
class Ready:
    """The worker's host answers. device: what it draws on; pid: the host's process, on its own machine."""

    worker: str
    device: str = ""
    pid: int = 0


@dataclass(frozen=True)
class Died:
    """The worker or its host is gone; it takes nothing until it is restarted and Ready again.

    world: it could not even start, and would not the next time (a missing package, a wrong folder).
    """

    worker: str
    why: str
    world: bool = False


@dataclass(frozen=True)
class Progress:
    """For the bar only: the node that the worker is at, and how far."""

    worker: str
    node: str
    step: int = 0
    steps: int = 0


Event = Outcome | Ready | Died | Progress


@dataclass(frozen=True)
class HostSettings:
    """How a worker boots its host. Everything must hold on the machine where the worker runs.

    command: program and arguments, to which the worker adds its own port and folders (the flags of
    ComfyUI: --port, --listen, --input-directory, --output-directory, --temp-directory, --user-directory).
    cpu: adds --cpu; else the worker's GPU is made the only visible one.
    threads: OMP_NUM_THREADS of each host; 0 leaves it.
    timeout: seconds without any answer, or on one job, after which the host is taken for hung.
    memory_limit: bytes of resident memory of the host after which the driver restarts it; 0 for none.
    """

    command: tuple[str, ...]
    folder: str = ""  # where the worker makes its scratch folders; "" for the system's
    cpu: bool = False
    threads: int = 0
    timeout: float = 1800.0
    boot_timeout: float = 600.0
    memory_limit: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
