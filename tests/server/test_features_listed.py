"""The matrix of methods beside nodes of the host knows every node of it that has to do with sampling."""

from __future__ import annotations

import json

from support.features.left_out import LEFT_OUT, sampling_nodes
from support.features.matrix import FEATURES

from installer.comfyui import PINNED
from installer.server import Server


def test_every_sampling_node_stands_in_the_matrix_or_is_left_out_for_a_reason(server: Server) -> None:
    """Whoever raises the host's version learns here what is new, and what is gone."""
    offered = sampling_nodes(server.object_info())
    drawn = {feature.name.split(" (")[0] for feature in FEATURES}
    listed = [name for names in LEFT_OUT.values() for name in names]
    assert len(listed) == len(set(listed))
    assert not drawn & set(listed), "They stand in the matrix."
    assert sorted(offered - drawn - set(listed)) == []
    version = json.loads(server.get("/system_stats"))["system"]["comfyui_version"]
    if version == PINNED.version:  # an older one has not all of them
        assert sorted(set(listed) - offered) == []
