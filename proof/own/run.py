"""A whole run: draws what is not there, looks at everything, and gives the numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .drawing import Drawn, draw, jobs
from .graph import Graph
from .judges import Judges
from .looks import Looks
from .people import Person
from .plain import Outputs, without
from .prompts import GROUPS, Prompt
from .remote import Remote
from .selftest import asked
from .shots import Known, Row, ceiling, known, may_judge, shots_of, wrong_person
from .summary import Run


def plains(graphs: Sequence[Graph], outputs: Outputs) -> tuple[list[Graph], dict[str, str]]:
    """(what the graphs draw without their adapters, each once; why some draw nothing then)."""
    made: dict[str, Graph] = {}
    lacking: dict[str, str] = {}
    for graph in graphs:
        try:
            plain = without(graph, outputs)
        except ValueError as error:
            lacking[f"{graph.name}-plain"] = str(error)
            continue
        made.setdefault(_asked_nothing(plain), plain)
    return list(made.values()), lacking


def _asked_nothing(graph: Graph) -> str:
    """The same for graphs that differ in name and in what their authors asked for."""
    prompt = Prompt("nothing", GROUPS[-1] if graph.people == 2 else GROUPS[0], "")
    nodes = replace(graph, name="").filled((), [""] * graph.people, prompt, seed=0)
    return json.dumps([graph.people, nodes], sort_keys=True)


def run(
    people: Sequence[Person],
    graphs: Sequence[Graph],
    prompts: Sequence[Prompt],
    seeds: int,
    judges: Judges,
    server: Remote,
    folder: Path,
    say: Callable[[str], None],
    conditioners: Sequence[str] = (),
) -> Run:
    """conditioners: further recognisers that may not judge. Raises ValueError, ServerError."""
    looks = Looks(judges, folder / "seen")
    say(f"{len(people)} people; judges: {', '.join(judges.names)}.")
    everybody = known(people, looks)
    plain, left_out = plains(graphs, server.outputs())
    wanted = [prompt for prompt in prompts if any(graph.asks(prompt) for graph in graphs)]
    left_out |= _unasked(graphs, prompts)
    rows = [ceiling(everybody, judges.names)]
    for graph in (*graphs, *plain):
        drawn = list(draw(jobs([graph], people, wanted, seeds), people, folder, server, say))
        rows.append(_row(graph, drawn, everybody, looks, conditioners if graph in graphs else ()))
    rows.append(wrong_person(everybody, judges.names))
    if judges.parser_file is None:
        left_out["attributes"] = (
            f"no face parser is in {judges.models / 'face_parsing'}: python install.py --models freecure"
        )
    say("Asking the instrument ...")
    return Run(
        people,
        rows,
        [prompt.name for prompt in wanted],
        {name: judges.versions[name][:16] for name in judges.names},
        {graph.name: graph.checkpoint for graph in (*graphs, *plain)},
        {graph.name: sorted(graph.conditioners) for graph in (*graphs, *plain)},
        asked(judges, people, everybody),
        left_out,
        seeds,
    )


def _row(
    graph: Graph, drawn: Sequence[Drawn], everybody: Sequence[Known], looks: Looks, further: Sequence[str]
) -> Row:
    own = sorted({*graph.conditioners, *further})
    names = may_judge(looks.judges, own)
    shots = [shot for one in drawn for shot in shots_of(one, looks.look(one.file), everybody, names)]
    if not graph.photos:
        return Row(graph.name, f"no adapter ({graph.name.removesuffix('-plain')})", tuple(shots), names)
    return Row(graph.name, graph.name, tuple(shots), names, ", ".join(own) or "not known", method=True)


def _unasked(graphs: Sequence[Graph], prompts: Sequence[Prompt]) -> dict[str, str]:
    """Prompts that a method can't be asked for, by groups."""
    made = {}
    for graph in graphs:
        groups = dict.fromkeys(prompt.group for prompt in prompts if not graph.asks(prompt))
        if groups:
            why = "it takes no prompt" if graph.text is None else f"it shows {graph.people}"
            made[f"{graph.name}: {', '.join(groups)}"] = why
    return made
