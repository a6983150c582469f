"""Joint attention: text and picture as one sequence in every block of the network, as in Flux.

The host has no slot for such an attention. It calls a list of patches with what the attention is
given and another list with what comes out. Ours is the last of the first list, so that it sees what
other packs made of q, k and v, and the first of the second, so that they work on what ours made.
What a source wants done with the output rides in the block's own options from one to the other:
nothing is kept on the patch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor, nn

from .calls import current_call
from .engine import announce
from .sites import SiteKey
from .sources import Place, Source

_THEN = "likeness_then"

#: The output [rows, tokens, hidden] of a block's attention -> the output with a source's part in it.
Then = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Joint:
    """What a block's attention is given: text tokens first, then the picture's.

    q, k, v: [rows, heads, tokens, size], without places. pe: the host's rotations of the places, or
    None. mask: [1 or rows, 1 or heads, 1 or queries, keys], or None. text: how many text tokens.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    pe: Tensor | None
    mask: Tensor | None
    text: int
    place: Place

    def chunk(self, number: int) -> Joint:
        """The part of one chunk of rows."""
        rows, count = len(self.q), len(self.place.call.views)
        if count == 1:
            return self
        size = rows // count
        part = slice(number * size, (number + 1) * size)
        pe, mask = (x[part] if x is not None and len(x) == rows else x for x in (self.pe, self.mask))
        q, k, v = self.q[part], self.k[part], self.v[part]
        return replace(self, q=q, k=k, v=v, pe=pe, mask=mask, place=self.place.part(number, number + 1))


class JointSource(Source, Protocol):
    """What is injected into blocks of joint attention."""

    def attend(self, given: Joint) -> Then | None:
        """What is to be done with the output of this attention; None to leave it alone.

        q, k and v are to be read now: the host may turn them in place afterwards.
        """


def joint_blocks(network: nn.Module) -> tuple[SiteKey, ...]:
    """Every block of a Flux network in the order of execution: double ones, then single ones."""
    kinds = (("double", "double_blocks"), ("single", "single_blocks"))
    return tuple((kind, n, 0) for kind, name in kinds for n in range(len(getattr(network, name))))


def inject_joint(model: Any, blocks: tuple[SiteKey, ...], source: JointSource) -> Any:
    """A clone of MODEL whose blocks carry `source`, that are given."""
    model = model.clone()
    model.set_model_attn1_patch(JointPatch(source, frozenset(blocks)))
    patches = model.model_options["transformer_options"]["patches"]
    patches["attn1_output_patch"] = [_finish, *patches.get("attn1_output_patch", ())]
    announce(model, [("attn1", key) for key in blocks], source)
    return model


class JointPatch:
    """Ours in the host's list of patches before the attention; changes nothing by itself."""

    def __init__(self, source: JointSource, blocks: frozenset[SiteKey]) -> None:
        self.source = source
        self.blocks = blocks

    def __call__(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        pe: Tensor | None = None,
        attn_mask: Tensor | None = None,
        extra_options: dict[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        options = extra_options if extra_options is not None else {}
        key, text = _block(options)
        if key in self.blocks:
            call = current_call(options)
            if call.reached is not None:
                call.reached.add(("attn1", key))
            place = Place(key, call, options)
            then = self.source.attend(Joint(q, k, v, pe, _four(attn_mask), text, place))
            if then is not None:
                options.setdefault(_THEN, []).append(then)
        return {}

    def cleanup(self) -> None:
        """Called by the host when sampling ends, in success, error or cancel."""
        self.source.cleanup()


def _finish(out: Tensor, extra_options: dict[str, Any]) -> Tensor:
    for then in extra_options.pop(_THEN, ()):
        out = then(out)
    return out


def _block(options: Mapping[str, Any]) -> tuple[SiteKey, int]:
    """Which block this is, and how many text tokens it has."""
    kind, number, picture = (options.get(name) for name in ("block_type", "block_index", "img_slice"))
    if kind is None or number is None or picture is None:
        raise ValueError(
            "A block of Flux does not say which it is: another node runs the network's blocks itself. Take "
            "that node out."
        )
    return (str(kind), int(number), 0), int(picture[0])


def _four(mask: Tensor | None) -> Tensor | None:
    """The host's attention mask, [queries, keys] or more, in four dimensions."""
    while mask is not None and mask.ndim < 4:
        mask = mask.unsqueeze(0 if mask.ndim == 2 else 1)
    return mask
