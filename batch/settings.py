"""What a driver is told: its limits, and who judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .values import Outcome

#: Exit statuses of the command.
DONE, SOME_FAILED, USAGE, WORLD, STOPPED = 0, 1, 2, 3, 130


class Verdict(Protocol):
    """accepted: whether to keep it. judged: what was measured. each: that of each picture."""

    @property
    def accepted(self) -> bool: ...
    @property
    def judged(self) -> Mapping[str, Any]: ...
    @property
    def each(self) -> Sequence[Mapping[str, Any] | None]: ...


#: Looks at the pictures of a job. Raises RowError when the row gives nothing to judge by.
Judge = Callable[[Outcome], Verdict]


@dataclass
class Settings:
    """timeout: seconds for a job. recycle: jobs after which a worker is restarted, 0 for never.

    memory_limit: resident bytes after which it is, 0 for never. tries: attempts at what the judge rejects.
    """

    timeout: float = 1800.0
    recycle: int = 0
    memory_limit: int = 0
    tries: int = 1
    places: tuple[str, str] = ("accepted", "rejected")
