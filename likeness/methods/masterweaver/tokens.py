"""A person's photos as tokens. Spec: consistentid_masterweaver.md 2.3."""

from __future__ import annotations

from typing import Any

import torch

from ...adapters import Adapter, Tokens
from ...adapters.vision import picture_states, zero_state
from ...choices.masterweaver import USUAL


def encode(adapter: Adapter, clip_vision: Any, pictures: torch.Tensor) -> Tokens:
    """One person's tokens [1, 16 max(3, R), D] from prepared pictures [R, 224, 224, 3] uint8, in their order.

    Negative prompts look at the zero picture's 16. Raises ValueError for another vision model.
    """
    nobody = zero_state(clip_vision, adapter.projector.embedding_width, adapter.name)
    return tokens_of(adapter, nobody, picture_states(clip_vision, pictures))


def tokens_of(adapter: Adapter, nobody: torch.Tensor, states: torch.Tensor) -> Tokens:
    """The same from the vision model's states: of the zero picture [1, L, D], of the photos [R, L, D].

    What is missing to three photos is filled up with the zero picture, as in training. The authors let
    negative prompts look at as many of its blocks, all equal: that is the same as looking at one.
    """
    blocks = adapter.projector(torch.cat([nobody, states]))
    empty = blocks[:1].expand(max(0, USUAL - len(states)), -1, -1)
    somebody = torch.cat([blocks[1:], empty]).flatten(0, 1)[None]
    return Tokens(somebody, blocks[:1], adapter.made)
