"""People whose vectors point where a child could say, for numbers of `proof run` worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from likeness.faces.labels import NAMES
from proof.own import shots, summary
from proof.own.drawing import Drawn, Job
from proof.own.graph import of
from proof.own.judges import Seen
from proof.own.people import Person
from proof.own.prompts import Prompt
from proof.own.shots import Known, Row, Shot
from proof.report.selftest import Answer

EXACT = 1e-6
HALF = math.sqrt(0.5)
EAST, NORTH, BETWEEN = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([HALF, HALF])
PLAIN = Prompt("plain", "plain", "{who}")
HAT = Prompt("hat", "attribute", "{who}", attributes={"hat": True, "glasses": False})
TWO = Prompt("both", "two people", "{left} {right}")


def close(value: float) -> object:
    return pytest.approx(value, abs=EXACT)


def seen(
    *vectors: np.ndarray, boxes: object = None, shares: object = None, sharp: float = 3.0, wide: int = 200
) -> Seen:
    n = len(vectors)
    stacked = np.stack(vectors) if n else np.zeros((0, 0))
    return Seen(
        n,
        wide,
        np.array(boxes if boxes is not None else [[20.0, 10, 60, 50]] * n, dtype=np.float64).reshape(n, 4),
        {"judge": stacked},
        np.zeros((n, 5, 2)),
        np.zeros((n, len(NAMES))) if shares is None else np.array([shares] * n, dtype=np.float64),
        np.full(n, sharp),
    )


def graph(name: str = "one", people: int = 1):
    titles = ["Photo of the Person"] if people == 1 else ["Left Person", "Right Person"]
    nodes = {
        f"p{n}": {"class_type": "LoadImage", "inputs": {"image": "x"}, "_meta": {"title": title}}
        for n, title in enumerate(titles)
    }
    nodes["s"] = {
        "class_type": "KSampler",
        "inputs": {"seed": 1, **{place: [place, 0] for place in nodes}},
        "_meta": {"title": "Sample"},
    }
    saved = {"images": ["s", 0], "filename_prefix": "x"}
    nodes["o"] = {"class_type": "SaveImage", "inputs": saved, "_meta": {"title": "Save Picture"}}
    return of(name, nodes)


#: Anna's truths point east and between; her reference north. Ben's point north, the reference east.
ANNA = Known({"judge": NORTH}, {"judge": np.stack([EAST, BETWEEN])}, (seen(EAST), seen(BETWEEN)))
BEN = Known({"judge": EAST}, {"judge": np.stack([NORTH])}, (seen(NORTH),))


def drawn(prompt: Prompt, people: tuple[int, ...] = (0,), count: int = 0, method: str = "one") -> Drawn:
    job = Job(graph(method, len(people)), prompt, people, count)
    return Drawn(job, Path(f"{method}-{prompt.name}-{people}-{count}.png"), 2.5, 100.0)


def row_of(name: str, values: dict[tuple[int, int], float], method: bool = True) -> Row:
    """values by (person, count)."""
    made = []
    for (person, count), value in values.items():
        told = {f"{m}:judge": value for m in shots.BY_JUDGE} | {"faces": 1.0, "seconds": 2.0, "memory": 50.0}
        key = "plain", (person,), count
        made.append(Shot(person, "plain", key, count, told, Path(f"{name}-{person}-{count}.png")))
    return Row(name, name, tuple(made), ("judge",), "glintr100", method)


def run_of(*rows: Row) -> summary.Run:
    people = [
        Person("anna", Path("a"), (Path("b"),), labels={"age": "40s"}),
        Person("ben", Path("c"), (Path("d"),), labels={"age": "20s"}),
    ]
    ends = shots.ceiling([ANNA, BEN], ["judge"]), shots.wrong_person([ANNA, BEN], ["judge"])
    names = {row.name: "mine.safetensors" for row in rows}
    return summary.Run(
        people,
        [ends[0], *rows, ends[1]],
        ["plain"],
        {"judge": "00"},
        names,
        {row.name: ["glintr100"] for row in rows},
        [Answer("identical:judge", "?", "1.000", True)],
        {"attributes": "no parser"},
        2,
    )
