"""What a node of the host is in the matrix, and what is asserted of it beside each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .run import Run
from .world import World

#: Wires a node can change.
MODEL, PROMPTS, LATENT, CLIP, GUIDER, SAMPLER = "MODEL", "CONDITIONING", "LATENT", "CLIP", "GUIDER", "SAMPLER"

#: What is asserted of a pair. EFFECT: the method changes what the node draws alone. NODE: the node changes
#: what the method draws alone. ORDER: the node before ours and after ours draw the same. OFF: at strength
#: 0 the node alone is drawn. ALONE: a picture of a batch is what it is by itself. TWIN: the method's other
#: way draws the same.
EFFECT, NODE, ORDER, OFF, ALONE, TWIN = "effect", "node", "order", "off", "alone", "twin"
PROPERTIES = (EFFECT, NODE, ORDER, OFF, ALONE, TWIN)


@dataclass(frozen=True)
class Works:
    """Every property but those that cannot hold, by the reason why."""

    lacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Idle:
    """The node does nothing to such a network, with the method or without it."""

    why: str


@dataclass(frozen=True)
class Refused:
    """A ValueError of ours says so. after: only when the node comes after ours."""

    saying: str
    after: bool = False


@dataclass(frozen=True)
class Told:
    """Works when the node comes before ours; after ours it takes a place of ours, and the log says so."""

    saying: str


@dataclass(frozen=True)
class NotOffered:
    """The two cannot be in one graph."""

    why: str


Answer = Works | Idle | Refused | Told | NotOffered


@dataclass(frozen=True)
class Feature:
    """A node, or nodes that belong together, of the host.

    group: its line in the README's table. idle: networks it does nothing to. lacks: as in Works, for
    every method. answers: of methods by name, where it is another.
    """

    name: str
    group: str
    apply: Callable[[World, Run], Run]
    wires: frozenset[str] = frozenset({MODEL})
    idle: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    pictures: tuple[int, ...] | None = None

    def on(self, world: World, run: Run) -> Run:
        """The Run with this node in it; FreeCure's second MODEL gets one, too."""
        done = self.apply(world, run)
        if run.foundation is not None and MODEL in self.wires:
            done = done.but(foundation=self.apply(world, run.but(model=run.foundation)).model)
        return done
