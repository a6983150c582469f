"""Wherever a node asks for a recogniser, those that are free for commercial use can be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FREE = {"sface", "auraface"}


def choices(pack: Any) -> Iterator[tuple[str, str, set[str]]]:
    """(node, input, options) of every list that names a recogniser."""
    # Names of face packs are some of those of recognisers: this one is no pack's.
    known = {"glintr100", "ms1mv3_r50"} & set(pack.module("likeness.values").RECOGNISERS)
    for node in pack.module("nodes").NODES:
        schema = node.define_schema()
        for given in schema.inputs:
            options = {str(option) for option in getattr(given, "options", None) or ()}
            if options & known:
                yield schema.node_id, given.id, options


def test_every_list_of_recognisers_has_auraface_and_sface(pack: Any) -> None:
    found = list(choices(pack))
    asked = {node for node, _, _ in found}
    assert {
        *("LikenessEmbedFaces", "LikenessLoadIdentity", "LikenessAssignFaces", "LikenessScoreFaces"),
        *(
            "LikenessScoreExpression",
            "LikenessRepairFaces",
            "LikenessDrawUntil",
            "LikenessRedrawPlain",
        ),
    } <= asked, asked
    lacking = {(node, name): FREE - options for node, name, options in found if not options >= FREE}
    assert lacking == {}
    packs = pack.module("likeness.weights.catalogue").face_packs()
    assert set(packs["auraface"].recognisers) == FREE and "sface" in packs["embedded"].recognisers
    (load,) = (n for n in pack.module("nodes").NODES if n.define_schema().node_id == "LikenessLoadFaceModels")
    assert {"auraface", "embedded"} <= set(load.define_schema().inputs[0].options)
