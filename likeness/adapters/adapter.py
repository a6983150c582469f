"""A loaded adapter of the IP-Adapter family, whatever method it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ..attention.sites import Site
from ..attention.sources import Adds, Inserts
from ..attention.use import Use
from ..attention.views import Role
from .tokens import MadeWith, Tokens


class Layers(Protocol):
    """What an adapter has for each cross-attention layer of a network."""

    def match(self, network: nn.Module, kind: str, needs: str) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """The network's layers and which of the adapter's belongs to each. Raises ValueError."""

    def number(self, index: int) -> int:
        """What the file calls the layer at `index`."""

    def source(
        self, tokens: Tokens, sites: Sequence[Site], numbers: Sequence[int], use: Use, roles: frozenset[Role]
    ) -> Adds | Inserts:
        """What is put into these layers, or before them."""

    @property
    def hidden(self) -> bool:
        """Whether the source reads what a layer's queries were projected from."""


@dataclass(frozen=True)
class Words:
    """How a method's messages call things: its node, what that needs, its inputs and the node that loads."""

    node: str
    needs: str
    tokens: str = "identity"
    adapter: str = "file"
    loader: str = "loader"


@dataclass(frozen=True, eq=False)
class Adapter:
    """In host memory: what makes tokens, and the layers that look at them.

    takes: the recogniser or the feature that its projector understands. file: what identifies the file that
    it came from (path, size, time of change), empty for what came from none.
    """

    name: str
    projector: Any
    layers: Layers
    takes: str
    words: Words
    file: str = ""

    @property
    def made(self) -> MadeWith:
        """What its tokens are marked with."""
        return MadeWith(self.name, self.file)

    def check(self, tokens: Tokens) -> None:
        """Raises ValueError for tokens that another file made, also one of the same name."""
        if tokens.made_with == self.made:
            return
        words, other = (
            self.words,
            "another file of that name" if tokens.made_with.name == self.name else self.name,
        )
        raise ValueError(
            f"{words.tokens} were made with {tokens.made_with}, but {words.adapter} is {other}: connect "
            f"the same {words.loader} to both nodes."
        )

    def __repr__(self) -> str:
        return f"Adapter({self.name}, {self.takes})"
