"""The pairs, what is expected of them, and the drawings they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..golden import relative_error
from .feature import ALONE, EFFECT, NODE, OFF, ORDER, TWIN, Answer, Feature, Idle, Refused, Told, Works
from .latent_nodes import LATENT_NODES
from .methods import FULL, METHODS, NOTHING, Apply, Method
from .model_nodes import MODEL_NODES
from .networks import NETWORKS
from .prompt_nodes import PROMPT_NODES
from .run import PICTURES, Run, draw
from .sampling_nodes import GUIDERS, SAMPLERS
from .text_nodes import TEXT_NODES
from .weight_nodes import WEIGHT_NODES
from .world import World

FEATURES: tuple[Feature, ...] = (
    *MODEL_NODES,
    *WEIGHT_NODES,
    *PROMPT_NODES,
    *TEXT_NODES,
    *LATENT_NODES,
    *GUIDERS,
    *SAMPLERS,
)
#: Rounding, of float32 through two steps, and what is surely more.
SAME, CHANGED = 1e-5, 1e-4


def answer(method: Method, feature: Feature) -> Answer:
    """What is expected of a pair."""
    if method.name in feature.answers:
        return feature.answers[method.name]
    if method.network in feature.idle:
        return Idle(feature.idle[method.network])
    return Works(feature.lacks)


def asserted(method: Method, feature: Feature) -> tuple[str, ...]:
    """The properties of a pair that is drawn."""
    expected = answer(method, feature)
    lacks = set(feature.lacks)
    if isinstance(expected, Works):
        lacks |= set(expected.lacks)
    if isinstance(expected, Refused | Told) or not method.wires & feature.wires:
        lacks.add(ORDER)
    if method.twin is None:
        lacks.add(TWIN)
    if feature.pictures == (1,):
        lacks.add(ALONE)
    lacks |= {name for name, other in method.shown_by.items() if _shows(other, feature, name)}
    return tuple(name for name in method.asserted if name not in lacks)


def _shows(name: str, feature: Feature, which: str) -> bool:
    """Whether the pair of the method of that name is drawn, and shows a property."""
    (method,) = (method for method in METHODS if method.name == name)
    return isinstance(answer(method, feature), Works | Idle) and which in asserted(method, feature)


class Matrix:
    """Draws pairs. What a node or a method draws alone is drawn once.

    As in the host, which keeps what a node gave: a node's output goes into the graphs of all methods, and a
    method's output into those of all nodes.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[tuple[str, ...], torch.Tensor] = {}
        self._applied: dict[tuple[Any, ...], Run] = {}
        #: Of one node at a time: they come one after the other, and a patched MODEL takes room.
        self._before: dict[tuple[Any, ...], Run] = {}
        #: What the bare networks draw before anything else.
        self.first = {network: draw(world.start(network)) for network in NETWORKS}

    def _once(self, key: tuple[str, ...], make: Callable[[], Run]) -> torch.Tensor:
        if key not in self._known:
            self._known[key] = draw(make())
        return self._known[key]

    def pair(self, method: Method, feature: Feature, apply: Apply | None = None) -> torch.Tensor:
        """The node before ours, with both pictures, at full strength."""
        apply = apply or method.apply

        def make() -> Run:
            return apply(self.world, self._with_node(method, feature), FULL)

        return self._once(("pair", apply.__name__, feature.name), make)

    def after(self, method: Method, feature: Feature) -> torch.Tensor:
        return draw(feature.on(self.world, self._with_method(method, feature)))

    def one(self, method: Method, feature: Feature) -> torch.Tensor:
        """Picture 1 by itself."""
        return draw(method.apply(self.world, self._with_node(method, feature, pictures=(1,)), FULL))

    def off(self, method: Method, feature: Feature) -> torch.Tensor:
        """At strength 0. Where the method leaves every wire as it was, the graph is the node's alone."""
        before = self._with_node(method, feature)
        run = method.apply(self.world, before, NOTHING)
        return self.node_alone(method, feature) if run.same_wires(before) else draw(run)

    def node_alone(self, method: Method, feature: Feature) -> torch.Tensor:
        """Without the method; of FreeCure: with the identity it repairs."""

        def make() -> Run:
            return method.without(self.world, self._with_node(method, feature, method.person))

        about = (method.network, method.without.__name__, str(method.person))
        return self._once(("node", *about, feature.name), make)

    def method_alone(self, method: Method, feature: Feature) -> torch.Tensor:
        pictures = feature.pictures or PICTURES
        key = ("method", method.apply.__name__, *map(str, pictures))
        return self._once(key, lambda: self._with_method(method, feature))

    def _start(self, method: Method, feature: Feature) -> Run:
        return self.world.start(method.network, feature.pictures or PICTURES)

    def _with_node(
        self, method: Method, feature: Feature, person: int = 0, pictures: tuple[int, ...] | None = None
    ) -> Run:
        """The graph up to where the method comes in."""
        pictures = pictures or feature.pictures or PICTURES
        key = (feature.name, method.network, person, pictures)
        if key not in self._before:
            if any(name != feature.name for name, *_ in self._before):
                self._before.clear()
            run = self.world.start(method.network, pictures, person)
            self._before[key] = feature.on(self.world, run)
        return self._before[key]

    def _with_method(self, method: Method, feature: Feature) -> Run:
        """The graph up to where the node comes in."""
        pictures = feature.pictures or PICTURES
        key = (method.name, pictures)
        if key not in self._applied:
            self._applied[key] = method.apply(self.world, self._start(method, feature), FULL)
        return self._applied[key]

    def wrong(self, method: Method, feature: Feature) -> list[str]:
        """What does not hold of a pair, in words."""
        start = self._start(method, feature)
        before = content(start)
        found = self.pair(method, feature)
        said = [] if torch.isfinite(found).all() else ["it draws NaN or infinity"]
        for name in asserted(method, feature):
            wanted, about, must = self._claim(name, method, feature, found)
            off = difference(*wanted())
            if (off > SAME) if must else (off <= CHANGED):
                said.append(f"{name}: {about} ({off:.1e})")
        if content(start) != before:
            said.append("left: the MODEL, prompts or latents that the graph began with are others now")
        return said

    def _claim(
        self, name: str, method: Method, feature: Feature, found: torch.Tensor
    ) -> tuple[Callable[[], tuple[torch.Tensor, torch.Tensor]], str, bool]:
        """(two drawings, what is wrong otherwise, whether they must be the same) of a property."""
        idle = isinstance(answer(method, feature), Idle) or method.network in feature.idle
        if name == EFFECT:
            return lambda: (found, self.node_alone(method, feature)), "the method changes nothing", False
        if name == NODE and idle:
            return lambda: (found, self.method_alone(method, feature)), "the node changes something", True
        if name == NODE:
            return lambda: (found, self.method_alone(method, feature)), "the node changes nothing", False
        if name == ORDER:
            return lambda: (self.after(method, feature), found), "after ours is not before ours", True
        if name == OFF:
            about = "strength 0 is not the node alone"
            return lambda: (self.off(method, feature), self.node_alone(method, feature)), about, True
        if name == ALONE:
            place = (feature.pictures or PICTURES).index(1)
            about = "a picture by itself is not what it is in the batch"
            return lambda: (self.one(method, feature), found[place : place + 1]), about, True
        assert name == TWIN and method.twin
        twin = method.twin
        return lambda: (self.pair(method, feature, twin), found), f"not what {twin.__name__} draws", True


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative; infinite where the shapes differ."""
    return relative_error(one, other) if one.shape == other.shape else float("inf")


def content(run: Run) -> Any:
    """What hangs on the wires of a Run, to be compared with later: objects by identity, tensors by value."""
    model = run.model
    hung = (model.model_options, model.patches, model.object_patches, model.hook_patches)
    more = (model.wrappers, model.callbacks, model.injections, model.attachments)
    return _content((hung, more, run.positive, run.negative, run.latent))


def _content(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((str(key), _content(part)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_content, value))
    return (id(value), float(value.sum())) if isinstance(value, torch.Tensor) else id(value)
