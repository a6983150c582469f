"""Makes a booted host take the drawn world's networks: only for the tests, in the server's custom_nodes."""

import sys
from pathlib import Path

# Behind the host's own: it has packages of the names `nodes` and `tests`, too.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from proof.networks import hosted

hosted.register()

NODE_CLASS_MAPPINGS: dict[str, type] = {}
