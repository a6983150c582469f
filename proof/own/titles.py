"""How inputs of graphs are set: by their nodes' titles, as workflows/examples does it for everybody."""

from __future__ import annotations

import sys

from installer.paths import REPOSITORY

_EXAMPLES = str(REPOSITORY / "workflows" / "examples")
if _EXAMPLES not in sys.path:
    sys.path.append(_EXAMPLES)

from parameters import Prompt as Nodes  # noqa: E402
from parameters import node_names, set_inputs, settable  # noqa: E402

__all__ = ["Nodes", "node_names", "set_inputs", "settable"]
