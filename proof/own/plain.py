"""A graph without its adapter: what the checkpoint and the words alone draw."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .graph import Graph, is_link, links
from .titles import Nodes

#: The types that each class of node gives, by the server's own list.
Outputs = Mapping[str, Sequence[str]]
#: A node that gives one of these, or nothing, draws: it stays. The others around it are bypassed.
_DRAWN = {"LATENT", "GUIDER", "IMAGE"}


def without(graph: Graph, outputs: Outputs) -> Graph:
    """The graph with every node bypassed that depends on a photo of the person, as the page bypasses nodes.

    Raises ValueError where something is made of the photo alone, so that nothing could take its place.
    """
    nodes = copy.deepcopy(graph.nodes)
    photos = {place for places in graph.photos for place in places}
    gone = {p for p in _dependants(nodes, photos) if not _draws(nodes[p], outputs)}
    rest, open_ = {graph.save}, [graph.save]
    while open_:
        inputs = nodes[open_.pop()]["inputs"]
        for name, value in inputs.items():
            if not is_link(value):
                continue
            instead = _instead(nodes, (value[0], value[1]), gone, outputs)
            if instead is None or instead[0] in photos:
                title = nodes[value[0]].get("_meta", {}).get("title") or nodes[value[0]]["class_type"]
                raise ValueError(
                    f"{graph.name} has no picture without its adapter: {title!r} makes its part of the photo."
                )
            inputs[name] = list(instead)
            if instead[0] not in rest:
                rest.add(instead[0])
                open_.append(instead[0])
    seeds = tuple(seed for seed in graph.seeds if seed[0] in rest)
    text = graph.text if graph.text and graph.text[0] in rest else None
    if not seeds or text is None:
        raise ValueError(f"{graph.name} has no picture without its adapter: words or seed go with it.")
    return replace(
        graph,
        name=f"{graph.name}-plain",
        nodes={place: node for place, node in nodes.items() if place in rest},
        photos=(),
        text=text,
        seeds=seeds,
        conditioners=frozenset(),
    )


def _dependants(nodes: Nodes, photos: set[str]) -> set[str]:
    """The photos, and all that comes after them."""
    found = set(photos)
    while more := {p for p, node in nodes.items() if any(s in found for s, _ in links(node))} - found:
        found |= more
    return found


def _draws(node: Mapping[str, Any], outputs: Outputs) -> bool:
    given = outputs.get(node["class_type"], ())
    return not given or not _DRAWN.isdisjoint(given)


def _instead(nodes: Nodes, link: tuple[str, int], gone: set[str], outputs: Outputs) -> tuple[str, int] | None:
    """What takes a wire's place: of a bypassed node's inputs of that type the one in the same order."""
    place, slot = link
    while place in gone:
        given = list(outputs[nodes[place]["class_type"]])
        kind, order = given[slot], given[:slot].count(given[slot])
        coming = [(p, n) for p, n in links(nodes[place]) if list(outputs[nodes[p]["class_type"]])[n] == kind]
        if order >= len(coming):
            return None
        place, slot = coming[order]
    return place, slot
