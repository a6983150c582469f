"""What nodes told the page, for a page that comes later.

The host tells a page again what an output node had told; of others, which it need not even look at when all
behind them is cached, a page that was loaded anew would never hear.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Prompt = Mapping[str, Any]

_MOST = 64
_told: OrderedDict[str, dict[str, Any]] = OrderedDict()


def remember(prompt: Prompt, node: str, told: dict[str, Any]) -> None:
    """Keep what a node told in the run of a prompt; the oldest goes when there are too many."""
    key = _key(prompt, node, {})
    _told[key] = told
    _told.move_to_end(key)
    if len(_told) > _MOST:
        _told.popitem(last=False)


def recall(question: Mapping[str, Any], _: str) -> dict[str, Any]:
    """By node id, what those of `nodes` told that were run with the same graph before them as `prompt` has.

    Raises ValueError for what is no graph.
    """
    prompt, nodes = question.get("prompt"), question.get("nodes")
    if not isinstance(prompt, dict) or not isinstance(nodes, list):
        raise ValueError("This takes a prompt and a list of nodes.")
    keys: dict[str, str] = {}
    found = {node: _told.get(_key(prompt, node, keys)) for node in map(str, nodes) if node in prompt}
    return {node: told for node, told in found.items() if told is not None}


def _key(prompt: Prompt, node: str, keys: dict[str, str]) -> str:
    """The same for the same class and inputs, and so on up to the beginnings; ids do not count."""
    if node in keys:
        if not keys[node]:
            raise ValueError("The graph has a circle.")
        return keys[node]
    entry = prompt.get(node)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("inputs"), Mapping):
        raise ValueError(f"The graph has no node {node}.")
    keys[node] = ""  # on its way
    inputs = {}
    for name, value in entry["inputs"].items():
        linked = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
        inputs[name] = [_key(prompt, value[0], keys), value[1]] if linked else value
    text = json.dumps([entry.get("class_type"), inputs], sort_keys=True)
    keys[node] = hashlib.sha256(text.encode()).hexdigest()
    return keys[node]
