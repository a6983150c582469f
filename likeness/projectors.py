"""Networks that turn an embedding into attention tokens, built from their checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Resampler:
    """Perceiver resampler of InstantID and IP-Adapter-Plus. Spec: instantid_arc2face.md 1.1.1, 1.3.1.

    Runs in float32 on the CPU: once per identity, so it never has to be on the device.
    """

    tensors: Tensors
    depth: int
    dim_head: int = 64

    @classmethod
    def build(cls, tensors: Tensors, dim_head: int = 64) -> Resampler:
        """From the keys of `image_proj`. Raises ValueError when one is missing or does not fit."""
        depth = 0
        while f"layers.{depth}.0.to_q.weight" in tensors:
            depth += 1
        wanted = [
            "latents",
            *(f"{n}.{p}" for n in ("proj_in", "proj_out", "norm_out") for p in ("weight", "bias")),
        ]
        for i in range(depth):
            norms = [f"layers.{i}.{n}.{p}" for n in ("0.norm1", "0.norm2", "1.0") for p in ("weight", "bias")]
            linears = [f"layers.{i}.{n}.weight" for n in ("0.to_q", "0.to_kv", "0.to_out", "1.1", "1.3")]
            wanted += norms + linears
        missing = [key for key in wanted if key not in tensors]
        if missing or not depth:
            raise ValueError(f"no resampler: {', '.join(missing[:3]) or 'layers.0.0.to_q.weight'} is missing")
        _check_shapes(tensors, _resampler_shapes(tensors, depth, dim_head), "no resampler")
        return cls(tensors, depth, dim_head)

    @property
    def embedding_width(self) -> int:
        return int(self.tensors["proj_in.weight"].shape[1])

    @property
    def token_width(self) -> int:
        return int(self.tensors["proj_out.weight"].shape[0])

    @property
    def tokens(self) -> int:
        return int(self.tensors["latents"].shape[1])

    @torch.no_grad()
    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, N, embedding_width] -> tokens [B, tokens, token_width], float32."""
        x = linear(self.tensors, "proj_in", embeddings.to("cpu", torch.float32))
        z = self.tensors["latents"].to(torch.float32).expand(x.shape[0], -1, -1)
        for i in range(self.depth):
            z = z + self._attend(f"layers.{i}.0", x, z)
            hidden = F.gelu(linear(self.tensors, f"layers.{i}.1.1", norm(self.tensors, f"layers.{i}.1.0", z)))
            z = z + linear(self.tensors, f"layers.{i}.1.3", hidden)
        return norm(self.tensors, "norm_out", linear(self.tensors, "proj_out", z))

    def _attend(self, layer: str, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x, z = norm(self.tensors, f"{layer}.norm1", x), norm(self.tensors, f"{layer}.norm2", z)
        q = linear(self.tensors, f"{layer}.to_q", z)
        k, v = linear(self.tensors, f"{layer}.to_kv", torch.cat([x, z], dim=1)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, self.dim_head)).transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return linear(self.tensors, f"{layer}.to_out", out.transpose(1, 2).flatten(2))


def _resampler_shapes(tensors: Tensors, depth: int, dim_head: int) -> dict[str, tuple[int, ...]]:
    """What its tensors must be, by those that say how large it is."""
    embedding, dim = _size(tensors, "proj_in.weight", 1), _size(tensors, "proj_in.weight", 0)
    width, tokens = _size(tensors, "proj_out.weight", 0), _size(tensors, "latents", 1)
    shapes: dict[str, tuple[int, ...]] = {"latents": (1, tokens, dim), "proj_in.weight": (dim, embedding)}
    shapes |= {"proj_in.bias": (dim,), "proj_out.weight": (width, dim)}
    shapes |= dict.fromkeys(("proj_out.bias", "norm_out.weight", "norm_out.bias"), (width,))
    for i in range(depth):
        inner, wide = (_size(tensors, f"layers.{i}.{name}.weight", 0) for name in ("0.to_q", "1.1"))
        inner += -inner % dim_head  # whole heads
        linears = {"0.to_q": (inner, dim), "0.to_kv": (2 * inner, dim), "0.to_out": (dim, inner)}
        linears |= {"1.1": (wide, dim), "1.3": (dim, wide)}
        shapes |= {f"layers.{i}.{name}.weight": shape for name, shape in linears.items()}
        for name in ("0.norm1", "0.norm2", "1.0"):
            shapes |= dict.fromkeys((f"layers.{i}.{name}.weight", f"layers.{i}.{name}.bias"), (dim,))
    return shapes


def _size(tensors: Tensors, name: str, axis: int) -> int:
    """A side of a tensor; 1 where it has no such axis, which the check of its shape then tells."""
    shape = tensors[name].shape
    return int(shape[axis]) if axis < len(shape) else 1


def _check_shapes(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], what: str) -> None:
    for name, shape in wanted.items():
        found = tuple(tensors[name].shape)
        if found != shape or 0 in shape:
            sides = "x".join(map(str, shape))
            raise ValueError(f"{what}: {name} is {list(found)}, which does not fit {sides} or is empty")


@dataclass(frozen=True, eq=False)
class Perceptron:
    """Linear layers with GELU between them, then a layer norm: IP-Adapter's simpler projections.

    layers are the names of the linear layers, norm the name of the norm, tokens how many come out.
    Spec: instantid_arc2face.md 2.5.2.
    """

    tensors: Tensors
    layers: tuple[str, ...]
    norm: str
    tokens: int

    @property
    def embedding_width(self) -> int:
        return int(self.tensors[f"{self.layers[0]}.weight"].shape[1])

    @property
    def token_width(self) -> int:
        return int(self.tensors[f"{self.norm}.weight"].shape[0])

    @torch.no_grad()
    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, N, embedding_width] -> tokens [B, N * tokens, token_width], float32."""
        x = embeddings.to("cpu", torch.float32)
        for place, name in enumerate(self.layers):
            x = linear(self.tensors, name, F.gelu(x) if place else x)
        x = x.unflatten(-1, (self.tokens, -1)).flatten(1, 2)
        return norm(self.tensors, self.norm, x)


Projector = Resampler | Perceptron


def build(tensors: Tensors) -> Projector:
    """The projection an `image_proj` holds, recognised by its keys in the order of spec 2.5.2.

    Raises ValueError for a layout that is known but not supported, or not known.
    """
    if "proj.weight" in tensors:
        return _perceptron(tensors, ("proj",), "norm")
    if "proj.3.weight" in tensors:
        return _perceptron(tensors, ("proj.0", "proj.2"), "proj.3")
    if "perceiver_resampler.proj_in.weight" in tensors:
        raise ValueError("its projection is that of an IP-Adapter FaceID Plus")
    if "norm.weight" in tensors:
        return _perceptron(tensors, ("proj.0", "proj.2"), "norm")
    return Resampler.build(tensors)


def _perceptron(tensors: Tensors, layers: tuple[str, ...], norm_name: str) -> Perceptron:
    wanted = [f"{name}.{part}" for name in (*layers, norm_name) for part in ("weight", "bias")]
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise ValueError(f"no projection: {', '.join(missing)} is missing")
    width, inside = _size(tensors, f"{norm_name}.weight", 0), _size(tensors, f"{layers[0]}.weight", 1)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys((f"{norm_name}.weight", f"{norm_name}.bias"), (width,))
    rows = inside
    for name in layers:
        rows, inside = _size(tensors, f"{name}.weight", 0), rows
        shapes |= {f"{name}.weight": (rows, inside), f"{name}.bias": (rows,)}
    _check_shapes(tensors, shapes, "no projection")
    if rows % width:
        raise ValueError(f"no projection: {rows} outputs are not a whole number of tokens {width} wide")
    return Perceptron(tensors, layers, norm_name, rows // width)


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
        width, embedding_width = (_size(tensors, "0.weight", axis) for axis in (0, 1))
        if width % cls.HEADS or not width:
            raise ValueError(f"no identity transformer: its width {width} is no multiple of {cls.HEADS}")
        tokens, inner = _size(tensors, "q_tokens", 0), _size(tensors, first, 0)
        # Before anything is made in these sizes: an empty tensor can have a side of any length.
        named = {"0.weight": (width, embedding_width), "q_tokens": (tokens, embedding_width)}
        _check_shapes(tensors, {**named, first: (inner, width)}, "no identity transformer")
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


def linear(tensors: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    bias = tensors.get(f"{name}.bias")
    weight = tensors[f"{name}.weight"].to(torch.float32)
    return F.linear(x, weight, None if bias is None else bias.to(torch.float32))


def norm(tensors: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    weight = tensors[f"{name}.weight"].to(torch.float32)
    return F.layer_norm(x, weight.shape, weight, tensors[f"{name}.bias"].to(torch.float32))
