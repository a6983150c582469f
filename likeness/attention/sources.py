"""What can be injected into an attention layer, and when. The base of the engine's modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from torch import Tensor

from .calls import Call
from .masks import PictureMask

#: (q, k, v, extra_options) -> [rows, queries, hidden]: projected q, k and v in, before to_out.
Attention = Callable[[Tensor, Tensor, Tensor, Mapping[str, Any]], Tensor]


@dataclass(frozen=True)
class Place:
    """Where a source is asked: its layer number `index`, the network call, the host's options.

    alone: the source stands on the layer's own attention; nothing else of ours or of another pack is
    beneath it.
    """

    index: int
    call: Call
    options: Mapping[str, Any]
    alone: bool = False


class Source(Protocol):
    """What is injected: shared by all sites of one adapter."""

    def attend(self, inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
        """The layer's output [rows, queries, hidden] with this source's part in it.

        inner computes it without: the base, and the sources that were applied before.
        """

    def cleanup(self) -> None:
        """Let go of what was kept for one sampling run."""


@dataclass(frozen=True)
class Window:
    """When a source is active: from start to end, as parts (0 to 1) of the sampling schedule.

    The parts become noise levels by the run's own model_sampling, which a node after ours may have
    changed.
    """

    start: float
    end: float

    def holds(self, call: Call) -> bool:
        if call.sigma is None or call.sampling is None:
            # The network alone, without a schedule: nothing says that it is too early or too late.
            return True
        return self.holds_at(call.sampling, call.sigma)

    def holds_at(self, sampling: Any, sigma: float) -> bool:
        """Whether the noise level sigma lies in the window of a run with this model_sampling."""
        return _sigma(sampling, self.start) >= sigma >= _sigma(sampling, self.end)


#: Noise levels of parts of a schedule; computing one waits for the device.
_sigmas: WeakKeyDictionary[Any, dict[float, float]] = WeakKeyDictionary()


def _sigma(sampling: Any, part: float) -> float:
    known = _sigmas.setdefault(sampling, {})
    if part not in known:
        known[part] = float(sampling.percent_to_sigma(part))
    return known[part]


#: In a MODEL's options: a source wants to know what the layers project. In a layer's options: what it does.
HIDDEN_WANTED, HIDDEN = "likeness_hidden_wanted", "likeness_hidden"


@contextmanager
def hidden_noted(options: dict[str, Any]) -> Iterator[None]:
    """While this lasts, layers note what their attn2.to_q is given, if anybody wants it.

    Noted last: patches of other packs may change it before.
    """
    if not options.get(HIDDEN_WANTED):
        yield
        return
    patches = options.get("patches", {})
    options["patches"] = {**patches, "attn2_patch": [*patches.get("attn2_patch", ()), _note_hidden]}
    try:
        yield
    finally:
        options["patches"] = patches


def _note_hidden(
    hidden: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor]:
    extra_options[HIDDEN] = hidden
    return hidden, context, value


def hidden_states(q: Tensor, place: Place, what: str) -> Tensor:
    """What this layer's queries q were projected from: [rows, queries, hidden]. what: whose name to say.

    Raises RuntimeError when the network runs without the host's wrappers.
    """
    hidden = place.options.get(HIDDEN)
    if not isinstance(hidden, Tensor) or hidden.shape[:2] != q.shape[:2]:
        raise RuntimeError(
            f"{what}: the network was run without the host's wrappers, by a node that replaces the sampling "
            "code or the network. Take that node out."
        )
    return hidden


def token_mask(mask: PictureMask, q: Tensor, place: Place) -> Tensor:
    """The mask for the queries of a layer: [1 or rows, queries, 1]."""
    options, call = place.options, place.call
    height, width = (int(side) for side in options["original_shape"][-2:])
    grid = (int(options["activations_shape"][-2]), int(options["activations_shape"][-1]))
    if grid[0] * grid[1] != q.shape[1]:
        raise ValueError(
            f"mask: a layer works on {q.shape[1]} tokens of a {grid[1]}x{grid[0]} grid, because another "
            "node merges tokens. Remove that node or the mask."
        )
    latent = call.latent or (height, width)
    return mask.tokens(latent, call.areas, grid, q.shape[0] // len(call.roles), q)
