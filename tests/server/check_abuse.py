"""A server that is fed broken prompts between good ones: it stays up, keeps its size, and draws the same."""

from __future__ import annotations

import itertools
import json
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import PACK_FOLDER
from support.broken_prompts import Broken, Prompt, all_broken, changed, put_hostile_files
from support.workflow_runs import pictures, small, upload_inputs

from installer import paths, tiny
from installer.server import Server, ServerError
from likeness.weights.catalogue import catalogue
from tools.ui_workflow import api_files, read

PROMPTS = 200
#: MB that the process may grow over the last hundred prompts.
TOLERANCE = 40
SEEDS = (1, 2)
WORKFLOWS = {
    "instantid": "instantid_basic",
    "arc2face": "arc2face_basic",
    "pva": "pva_inpaint",
    "freecure": "freecure_instantid",
    "faces": "faces_inspect",
}


@pytest.fixture(scope="module")
def abused(comfyui: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, which runs every node every time: no other test is to suffer."""
    base = tmp_path_factory.mktemp("abused")
    for folder, name in ((paths.REPOSITORY, PACK_FOLDER), (tiny.PACK, tiny.PACK.name)):
        paths.link_folder(folder, base / "custom_nodes" / name)
    made = tiny.ensure_tiny(sys.executable, comfyui)
    sface = catalogue()["embedded/sface"].place
    paths.link_file(paths.shared_models() / sface, base / "models" / sface)
    kinds = sorted(folder.name for folder in (made / "models").iterdir())
    extra = tiny.extra_paths(made, base / "tiny_model_paths.yaml", kinds)
    packs = [PACK_FOLDER, tiny.PACK.name]
    with Server(
        sys.executable, comfyui, base, packs, extra_paths=extra, one_thread=True, arguments=["--cache-none"]
    ) as running:
        put_hostile_files(running)
        yield running


@pytest.fixture(scope="module")
def prompts(abused: Server, photos: dict[str, np.ndarray]) -> dict[str, Prompt]:
    upload_inputs(abused, photos)
    return {name: _quick(small(read(api_files()[file]))) for name, file in WORKFLOWS.items()}


def _quick(prompt: Prompt) -> Prompt:
    for node in prompt.values():
        for key in tiny.SIZES:
            if isinstance(node["inputs"].get(key), int) and node["inputs"][key] > 128:
                node["inputs"][key] = 128
        if "steps" in node["inputs"]:
            node["inputs"]["steps"] = 1
    return prompt


def good(prompts: Mapping[str, Prompt]) -> Iterator[tuple[str, Prompt]]:
    """Every workflow with every seed, again and again."""
    samplers = {
        "instantid": ("KSampler", "seed"),
        "arc2face": ("KSampler", "seed"),
        "pva": ("KSampler", "seed"),
    }
    samplers["freecure"] = ("RandomNoise", "noise_seed")
    for seed, (name, prompt) in itertools.cycle(itertools.product(SEEDS, prompts.items())):
        if name in samplers:
            class_type, key = samplers[name]
            yield f"{name} {seed}", changed(prompt, class_type, **{key: seed})
        else:
            yield name, prompt


def drawn(server: Server, prompt: Prompt) -> list[np.ndarray]:
    """Every picture that a prompt saves or shows."""
    entry = server.run(prompt, timeout=60)
    shown = sorted(node for node, output in entry["outputs"].items() if "images" in output)
    return [picture for node in shown for picture in pictures(server, entry, node)]


def answer(server: Server, broken: Broken) -> str:
    """What the server says about a broken prompt."""

    def stop(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress":
            server.interrupt()

    try:
        if not broken.cancel:
            # The host runs the outputs that are sound, and tells the faults of the others at once.
            body = json.dumps({"prompt": broken.prompt}).encode()
            faults = json.loads(server._post("/prompt", body, "application/json"))["node_errors"]
            if faults:
                return json.dumps(faults)
        server.run(broken.prompt, timeout=60, on_event=stop if broken.cancel else None)
    except ServerError as error:
        return str(error)
    return "nothing: it was run"


def megabytes(server: Server) -> float:
    """What the server's process holds once it has let go of what it can."""
    server._post("/free", b'{"unload_models": true, "free_memory": true}', "application/json")
    process = psutil.Process(server.pid)
    return min(_after(process) for _ in range(3))


def _after(process: psutil.Process) -> float:
    time.sleep(0.4)
    return process.memory_info().rss / 1e6


def test_two_hundred_prompts_a_third_of_them_broken(abused: Server, prompts: dict[str, Prompt]) -> None:
    broken = all_broken(prompts)
    assert len(broken) >= PROMPTS / 3
    random.Random(0).shuffle(broken)
    faults, first, runs, half = [], {}, {}, 0.0
    sound = good(prompts)
    for number in range(PROMPTS):
        if number == PROMPTS // 2:
            half = megabytes(abused)
        if number % 3 == 2:
            case = broken[number // 3]
            told = answer(abused, case)
            if not re.search(case.names, told, re.DOTALL):
                faults.append(f"{case.what}: {told[:300]}")
        else:
            name, prompt = next(sound)
            now = drawn(abused, prompt)
            before = first.setdefault(name, now)
            runs[name] = runs.get(name, 0) + 1
            same = len(now) == len(before) and all(map(np.array_equal, now, before))
            if not same or not now:
                faults.append(f"{name}: run {runs[name]} is not the first")
        assert abused.pid is not None, f"prompt {number} ended the server"
    assert not faults, "\n".join(faults)
    assert min(runs.values()) >= 10
    grown = megabytes(abused) - half
    print(f"{grown:.1f} MB over the last {PROMPTS // 2} prompts")
    assert grown < TOLERANCE
    assert not (abused.base / "trace").exists()
    assert not (abused.base / "x").exists() and not (abused.base.parent / "x").exists()


def test_every_other_broken_prompt_is_told_too(abused: Server, prompts: dict[str, Prompt]) -> None:
    broken = all_broken(prompts)
    random.Random(0).shuffle(broken)
    faults = []
    for case in broken[PROMPTS // 3 :]:
        told = answer(abused, case)
        if not re.search(case.names, told, re.DOTALL):
            faults.append(f"{case.what}: {told[:300]}")
    assert not faults, "\n".join(faults)
    assert drawn(abused, prompts["faces"])
    assert not (abused.base / "trace").exists()
