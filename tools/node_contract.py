"""What saved workflows hold our nodes to: nodes/node_contract.json, taken from the nodes in an empty ComfyUI.

python -m tools.node_contract                    says what changed, and whether a minor release may do it
python -m tools.node_contract --write            writes it; refuses what no minor may do
python -m tools.node_contract --write --major    writes that too

Run with the Python of the tests' environment; LIKENESS_COMFYUI names another ComfyUI than its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from installer.environment import current
from installer.paths import REPOSITORY, link_folder

from .contract_changes import BREAKING, Change, changes

STORE = REPOSITORY / "nodes" / "node_contract.json"
#: Of what is new since the last release; the release puts its version there.
UNRELEASED = "unreleased"
#: Options of an input that are words for people, and may change at any time.
_WORDS = frozenset({"tooltip", "placeholder", "display_name", "likeness_names"})
#: Loads the pack into ComfyUI in a process of its own, and prints /object_info of our nodes.
_ASK = """
import asyncio, json, os, sys
host, base = sys.argv[1:3]
sys.path.insert(0, host)
from comfy.cli_args import args
args.cpu, args.base_directory = True, base
import utils.extra_config
import comfy.samplers, nodes
if not asyncio.run(nodes.load_custom_node(os.path.join(base, "custom_nodes", "likeness"))):
    sys.exit("ComfyUI could not load the pack.")
ours = {i: c.GET_NODE_INFO_V1() for i, c in nodes.NODE_CLASS_MAPPINGS.items() if i.startswith("Likeness")}
lists = {"samplers": comfy.samplers.SAMPLER_NAMES, "schedulers": comfy.samplers.SCHEDULER_NAMES}
with open(sys.argv[3], "w", encoding="utf-8") as file:
    json.dump({"nodes": ours, "lists": {name: list(names) for name, names in lists.items()}}, file)
"""

Contract = dict[str, dict[str, Any]]


def taken(comfyui: Path, python: str | Path = sys.executable) -> Contract:
    """The contract of the nodes as they are, from a ComfyUI without any models. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as base:
        link_folder(REPOSITORY, Path(base) / "custom_nodes" / "likeness")
        answer = Path(base) / "answer.json"
        done = subprocess.run(
            [str(python), "-c", _ASK, str(comfyui), base, str(answer)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=base,
        )
        if done.returncode or not answer.is_file():
            raise RuntimeError(f"The nodes could not be asked:\n{done.stderr[-2000:]}")
        said = json.loads(answer.read_text(encoding="utf-8"))
    return {name: _node(info, said["lists"]) for name, info in sorted(said["nodes"].items())}


def _node(info: dict[str, Any], lists: dict[str, list[str]]) -> dict[str, Any]:
    inputs = [
        _input(name, info["input"][kind][name], kind == "optional", lists)
        for kind in ("required", "optional")
        for name in info["input_order"].get(kind, [])
    ]
    outputs = [
        {"name": name, "type": kind, "list": several}
        for name, kind, several in zip(
            info["output_name"], info["output"], info["output_is_list"], strict=True
        )
    ]
    facts = {name: info[name] for name in ("category", "deprecated", "experimental", "output_node")}
    return {"since": UNRELEASED, **facts, "inputs": inputs, "outputs": outputs}


def _input(name: str, spec: list[Any], optional: bool, lists: dict[str, list[str]]) -> dict[str, Any]:
    kind, options = spec[0], dict(spec[1]) if len(spec) > 1 and spec[1] else {}
    if isinstance(kind, list):
        kind, options["options"] = "COMBO", kind
    options = _without_words(options)
    for whose, names in lists.items():
        if options.get("options") == names:
            options["options"] = f"the host's {whose}"
    return {"since": UNRELEASED, "name": name, "type": kind, "optional": optional, "options": options}


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_words(part) for key, part in value.items() if key not in _WORDS}
    return [_without_words(part) for part in value] if isinstance(value, list) else value


def load(path: Path = STORE) -> Contract:
    stored: Contract = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    return stored


def text(nodes: Contract) -> str:
    return json.dumps({"format": 1, "nodes": nodes}, indent=1, ensure_ascii=False) + "\n"


def with_since(new: Contract, old: Contract) -> Contract:
    """The new one, each part with the release that the old one says it came with."""
    for name, node in new.items():
        before = old.get(name, {})
        node["since"] = before.get("since", UNRELEASED)
        came = {part["name"]: part["since"] for part in before.get("inputs", [])}
        for part in node["inputs"]:
            part["since"] = came.get(part["name"], UNRELEASED)
    return new


def comfyui_folder() -> Path:
    return Path(os.environ.get("LIKENESS_COMFYUI") or current().comfyui)


def drift(comfyui: Path) -> list[Change]:
    """What the nodes are, that the stored contract does not say."""
    return changes(load(), taken(comfyui))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--major", action="store_true", help="with --write: what breaks saved workflows, too")
    chosen = parser.parse_args(arguments)
    old = load() if STORE.is_file() else {}
    new = taken(comfyui_folder())
    found = changes(old, new) if old else []
    for change in found:
        print(change)
    if not chosen.write:
        return 1 if found else 0
    if any(change.level == BREAKING for change in found) and not chosen.major:
        print("Nothing was written: saved workflows would break. --major writes it all the same.")
        return 1
    STORE.write_text(text(with_since(new, old)), encoding="utf-8", newline="\n")
    print(f"{STORE.relative_to(REPOSITORY).as_posix()}: {len(new)} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
