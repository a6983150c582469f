"""A CLIP-L text encoder written by hand from a seed: each place holds its own word and the one before.

A network follows such a prompt at once, which it does not when words are mixed by chance. The stream of 128
numbers has three parts: a word's vector, room for the word before, and the place. One layer of attention
looks at the place before (places are sines of seven wavelengths, so turning them by one step is a matrix) and
copies its word; the last norm hides the places. The words of the drawn world are orthogonal to each other,
all others come by chance.
"""

from __future__ import annotations

import math
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]

WORD, PLACE = 56, 16
WIDTH = 2 * WORD + PLACE
LAYERS = 3  # the first works: SDXL and SD2 read the one before the last
#: What the host is told instead of CLIP-L's sizes.
CONFIG: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": 8,
    "num_attention_heads": 1,
    "num_hidden_layers": LAYERS,
}
_TABLE, _PLACES = 49408, 77
START, END = 49406, 49407
#: What SDXL's second encoder and SD2's fill up with, where SD1.5's repeats the end.
PAD = 0
_TURNS = 7
#: How sure attention is of the place before: e to the power of some 30 against any other.
_SURE = 24.0


def word_vectors(known: list[int], seed: int) -> torch.Tensor:
    """[all words, WORD], of length 1 and sum 0; those known are orthogonal, the end and padding are
    nothing."""
    if len(known) > WORD - 1:
        raise ValueError(f"{len(known)} words don't fit orthogonally into {WORD} numbers.")
    chance = torch.Generator().manual_seed(seed)
    table = torch.randn(_TABLE, WORD, generator=chance)
    table -= table.mean(1, keepdim=True)
    table /= table.norm(dim=1, keepdim=True)
    square = torch.randn(WORD, WORD, generator=chance, dtype=torch.float64)
    square[:, 0] = 1  # the first direction is the sum; all others are orthogonal to it
    directions = torch.linalg.qr(square)[0].T[1:]
    table[known] = directions[: len(known)].float()
    table[[END, PAD]] = 0
    return table


def place_vectors() -> torch.Tensor:
    """[77, PLACE], of length 1 and sum 0."""
    basis = _basis()
    at = torch.arange(_PLACES, dtype=torch.float64)[:, None] * _speeds()
    turns = torch.stack([at.cos(), at.sin()], dim=2).flatten(1) / math.sqrt(_TURNS)
    return (turns @ basis.T).float()


def tensors(known: list[int], seed: int = 0) -> Tensors:
    """The state dict of the host's CLIPTextModel. known: numbers of the world's words in CLIP's own list."""
    size = math.sqrt(WIDTH / 3)  # word, word before and place: numbers of about 1 all in all
    words, places = torch.zeros(_TABLE, WIDTH), torch.zeros(_PLACES, WIDTH)
    words[:, :WORD] = size * word_vectors(known, seed)
    places[:, 2 * WORD :] = size * place_vectors()
    made: Tensors = {
        "text_model.embeddings.token_embedding.weight": words,
        "text_model.embeddings.position_embedding.weight": places,
        "text_model.final_layer_norm.weight": torch.ones(WIDTH),
        "text_model.final_layer_norm.bias": torch.zeros(WIDTH),
        "text_projection.weight": torch.eye(WIDTH),
    }
    made["text_model.final_layer_norm.weight"][2 * WORD :] = 0
    for n in range(LAYERS):
        made |= _layer(f"text_model.encoder.layers.{n}", works=n == 0)
    return made


def _layer(name: str, works: bool) -> Tensors:
    inner = int(CONFIG["intermediate_size"])
    shapes = {"mlp.fc1": (inner, WIDTH), "mlp.fc2": (WIDTH, inner)}
    shapes |= {f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")}
    made: Tensors = {}
    for part, shape in shapes.items():
        made[f"{name}.{part}.weight"] = torch.zeros(shape)
        made[f"{name}.{part}.bias"] = torch.zeros(shape[0])
    for norm in ("layer_norm1", "layer_norm2"):
        made[f"{name}.{norm}.weight"], made[f"{name}.{norm}.bias"] = torch.ones(WIDTH), torch.zeros(WIDTH)
    if works:
        place = slice(2 * WORD, WIDTH)
        made[f"{name}.self_attn.q_proj.weight"][place, place] = _SURE * _back()
        made[f"{name}.self_attn.k_proj.weight"][place, place] = torch.eye(PLACE)
        made[f"{name}.self_attn.v_proj.weight"][WORD : 2 * WORD, :WORD] = torch.eye(WORD)
        # The norm before made a word longer by the root of 3/2: it lacks the word before as yet.
        made[f"{name}.self_attn.out_proj.weight"][:, :] = torch.eye(WIDTH) / math.sqrt(1.5)
    return made


def _speeds() -> torch.Tensor:
    return math.pi / 2.0 ** torch.arange(_TURNS, dtype=torch.float64)


def _basis() -> torch.Tensor:
    """[PLACE, 14]: orthonormal, each column of sum 0: the layers' norms then change nothing but size."""
    square = torch.randn(PLACE, PLACE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    square[:, 0] = 1
    return torch.linalg.qr(square)[0][:, 1 : 1 + 2 * _TURNS]


def _back() -> torch.Tensor:
    """[PLACE, PLACE]: turns a place into the one before."""
    turn = torch.zeros(2 * _TURNS, 2 * _TURNS, dtype=torch.float64)
    for n, speed in enumerate(_speeds().tolist()):
        cos, sin = math.cos(-speed), math.sin(-speed)
        turn[2 * n : 2 * n + 2, 2 * n : 2 * n + 2] = torch.tensor([[cos, -sin], [sin, cos]])
    basis = _basis()
    return (basis @ turn @ basis.T).float()


def expected(numbers: list[int], table: torch.Tensor) -> torch.Tensor:
    """[places, WIDTH]: what the encoder must give for these numbers of words, in closed form."""
    own = table[numbers]
    before = torch.cat([own[:1], own[:-1]])
    # Length: the word before came through a norm that saw word and place, or place alone.
    together = torch.cat([own, before], dim=1)
    length = (together.square().sum(1, keepdim=True) + 1).sqrt()
    result = torch.zeros(len(numbers), WIDTH)
    result[:, : 2 * WORD] = together / length * math.sqrt(WIDTH)
    return result
