"""Arc2Face in the drawn world: a text encoder that takes a face's vector as a word.

Tokens are 576 wide: the 512 numbers of a face, and 64 zeros behind them as in the real one. In the
encoder's one layer every place looks at the face alone, by hand; what each place then makes of it is
learnt. From place 23 on all places are alike, so that they need not be computed again and again. The table
of words comes from a seed and is no part of what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..host import use_host
from . import text
from .start import start

Tensors = dict[str, torch.Tensor]

WIDTH, VECTOR = 576, 512
LAYERS, INNER, PLACES = 1, 512, 77
#: Places that differ: the rest are as the last of them.
DIFFERENT = 24
#: As likeness.methods.arc2face.files reads them from the file.
CONFIG: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_attention_heads": WIDTH // 64,
    "num_hidden_layers": LAYERS,
}
#: What of the layer's attention stays as it is written.
_BY_HAND = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "position_embedding")
#: "photo of a id person" in CLIP's list, and where the word is that the vector takes the place of.
PROMPT = (text.START, 1125, 539, 320, 1014, 2533)
FACE_PLACE = 4
_TABLE = "text_model.embeddings.token_embedding.weight"
_ENCODER = "encoder."
_SIZE = VECTOR**-0.5  # of a number, as in a vector of length 1


def table(seed: int = 0) -> torch.Tensor:
    """[all words, WIDTH]: by chance where a face's numbers are, zeros behind, as a face has."""
    chance = torch.Generator().manual_seed(seed)
    rows = torch.zeros(49408, WIDTH)
    rows[:, :VECTOR] = _SIZE * torch.randn(49408, VECTOR, generator=chance)
    rows[text.END] = 0
    return rows


class Encoder(torch.nn.Module):
    """The host's own text model, shown words and faces as the host shows them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        use_host()
        import comfy.clip_model
        import comfy.ops

        config = {"hidden_act": "quick_gelu", "max_position_embeddings": PLACES, "eos_token_id": text.END}
        make = comfy.clip_model.CLIPTextModel
        self.model = make({**config, **CONFIG}, torch.float32, "cpu", comfy.ops.disable_weight_init)
        words = table()
        ends = [text.END] * (DIFFERENT - 1)
        self.prompt = words[[*PROMPT, *ends[: DIFFERENT - len(PROMPT)]]]
        self.nothing = words[[text.START, *ends]]
        # The table is read above and stays out of the way: no gradient, no place in what is kept.
        self.model.set_input_embeddings(torch.nn.Identity())
        del self.model.text_projection
        start(self.model, seed)
        _begin(self.model.text_model, seed)

    def faces(self, vectors: torch.Tensor) -> torch.Tensor:
        """[n, 512] of any length -> context [n, 77, WIDTH]; of zeros the empty prompt's."""
        known = vectors.any(dim=1)
        unit = torch.nn.functional.normalize(vectors[known])
        shown = self.prompt.repeat(len(unit), 1, 1)
        shown[:, FACE_PLACE, :VECTOR] = unit
        shown[:, FACE_PLACE, VECTOR:] = 0
        made = self._run(torch.cat([self.nothing[None], shown]))
        rows = torch.zeros(len(vectors), dtype=torch.long)
        rows[known] = torch.arange(1, len(unit) + 1)
        return made[rows]

    def _run(self, embeds: torch.Tensor) -> torch.Tensor:
        """As the host's model, which adds in place, where gradients can't follow."""
        from comfy.ldm.modules.attention import optimized_attention_for_device

        model = self.model.text_model
        x = embeds + model.embeddings.position_embedding.weight[:DIFFERENT]
        before = torch.full((DIFFERENT, DIFFERENT), -torch.finfo(x.dtype).max).triu_(1)
        attention = optimized_attention_for_device(x.device, mask=True, small_input=True)
        for layer in model.encoder.layers:
            x = x + layer.self_attn(layer.layer_norm1(x), before, attention)
            x = x + layer.mlp(layer.layer_norm2(x))
        made: torch.Tensor = model.final_layer_norm(x)
        return torch.cat([made, made[:, -1:].expand(-1, PLACES - DIFFERENT, -1)], dim=1)


@torch.no_grad()
def _begin(model: Any, seed: int) -> None:
    """Places as vectors of their own behind the face's numbers; all of them look at the face's."""
    code = WIDTH - VECTOR
    square = torch.randn(code, code, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    square[:, 0] = 1  # the others are orthogonal to it, so that the norm takes nothing away
    codes = torch.linalg.qr(square)[0].T[1 : 1 + DIFFERENT].float()
    places = model.embeddings.position_embedding.weight
    places.zero_()
    places[:, VECTOR:] = torch.cat([codes, codes[-1:].expand(PLACES - DIFFERENT, -1)])
    attention = model.encoder.layers[0].self_attn
    heads = WIDTH // code
    for linear in (attention.q_proj, attention.k_proj):
        linear.weight.zero_()
    attention.k_proj.weight[:, VECTOR:] = torch.eye(code).repeat(heads, 1)
    # The norm makes a code some 17 long and logits are divided by 8: e to the power of 34 against all others.
    attention.q_proj.bias.copy_(16.0 * codes[FACE_PLACE].repeat(heads))
    attention.v_proj.weight.copy_(torch.eye(WIDTH))
    for linear in (attention.out_proj, model.encoder.layers[0].mlp.fc2):
        linear.weight.mul_(0.5)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(part in name for part in _BY_HAND))


def kept(encoder: Encoder) -> dict[str, torch.nn.Parameter]:
    """All of the encoder but its words, by the names of its file behind `encoder.`."""
    return {_ENCODER + name: parameter for name, parameter in encoder.model.named_parameters()}


def files(made: Mapping[str, torch.Tensor]) -> tuple[Tensors, Tensors]:
    """(unet_file, encoder_file) for our loader, from the stage's tensors."""
    network = {name: tensor for name, tensor in made.items() if not name.startswith(_ENCODER)}
    words = {name.removeprefix(_ENCODER): t for name, t in made.items() if name.startswith(_ENCODER)}
    return network, {name: tensor.half() for name, tensor in {**words, _TABLE: table()}.items()}


def begin(trunk: Mapping[str, torch.Tensor], network: torch.nn.Module) -> None:
    """The trunk's weights, but for what looks at words: theirs were narrower."""
    own = network.state_dict()
    new = {name for name in own if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))}
    network.load_state_dict({name: own[name] if name in new else trunk[name] for name in own})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("attn2.to_v.weight"):
                parameter.zero_()
