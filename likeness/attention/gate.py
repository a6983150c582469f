"""Mode joint: text and visual logits in one softmax, the visual ones with a query of their own (PVA).

In gate form: with o_t and o_v the two attentions by themselves and L_t, L_v the logarithms of their summed
weights, out = o_t + g (o_v - o_t), g = sigmoid(L_v - L_t). So it can stand on any other output, too.
The functions on plain tensors carry gradients. Spec: pva_freecure_emojidiff.md A.2, A.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from .calls import Call
from .extended import longer_keys
from .hidden import hidden_states
from .sites import SiteKey
from .sources import Place, Rows
from .use import Window
from .views import Role

#: What one layer needs of an identity: `fold`'s [heads * T, hidden], values [T, hidden].
Visual = tuple[Tensor, Tensor]
#: (host options, dtype of the queries) -> dtype to compute logits in.
Precision = Callable[[Mapping[str, Any], torch.dtype], torch.dtype]

#: Logits that are in memory at once, at most; more are computed in turns.
_LOGITS = 1 << 24


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[rows, tokens, hidden] -> [rows, heads, tokens, hidden / heads]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """The way back."""
    return x.transpose(1, 2).flatten(2)


def scaled_logits(q: Tensor, k: Tensor, heads: int) -> Tensor:
    """[rows, heads, queries, keys] of q and k [rows, tokens, hidden]."""
    q, k = split_heads(q, heads), split_heads(k, heads)
    return (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)


def fold(to_visual_q: Tensor, keys: Tensor, heads: int) -> Tensor:
    """One matrix that takes hidden states straight to visual logits: [heads * T, hidden].

    to_visual_q [hidden, hidden], keys [T, hidden]. For tokens that never change it stands for both, is a
    sixth of their size at 10 tokens and heads of 64, and saves a sixth of the work at every step.
    """
    width = keys.shape[-1] // heads
    queries = to_visual_q.unflatten(0, (heads, width))  # [heads, width, hidden]
    per_head = keys.unflatten(-1, (heads, width)).transpose(0, 1)  # [heads, T, width]
    return (per_head @ queries).flatten(0, 1) * width**-0.5


def folded_logits(hidden: Tensor, folded: Tensor, heads: int) -> Tensor:
    """Visual logits [rows, heads, queries, T] of hidden states [rows, queries, hidden]."""
    return (hidden @ folded.T).unflatten(-1, (heads, -1)).transpose(1, 2)


def log_weight(logits: Tensor) -> Tensor:
    """The logarithm of the summed weights, [rows, heads, queries, 1]; -inf where there are no keys."""
    return torch.logsumexp(_wide(logits), dim=-1, keepdim=True)


def mixed(logits: Tensor, values: Tensor) -> Tensor:
    """Values [1 or rows, heads, keys, width], weighted by the softmax of logits over their keys."""
    return _wide(logits).softmax(dim=-1).to(values.dtype) @ values


def gated(text: Tensor, text_weight: Tensor, logits: Tensor, values: Tensor, strength: float = 1.0) -> Tensor:
    """What the visual tokens change, g (o_v - o_t): [rows, heads, queries, width].

    text is o_t, text_weight its `log_weight`; logits the visual ones [rows, heads, queries, T]. strength,
    above 0, multiplies the visual tokens' weights before the softmax: 1 is the published method.
    """
    weight = log_weight(logits) + math.log(strength)
    gate = torch.sigmoid(weight - text_weight).to(values.dtype)
    return gate * (mixed(logits, values) - text)


def _wide(logits: Tensor) -> Tensor:
    return logits if logits.dtype in (torch.float32, torch.float64) else logits.float()


class Visuals(Protocol):
    """What the layers of JointAttention attend to beside their prompt."""

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Of what each layer needs."""

    def lend(self, device: torch.device, dtype: torch.dtype) -> None:
        """What all layers need will be asked for, on this device and in this dtype."""

    def layer(self, index: int, device: torch.device, dtype: torch.dtype) -> Visual:
        """What layer `index` needs, on this device and in this dtype."""

    def cleanup(self) -> None:
        """Let go of what was kept for one sampling run."""


class VisualTokens:
    """What all layers need of an identity: float32 on the CPU, lent to a device while sampling."""

    def __init__(self, layers: Sequence[Visual]) -> None:
        self._layers = tuple(layers)
        self._lent: dict[tuple[torch.device, torch.dtype], tuple[Visual, ...]] = {}

    @property
    def values(self) -> int:
        """How many numbers are kept."""
        return sum(part.numel() for layer in self._layers for part in layer)

    @property
    def shapes(self) -> tuple[Any, ...]:
        return tuple((tuple(f.shape), tuple(v.shape)) for f, v in self._layers)

    def lend(self, device: torch.device, dtype: torch.dtype) -> None:
        if (device, dtype) not in self._lent:
            self._lent[device, dtype] = tuple(
                (f.to(device, dtype), v.to(device, dtype)) for f, v in self._layers
            )

    def layer(self, index: int, device: torch.device, dtype: torch.dtype) -> Visual:
        self.lend(device, dtype)
        return self._lent[device, dtype][index]

    def cleanup(self) -> None:
        self._lent.clear()


@dataclass(frozen=True, eq=False)
class Text:
    """What queries attend to before the visual tokens: keys and values [rows, tokens, hidden], the bias of
    their logits or None. own: whether the layer's output is the attention to just that."""

    keys: Tensor
    values: Tensor
    bias: Tensor | None
    own: bool


@dataclass(frozen=True, eq=False)
class JointAttention:
    """Rows of the given roles attend to their prompt and to visual tokens, in one softmax.

    name: whose messages these are. numbers: the place of each layer among those of tokens. precision says
    what logits are computed in; first is that of a layer of the network.
    """

    name: str
    tokens: Visuals
    numbers: Mapping[SiteKey, int]
    strength: float
    window: Window
    roles: frozenset[Role]
    precision: Precision
    first: torch.dtype | None = None
    weight: float = 1.0

    def change(self, rows: Rows, place: Place) -> Tensor:
        """g (o_v - o_t), see above; a part of the queries at a time."""
        hidden, out = hidden_states(rows, place.options, self.name), rows.out
        text = Text(rows.k, rows.v, None, rows.own)
        if any(rows.extras):  # the same for all these rows: they are of one role
            text = Text(*longer_keys(rows, rows.extras[0], place), rows.own)
        size = max(1, _LOGITS // (len(rows.q) * int(place.options["n_heads"]) * text.keys.shape[1]))
        parts = zip(*(x.split(size, dim=1) for x in (out, rows.q, hidden)), strict=True)
        changes = [self._of(o, q, h, text, place) for o, q, h in parts]
        return changes[0] if len(changes) == 1 else torch.cat(changes, dim=1)

    def _of(self, out: Tensor, q: Tensor, hidden: Tensor, seen: Text, place: Place) -> Tensor:
        heads, dtype = place.options["n_heads"], self.precision(place.options, q.dtype)
        made = out.dtype
        out, q, k, v, hidden = (x.to(dtype) for x in (out, q, seen.keys, seen.values, hidden))
        logits = scaled_logits(q, k, heads)
        if seen.bias is not None:
            logits = logits + seen.bias.to(dtype)
        weight = log_weight(logits) - _log_repeats([view.repeats for view in place.call.views], logits)
        # The layer's own output is the attention to the text; another is not, and it is computed once more.
        text = split_heads(out, heads) if seen.own else mixed(logits, split_heads(v, heads))
        folded, values = self.tokens.layer(self.numbers[place.site], q.device, dtype)
        visual = folded_logits(hidden, folded, heads)
        change = gated(text, weight, visual, split_heads(values[None], heads), self.strength)
        return merge_heads(change).to(made)

    @cached_property
    def constants(self) -> str:
        use = self.strength, sorted(self.roles), self.window
        return repr(("joint", use, self.numbers, self.tokens.shapes))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        self.tokens.lend(device, self.precision({"attn_precision": self.first}, dtype))

    def cleanup(self) -> None:
        self.tokens.cleanup()


def _log_repeats(repeats: Sequence[int], like: Tensor) -> Tensor | float:
    """What repeated tokens add to a row's text weight: [rows, 1, 1, 1]. They are no more text than once."""
    if all(repeat == 1 for repeat in repeats):
        return 0.0
    logs = _wide(like).new_tensor([math.log(repeat) for repeat in repeats])
    return logs.repeat_interleave(len(like) // len(repeats))[:, None, None, None]
