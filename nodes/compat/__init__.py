"""Stand-ins for other packs' nodes, and the table of which of ours runs in place of which old one."""

from __future__ import annotations

from comfy_api.latest import io

from . import arc2face, arc2face_generate, instantid

NODES: list[type[io.ComfyNode]] = [*instantid.NODES, *arc2face.NODES, *arc2face_generate.NODES]
