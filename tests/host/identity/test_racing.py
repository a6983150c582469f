"""Processes that save under one name at the same time: nobody's file is lost, none is ever half written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from installer.paths import REPOSITORY
from likeness.identity import load_people
from likeness.weights.write import write_tensors

PROCESSES, SAVES = 3, 40
#: What is there before: the last whole file's number.
BEFORE = 7
#: Another ComfyUI on the same models folder. It waits for the others before it begins.
_SAVER = """
import sys
comfyui, repository, base, number, saves = sys.argv[1:]
sys.path[:0] = [comfyui, repository]
from comfy.cli_args import args
args.cpu, args.base_directory = True, base
import torch
from likeness import host
from likeness.identity import Person, save_numbered
from likeness.values import Identity
from likeness.weights.write import write_numbered, write_tensors
host.files.identities_directory()
print("ready", flush=True)
sys.stdin.readline()
for place in range(int(saves)):
    who = 1 + int(number) * int(saves) + place
    vectors = torch.full((1, 512), float(who))
    path = save_numbered([Person(Identity(vectors, "sface", source=str(who)))], "people/everybody")
    assert path.is_file()
    layer = lambda path: write_tensors({"layer": vectors}, {}, path)
    write_numbered(host.files.model_folders("pva")[0], "layer", "file", layer)
"""


def test_every_save_of_every_process_is_kept(comfyui: Path, tmp_path: Path) -> None:
    """What a crash left is nobody's file, and in nobody's way."""
    folder = tmp_path / "models" / "identities" / "people"
    folder.mkdir(parents=True)
    unfinished = folder / "everybody_00001_.safetensors.part"
    unfinished.touch()
    write_tensors({}, {}, folder / f"everybody_{BEFORE:05}_.safetensors")
    command = [sys.executable, "-c", _SAVER, str(comfyui), str(REPOSITORY), str(tmp_path)]
    savers = [
        subprocess.Popen(
            [*command, str(number), str(SAVES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(PROCESSES)
    ]
    for saver in savers:
        assert saver.stdout is not None and saver.stdout.readline() == "ready\n"
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write("go\n")
        saver.stdin.flush()
    assert [saver.wait() for saver in savers] == [0] * PROCESSES
    wanted = set(range(1, PROCESSES * SAVES + 1))
    assert unfinished.stat().st_size == 0 and not unfinished.with_suffix("").exists()
    unfinished.unlink()
    (folder / f"everybody_{BEFORE:05}_.safetensors").unlink()
    people = sorted(folder.iterdir())
    found = [load_people(path)[0][0].identity for path in people]  # a half written file would be told
    assert {int(identity.source) for identity in found} == wanted
    names = [f"everybody_{BEFORE + n:05}_.safetensors" for n in sorted(wanted)]
    assert [path.name for path in people] == names
    layers = sorted((tmp_path / "models" / "pva").iterdir())
    assert [path.name for path in layers] == [f"layer_{n:05}_.safetensors" for n in sorted(wanted)]
