"""The drawn world's networks as the host's own classes.

An SDXL-shaped network learns with LIVE depths and is loaded with the real ones: blocks of zeros give back
what they get, so all 70 sites are in the file and 17 of them do something.
"""

from __future__ import annotations

from typing import Any

import torch

from ..host import use_host
from . import arc2face, text

Tensors = dict[str, torch.Tensor]

_SHARED: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    # With 32 at full resolution, many faces had one eye or a smear for a mouth.
    "model_channels": 64,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
}
UNETS: dict[str, dict[str, Any]] = {
    "sd15": {
        **_SHARED,
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 1, 1, 1],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
        "context_dim": text.WIDTH,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
    },
    "sdxl": {
        **_SHARED,
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 1, 1],
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
        "context_dim": 2 * text.WIDTH,
        "use_linear_in_transformer": True,
        "adm_in_channels": 6 * 256 + text.WIDTH,
        "num_classes": "sequential",
    },
}
UNETS["arc2face"] = {**UNETS["sd15"], "context_dim": arc2face.WIDTH}
UNETS["sd2_inpaint"] = {**UNETS["sd15"], "in_channels": 9, "use_linear_in_transformer": True}
#: Depths that learn; the others stay zeros.
LIVE: dict[str, dict[str, Any]] = {
    "sdxl": {
        "transformer_depth": [0, 0, 1, 1, 2, 2],
        "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2],
        "transformer_depth_middle": 2,
    },
}
#: Of channels, in norms: eight channels in each.
GROUPS = 8
#: Heads narrower than 32 cost three times as much on a CPU. They can't be seen in a file.
HEADS: dict[str, Any] = {"num_heads": -1, "num_head_channels": 32}


def unet(kind: str, seed: int, whole: bool = False) -> Any:
    """The host's own UNetModel, with weights by chance as such networks begin. whole: with the depths of the
    file, else with those that learn."""
    use_host()
    import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
    import comfy.ops

    made = openaimodel.UNetModel(
        dtype=torch.float32,
        operations=grouped(comfy.ops.disable_weight_init),
        **{**UNETS[kind], **({} if whole else LIVE.get(kind, {}))},
        **HEADS,
    )
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if weight.ndim <= 1:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            elif name.endswith(("out_layers.3.weight", "proj_out.weight", "out.2.weight")):
                weight.zero_()  # every block begins as doing nothing
            else:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=chance)
    return made


def grouped(operations: Any) -> Any:
    """The host's layers, but norms over GROUPS groups of channels where it says 32.

    With so few channels a group would be one or two: a norm takes their mean away, and with it the time and
    the colour of all; after 900 steps half of the backgrounds had a wrong one.
    """

    class Grouped(operations):  # type: ignore[misc, unused-ignore]
        class GroupNorm(operations.GroupNorm):  # type: ignore[misc, unused-ignore]
            def __init__(self, num_groups: int, num_channels: int, *further: Any, **named: Any) -> None:
                super().__init__(GROUPS, num_channels, *further, **named)

    return Grouped


def deepened(kind: str, tensors: Tensors) -> Tensors:
    """A network of LIVE depths with blocks of zeros up to its real ones: exactly the same network."""
    if kind not in LIVE:
        return tensors
    made = dict(tensors)
    shapes: dict[str, dict[str, torch.Size]] = {}
    for name, tensor in tensors.items():
        stem, found, rest = name.partition(".transformer_blocks.0.")
        if found:
            shapes.setdefault(stem, {})[rest] = tensor.shape
    for stem, block in shapes.items():
        # Two at the level of few places, ten at the deepest; as in UNETS.
        shallow = stem.startswith(_SHALLOW)
        for number in range(2 if shallow else 10):
            for rest, shape in block.items():
                made.setdefault(f"{stem}.transformer_blocks.{number}.{rest}", torch.zeros(shape))
    return made


_SHALLOW = ("input_blocks.4.", "input_blocks.5.", *(f"output_blocks.{n}." for n in (3, 4, 5)))


def as_sdxl(trunk: Tensors, seed: int) -> Tensors:
    """An SD1.5-shaped network as the start of an SDXL-shaped one: what both have is in the same place, or
    three output blocks further; transformers at full resolution are lost, and new blocks begin as doing
    nothing."""
    made = {name: tensor.clone() for name, tensor in unet("sdxl", seed).state_dict().items()}
    for name, tensor in made.items():
        known = trunk.get(_from_sd15(name))
        if known is not None and name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            _write_into(tensor, known)  # the second half of its text is the first once more
        elif known is not None and name.split(".")[0] != "label_emb":
            tensor.copy_(_as_many_dimensions(known, tensor))
        elif name.endswith(("to_out.0.weight", "ff.net.2.weight")):
            tensor.zero_()
    return made


def as_sd2_inpaint(trunk: Tensors) -> Tensors:
    """An SD1.5-shaped network that gets a mask and the masked picture as well, and does not look yet."""
    made = {name: tensor.clone() for name, tensor in unet("sd2_inpaint", 0).state_dict().items()}
    for name, tensor in made.items():
        _write_into(tensor, trunk[name])
    return made


def _from_sd15(name: str) -> str:
    first, number, rest = (*name.split(".", 2), "", "")[:3]
    return f"{first}.{int(number) + 3}.{rest}" if first == "output_blocks" else name


def _write_into(tensor: torch.Tensor, known: torch.Tensor) -> None:
    """Further inputs are not heard."""
    known = _as_many_dimensions(known, tensor)
    tensor.zero_()
    tensor[tuple(map(slice, known.shape))] = known


def _as_many_dimensions(known: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Kernels of one place as matrices, where those are wanted."""
    return known.reshape(known.shape[: tensor.ndim]) if tensor.ndim < known.ndim else known


def sizes(height: int, width: int) -> torch.Tensor:
    """[1, 1536]: what SDXL is told of a picture's size, as the host tells it by default."""
    use_host()
    from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep

    numbers = torch.tensor([height, width, 0, 0, height, width], dtype=torch.float32)
    found: torch.Tensor = Timestep(256)(numbers)
    return found.flatten()[None]


@torch.no_grad()
def conditions(kind: str, encoder: Any, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Context and, for SDXL, the pooled text, as the host's text encoder for this network gives them."""
    numbers = tokens(captions)
    if kind != "sdxl":
        context: torch.Tensor = encoder(numbers)[0]
        return context, None
    _, stream, pooled, _ = encoder(numbers, intermediate_output=-2, final_layer_norm_intermediate=False)
    # Both encoders are the same one by hand, and both kinds of padding are nothing.
    return torch.cat([stream, stream], dim=2), pooled


def told(kind: str, encoder: Any, captions: list[str], noisy: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the network takes beside latents and times: context and, for SDXL, y."""
    context, pooled = conditions(kind, encoder, captions)
    if pooled is None:
        return {"context": context}
    size = sizes(8 * noisy.shape[2], 8 * noisy.shape[3]).expand(len(pooled), -1)
    return {"context": context, "y": torch.cat([pooled, size], dim=1)}


def text_encoder(seed: int = 0) -> Any:
    """The host's own class with the hand-made weights: tokens in, context first of what comes out."""
    use_host()
    import comfy.clip_model
    import comfy.ops

    config = {
        "hidden_act": "quick_gelu",
        "max_position_embeddings": 77,
        "eos_token_id": text.END,
        **text.CONFIG,
    }
    made = comfy.clip_model.CLIPTextModel(config, torch.float32, "cpu", comfy.ops.disable_weight_init)
    made.load_state_dict(text.tensors(known_words(), seed))
    return made.eval().requires_grad_(False)


def tokens(captions: list[str]) -> torch.Tensor:
    """int64 [n, 77], by the host's tokenizer."""
    tokenizer = _tokenizer()
    rows = [tokenizer.tokenize_with_weights(caption)["l"][0] for caption in captions]
    return torch.tensor([[number for number, _ in row] for row in rows])


def known_words() -> list[int]:
    """The start and the world's words as numbers of CLIP's list. Raises ValueError for one cut in pieces."""
    from ..world.captions import WORDS

    known = [text.START]
    for word in (*WORDS, ","):
        pieces = [int(number) for number in tokens([word])[0] if number not in (text.START, text.END)]
        if len(pieces) != 1:
            raise ValueError(f"CLIP cuts the word {word!r} into {len(pieces)} pieces: choose another.")
        known += pieces
    return known


_known: list[Any] = []


def _tokenizer() -> Any:
    if not _known:
        use_host()
        import comfy.sd1_clip

        _known.append(comfy.sd1_clip.SD1Tokenizer())
    return _known[0]
