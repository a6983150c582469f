"""Foundation-aware attention in Flux: picture queries look at the foundation's picture tokens.

The keys of a block are [text ; picture ; the foundation's picture], each picture token of the
foundation at the same place as the personalised one. Text queries do not see the last part: their
rows of the output are the host's own. Spec: pva_freecure_emojidiff.md B.2, DiT form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ... import host
from ...attention.flux import Joint, Then, inject_joint
from ...attention.sites import SiteKey
from .attention import Enough, FoundationSource, FoundationTokens, Looking, Tokens, looked_at

#: (q or k [rows, heads, tokens, size], rotations of the places or None) -> the same, rotated.
Rotate = Callable[[Tensor, Tensor | None], Tensor]
#: (rotated q, k, v, additive mask or None, host options) -> [rows, queries, hidden].
JointAttention = Callable[[Tensor, Tensor, Tensor, Tensor | None, Mapping[str, Any]], Tensor]


def look_in_flux(
    personalised: Any,
    foundation: Any,
    blocks: tuple[SiteKey, ...],
    tokens: FoundationTokens,
    looking: Looking,
) -> tuple[Any, Any]:
    """Clones of both MODELs; in these blocks of Flux the first looks at what the second notes."""
    patch = int(personalised.model.diffusion_model.patch_size)
    numbers = {key: number for number, key in enumerate(blocks)}
    aware = FluxAware(tokens, looking, numbers, patch, host.flux.rotate, host.flux.joint_attention)
    recorder = FluxRecorder(tokens, looking, numbers, patch, host.flux.rotate)
    return inject_joint(personalised, blocks, aware), inject_joint(foundation, blocks, recorder)


@dataclass(frozen=True, eq=False)
class FluxRecorder(FoundationSource):
    """In the foundation's blocks: changes nothing, notes what the personalised branch may look at.

    patch: how many pixels of the latent are a token's side.
    """

    patch: int
    rotate: Rotate

    def attend(self, given: Joint) -> None:
        place, looking = given.place, self.looking
        if not looking.window.holds(place.call):
            return
        index = self.numbers[place.site]
        for number, role in enumerate(place.call.roles):
            if looking.share(role) > 0 and not self.tokens.has(index, role):
                self.tokens.keep(index, role, self._tokens(given.chunk(number)))
        if self.tokens.enough:
            raise Enough

    def _tokens(self, part: Joint) -> Tokens:
        latent, grid = _grid(part, self.patch)
        chosen = self.looking.mask.choose(latent, grid, len(part.k), part.k)
        picture = _picture(part, grid)
        k, v = self.rotate(part.k, part.pe)[:, :, picture], part.v[:, :, picture]
        return looked_at(self.looking, chosen, k, v)


@dataclass(frozen=True, eq=False)
class FluxAware(FoundationSource):
    """In the personalised branch's blocks: picture queries in one softmax with the foundation's tokens."""

    patch: int
    rotate: Rotate
    attention: JointAttention

    def attend(self, given: Joint) -> Then | None:
        call = given.place.call
        if not self.looking.window.holds(call):
            return None
        picture = _picture(given, _grid(given, self.patch)[1])
        seen: list[tuple[int, float, Tensor]] = []
        for number, role in enumerate(call.roles):
            share = self.looking.share(role)
            if share > 0:
                tokens = self.tokens.of(self.numbers[given.place.site], role)
                if tokens.keys.shape[2] > 0:
                    seen.append((number, share, self._seen(given.chunk(number), tokens, picture)))
        return partial(_put, seen, picture, len(call.roles)) if seen else None

    def _seen(self, part: Joint, tokens: Tokens, picture: slice) -> Tensor:
        """What the picture's queries make of their own sequence and the foundation's tokens."""
        q, k = self.rotate(part.q, part.pe)[:, :, picture], self.rotate(part.k, part.pe)
        keys, values = torch.cat([k, tokens.keys], dim=2), torch.cat([part.v, tokens.values], dim=2)
        return self.attention(q, keys, values, _mask(part, tokens, picture), part.place.options)


def _put(seen: Sequence[tuple[int, float, Tensor]], picture: slice, chunks: int, out: Tensor) -> Tensor:
    """A block's output [rows, tokens, hidden] with the picture's tokens of looking chunks exchanged."""
    chunked = out.clone().unflatten(0, (chunks, -1))
    for number, share, new in seen:
        own = chunked[number, :, picture]
        chunked[number, :, picture] = new if share == 1 else torch.lerp(own, new, share)
    return chunked.flatten(0, 1)


def _mask(part: Joint, tokens: Tokens, picture: slice) -> Tensor | None:
    """What is added to the logits: [1 or rows, 1 or heads, 1 or queries, own and the foundation's keys].

    None when that is nothing. The same for all queries unless the prompt has an attention mask.
    """
    q, own, theirs = part.q, part.mask, tokens.bias
    if own is None and theirs is None:
        return None
    if own is None:
        own = q.new_zeros((1, 1, 1, part.k.shape[2]))
    elif own.shape[2] > 1:
        own = own[:, :, picture]
    if own.dtype == torch.bool:
        own = q.new_zeros(own.shape).masked_fill(~own, -torch.inf)
    if theirs is None:
        theirs = q.new_zeros((1, 1, 1, tokens.keys.shape[2]))
    shape = torch.broadcast_shapes(own.shape[:-1], theirs.shape[:-1])
    both = [x.to(q.dtype).expand(*shape, -1) for x in (own, theirs)]
    return torch.cat(both, dim=-1)


def _grid(given: Joint, patch: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of the latent and of the picture's tokens."""
    latent = given.place.call.latent
    if latent is None:
        raise RuntimeError(
            "FreeCure: Flux was run without the host's wrappers, by a node that replaces the sampling code. "
            "Take that node out."
        )
    height, width = latent
    return latent, (-(-height // patch), -(-width // patch))


def _picture(given: Joint, grid: tuple[int, int]) -> slice:
    """Where the picture's tokens are. After them come reference pictures, which neither look nor show."""
    end = given.text + grid[0] * grid[1]
    if end > given.q.shape[2]:
        raise ValueError(
            f"FreeCure: a block of Flux works on {given.q.shape[2] - given.text} tokens of a "
            f"{grid[1]}x{grid[0]} grid, because another node merges or leaves out tokens. Take that node out "
            "of both models."
        )
    return slice(given.text, end)
