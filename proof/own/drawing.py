"""Which pictures a run needs, and drawing those that are not there yet."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from installer.server import ServerError

from .graph import Graph
from .people import Person, photo
from .prompts import Prompt
from .remote import Remote
from .titles import Nodes


@dataclass(frozen=True)
class Job:
    """One picture. people: places of those who are in it, from its left. count: of the same, from 0."""

    graph: Graph
    prompt: Prompt
    people: tuple[int, ...]
    count: int

    @property
    def seed(self) -> int:
        """The same for every method, so that their pictures begin as the same noise."""
        told = f"{self.prompt.name} {self.people} {self.count}"
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big")

    def file(self, folder: Path, people: Sequence[Person]) -> Path:
        """Where it is kept."""
        who = "+".join(people[place].name for place in self.people)
        return folder / "pictures" / self.graph.name / who / f"{self.prompt.name}-{self.count}.png"


def jobs(
    graphs: Sequence[Graph], people: Sequence[Person], prompts: Sequence[Prompt], seeds: int
) -> list[Job]:
    """Everybody with every prompt that a graph can be asked for; of two the second is the next one."""
    made = []
    for graph in graphs:
        for prompt in (prompt for prompt in prompts if graph.asks(prompt)):
            for place in range(len(people)):
                group = tuple((place + n) % len(people) for n in range(prompt.people))
                made += [Job(graph, prompt, group, count) for count in range(seeds)]
    return made


@dataclass(frozen=True)
class Drawn:
    """A picture's file, and what the server took for it. seconds: NaN for the first of a method in a run,
    which loads its models."""

    job: Job
    file: Path
    seconds: float
    memory: float


def draw(
    todo: Sequence[Job],
    people: Sequence[Person],
    folder: Path,
    server: Remote,
    say: Callable[[str], None],
) -> Iterator[Drawn]:
    """Each job's picture, drawn unless it lies in the folder from this very graph.

    Raises ServerError that names the picture; what was drawn before stays.
    """
    uploads = _Uploads(server, people)
    loaded: set[str] = set()
    began, fresh = time.monotonic(), 0
    for number, job in enumerate(todo, start=1):
        file = job.file(folder, people)
        nodes = _nodes(job, people, uploads)
        key = hashlib.sha256(json.dumps(nodes, sort_keys=True).encode()).hexdigest()
        told = _kept(file, key)
        if told is None:
            for place in job.people if job.graph.photos else ():
                uploads.send(place)
            told = _drawn(job, nodes, server, file, key, first=job.graph.name not in loaded)
            loaded.add(job.graph.name)
            fresh += 1
            left = (time.monotonic() - began) / fresh * (len(todo) - number)
            say(f"{number} of {len(todo)}: {file.relative_to(folder)}; {left:.0f} s left")
        seconds = float("nan") if told["seconds"] is None else float(told["seconds"])
        yield Drawn(job, file, seconds, told["memory"])


def _nodes(job: Job, people: Sequence[Person], uploads: _Uploads) -> Nodes:
    names = [uploads.name(place) for place in job.people]
    return job.graph.filled(names, [people[place].words for place in job.people], job.prompt, job.seed)


def _kept(file: Path, key: str) -> dict[str, Any] | None:
    """What was told of a picture that lies there; None without one, or from another graph."""
    facts = file.with_suffix(".json")
    if not file.is_file() or not facts.is_file():
        return None
    told: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
    return told if told["key"] == key else None


def _drawn(job: Job, nodes: Nodes, server: Remote, file: Path, key: str, first: bool) -> dict[str, Any]:
    try:
        picture, seconds, memory = server.draw(nodes, job.graph.save)
    except (ServerError, OSError) as error:
        raise ServerError(
            f"{job.graph.name}, {file.parent.name}, {job.prompt.name}: {error}\nWhat was drawn "
            "before is kept: the same command goes on from here."
        ) from error
    timed = None if first or math.isnan(seconds) else seconds
    told = {"key": key, "seed": job.seed, "seconds": timed, "memory": memory}
    file.parent.mkdir(parents=True, exist_ok=True)
    # The facts go away first and come last: a picture without them counts as not drawn.
    file.with_suffix(".json").unlink(missing_ok=True)
    _put(file, picture)
    _put(file.with_suffix(".json"), json.dumps(told, indent=1).encode())
    return told


def _put(file: Path, content: bytes) -> None:
    """There whole or not at all."""
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    os.replace(part, file)


class _Uploads:
    """References on the server, and nothing else of a person: without metadata, named by their content."""

    def __init__(self, server: Remote, people: Sequence[Person]) -> None:
        self._server, self._people = server, people
        self._pictures: dict[int, bytes] = {}
        self._sent: set[int] = set()

    def _picture(self, place: int) -> bytes:
        if place not in self._pictures:
            written = io.BytesIO()
            Image.fromarray(photo(self._people[place].reference)).save(written, "PNG")
            self._pictures[place] = written.getvalue()
        return self._pictures[place]

    def name(self, place: int) -> str:
        digest = hashlib.sha256(self._picture(place)).hexdigest()
        return f"likeness_proof_{digest[:16]}.png"

    def send(self, place: int) -> None:
        if place not in self._sent:
            self._server.upload(self._picture(place), self.name(place))
            self._sent.add(place)
