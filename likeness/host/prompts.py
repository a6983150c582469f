"""Prompts on their way into the server, and the nodes it knows."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

#: A prompt of the API: nodes by their ids, each with class_type, inputs and, mostly, _meta.
Prompt = dict[str, Any]


def on_prompt(change: Callable[[Prompt], None]) -> bool:
    """Have every posted prompt given to `change` before the server looks at it; it may write into it.

    False when the host runs without a server, as a library.
    """
    # Not imported: where nobody has, there is no server, and importing it takes long.
    module = sys.modules.get("server")
    server = getattr(module.PromptServer, "instance", None) if module else None
    if server is None:
        return False

    def handle(body: dict[str, Any]) -> dict[str, Any]:
        prompt = body.get("prompt")
        if isinstance(prompt, dict):
            change(prompt)
        return body

    server.add_on_prompt_handler(handle)
    return True


def has_node(node_id: str) -> bool:
    """Whether a node of that id is there, from the host or any pack."""
    # By its name: the host's module is called as our own room is.
    return node_id in importlib.import_module("nodes").NODE_CLASS_MAPPINGS
