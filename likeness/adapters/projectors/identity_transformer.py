"""PVA's projector. Spec: pva_freecure_emojidiff.md A.1 (b)."""

from __future__ import annotations

import torch
from torch import nn

from .tensors import Tensors, check_shapes, size_of


class IdentityTransformer(nn.Sequential):
    """PVA's: any number of embeddings of one person, in any order -> tokens.

    Named as in the official files, and a module, so that a trainer can use it. Spec:
    pva_freecure_emojidiff.md A.1 (b).
    """

    HEADS = 8

    def __init__(self, embedding_width: int, width: int, tokens: int, layers: int, inner: int) -> None:
        layer = nn.TransformerEncoderLayer(width, self.HEADS, inner, batch_first=True)
        encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        super().__init__(nn.Linear(embedding_width, width), encoder)
        self.q_tokens = nn.Parameter(torch.randn(tokens, embedding_width))
        self.pos_enc = nn.Parameter(torch.zeros(tokens, width))

    @classmethod
    def build(cls, tensors: Tensors) -> IdentityTransformer:
        """From the keys of `transform_network`, float32 on the CPU, in eval mode. Raises ValueError."""
        layers = 0
        while f"1.layers.{layers}.linear1.weight" in tensors:
            layers += 1
        first = "1.layers.0.linear1.weight"
        absent = [key for key in ("0.weight", "q_tokens", first) if key not in tensors]
        if absent:
            raise ValueError(f"no identity transformer: {absent[0]} is missing")
        width, embedding_width = (size_of(tensors, "0.weight", axis) for axis in (0, 1))
        if width % cls.HEADS or not width:
            raise ValueError(f"no identity transformer: its width {width} is no multiple of {cls.HEADS}")
        tokens, inner = size_of(tensors, "q_tokens", 0), size_of(tensors, first, 0)
        # Before anything is made in these sizes: an empty tensor can have a side of any length.
        named = {"0.weight": (width, embedding_width), "q_tokens": (tokens, embedding_width)}
        check_shapes(tensors, {**named, first: (inner, width)}, "no identity transformer")
        # Weights made while the host infers could not be moved or trained outside of a node.
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.no_grad():
            network = cls(embedding_width, width, tokens, layers, inner)  # draws weights, replaced at once
            try:
                network.load_state_dict(tensors)
            except RuntimeError as error:
                raise ValueError(f"no identity transformer: {' '.join(str(error).split())}") from error
            return network.eval().requires_grad_(False)

    @property
    def embedding_width(self) -> int:
        return self.q_tokens.shape[1]

    @property
    def token_width(self) -> int:
        return self.pos_enc.shape[1]

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Raw embeddings [B, R, embedding_width] -> tokens [B, T, token_width]."""
        queries = self.q_tokens.expand(len(embeddings), -1, -1)
        everything = super().forward(torch.cat([embeddings, queries], dim=1))
        return everything[:, embeddings.shape[1] :] + self.pos_enc
