"""Texts as a base model takes them: SD1.5's one encoder, or SDXL's two with their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .text_to_image import BaseModel
from .unets import token_ids


class Texts(nn.Module):
    """Frozen. Texts -> text [n, 77, width]; for SDXL text_embeds [n, D] and time_ids [n, 6] beside it."""

    def __init__(self, base: BaseModel) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(base.encoders).requires_grad_(False)
        self.tokenizers: tuple[Any, ...] = base.tokenizers

    def forward(self, texts: Sequence[str], side: int, device: torch.device) -> dict[str, Tensor]:
        """side: of the pictures in pixels, which SDXL is told."""
        ids = [token_ids(tokenizer, texts).to(device) for tokenizer in self.tokenizers]
        if len(self.encoders) == 1:
            return {"text": self.encoders[0](ids[0])[0]}
        first, second = (
            encoder(tokens, output_hidden_states=True)
            for encoder, tokens in zip(self.encoders, ids, strict=True)
        )
        both = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        sizes = torch.tensor([[side, side, 0, 0, side, side]], dtype=both.dtype, device=device)
        return {"text": both, "text_embeds": second.text_embeds, "time_ids": sizes.expand(len(texts), -1)}
