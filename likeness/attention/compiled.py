"""What a compiled network must not forget.

TorchCompileModel compiles without guards on the host's transformer options: whatever a graph read there as a
number, a word or a branch, it keeps for ever, also when the next step, the next batch or another MODEL says
otherwise. Tensors are fetched anew; constants are not. So everything that is baked into a graph is told here
as one text, which layers look at: a text of a module is guarded, and another one is another graph. A graph
of the network without anything of ours never looks: from that one ours are told by one more argument.

That holds for a network that is one graph. Where something breaks it, such as the host's own attention for
CPUs, pieces are kept. Which block a piece is for is one of those options, too: without a guard, one block's
piece serves another of its shape, with its patch. No patch can know that, whoever made it; README says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .calls import Call


class _Now:
    text = ""


_NOW = _Now()


def note(call: Call, sources: Sequence[Any]) -> None:
    """Outside of the graph: what the next one may rely on."""
    facts = (call.views, call.latent, call.open, call.strange, call.reached is None)
    _NOW.text = "; ".join([repr(facts), *(source.constants for source in sources)])


def compiled(wrappers: Mapping[str, Any]) -> bool:
    """Whether TorchCompileModel is among them: a MODEL's, or those in a step's options."""
    return bool(wrappers.get("apply_model", {}).get("torch.compile"))


def arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a compiled network is given besides, by the host's options; it takes and ignores any."""
    return {"likeness": True} if compiled(options.get("wrappers", {})) else {}


def look() -> None:
    """Inside of the graph: this graph is for what was noted."""
    if torch.compiler.is_compiling() and _NOW.text == "never":
        raise AssertionError("No call is noted so.")
