"""Write workflows/*.json, the files the page opens, from workflows/api/*.json.

`python -m tools.ui_workflow` writes them. `python -m tools.ui_workflow --sockets http://127.0.0.1:8188`
first asks a running ComfyUI what sockets its own nodes have; needed when a workflow uses another of them.
What ours have is in their contract: `python -m tools.node_contract --write`.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from . import node_sockets
from .ui_graph import to_ui
from .ui_layout import arrange

WORKFLOWS = Path(__file__).resolve().parents[1] / "workflows"
HELP = WORKFLOWS.parent / "web" / "docs"
LAYOUTS = Path(__file__).with_name("workflow_layouts.json")


def api_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted((WORKFLOWS / "api").glob("*.json"))}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def build(name: str) -> str:
    """The text of workflows/NAME.json."""
    return json.dumps(ui_of(name, read(api_files()[name])), indent=1, ensure_ascii=False) + "\n"


def ui_of(name: str, prompt: dict[str, Any]) -> dict[str, Any]:
    """The UI file of a prompt with the nodes of the workflow `name`, laid out as that."""
    nodes, layout = node_sockets.load(), read(LAYOUTS)[name]
    layout["note"]["text"] = "\n".join(layout["note"]["text"])
    places, groups, notes = arrange(prompt, nodes, layout)
    missing = set(prompt) - set(places)
    if missing:
        raise ValueError(f"{LAYOUTS.name} has no place for the nodes {sorted(missing, key=int)} of {name}.")
    return to_ui(prompt, nodes, places, groups, notes, name)


def fetch_sockets(object_info: dict[str, Any]) -> dict[str, node_sockets.Node]:
    """The sockets of every node that a workflow uses or a help page explains."""
    wanted = {node["class_type"] for path in api_files().values() for node in read(path).values()}
    wanted |= {path.stem for path in HELP.glob("*.md")}
    return {name: node_sockets.from_object_info(object_info[name]) for name in sorted(wanted)}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Write workflows/*.json from workflows/api/*.json.")
    parser.add_argument(
        "--sockets", metavar="URL", help="a running ComfyUI to ask for its nodes' sockets first"
    )
    url = parser.parse_args(arguments).sockets
    if url:
        with urllib.request.urlopen(url.rstrip("/") + "/object_info", timeout=60) as answer:
            node_sockets.save(fetch_sockets(json.load(answer)))
    for name in api_files():
        (WORKFLOWS / f"{name}.json").write_text(build(name), encoding="utf-8", newline="\n")
        sys.stdout.write(f"workflows/{name}.json\n")


if __name__ == "__main__":
    main(sys.argv[1:])
