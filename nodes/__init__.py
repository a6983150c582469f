"""The list of node classes. A node is a schema and a short call; the work is done in likeness/."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..likeness import host
from . import (
    algebra,
    arc2face,
    expression,
    expression_adapter,
    faces,
    freecure,
    freecure_expression,
    freecure_sample,
    identity,
    instantid,
    parsing,
    regions,
)

NODES: list[type[io.ComfyNode]] = [
    *faces.NODES,
    *identity.NODES,
    *algebra.NODES,
    *regions.NODES,
    *parsing.NODES,
    *instantid.NODES,
    *arc2face.NODES,
    *expression_adapter.NODES,
    *expression.NODES,
    *freecure.NODES,
    *freecure_sample.NODES,
    *freecure_expression.NODES,
]


class LikenessExtension(ComfyExtension):
    async def on_load(self) -> None:
        host.register_model_folders()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
