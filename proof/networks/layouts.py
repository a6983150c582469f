"""The drawn world's networks as the host's own classes, and what makes the host's loader take their files.

As the tiny networks of the tests, these are told apart by their widths: here the text is 128 wide.
"""

from __future__ import annotations

from typing import Any

import torch

from ..host import use_host
from . import text

_SHARED: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
}
UNETS: dict[str, dict[str, Any]] = {
    "sd15": {
        **_SHARED,
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 3, 3],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
        "context_dim": text.WIDTH,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
    },
}
#: Heads narrower than 32 cost three times as much on a CPU. They can't be seen in a file.
HEADS: dict[str, Any] = {"num_heads": -1, "num_head_channels": 32}
_MARKS = (
    *("context_dim", "model_channels", "use_linear_in_transformer", "adm_in_channels"),
    "use_temporal_attention",
)


def unet(kind: str, seed: int) -> Any:
    """The host's own UNetModel, with weights by chance as such networks begin."""
    use_host()
    import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
    import comfy.ops

    made = openaimodel.UNetModel(
        dtype=torch.float32, operations=comfy.ops.disable_weight_init, **UNETS[kind], **HEADS
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


def register() -> None:
    """Put the drawn world's networks before the host's own: detection takes the first that matches."""
    use_host()
    import comfy.sd1_clip
    import comfy.supported_models
    import comfy.supported_models_base

    class DrawnSD1Clip(comfy.sd1_clip.SD1ClipModel):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
            options = {**(model_options or {}), "clip_l_model_config": text.CONFIG}
            super().__init__(device=device, dtype=dtype, model_options=options)

    class DrawnSD15(comfy.supported_models.SD15):  # type: ignore[misc, name-defined, unused-ignore]
        unet_config = {name: UNETS["sd15"][name] for name in _MARKS}  # noqa: RUF012
        unet_extra_config = HEADS

        def clip_target(self, state_dict: Any = None) -> Any:
            return comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, DrawnSD1Clip)

    if not any(config.__name__ == "DrawnSD15" for config in comfy.supported_models.models):
        comfy.supported_models.models.insert(0, DrawnSD15)


def checkpoint(
    network: dict[str, torch.Tensor], autoencoder: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """A whole SD1.5-shaped checkpoint for the host's loader node, from the stages' results."""
    from .autoencoder import padded

    made = {f"model.diffusion_model.{name}": tensor for name, tensor in network.items()}
    words = text.tensors(known_words())
    made |= {f"cond_stage_model.transformer.{name}": tensor for name, tensor in words.items()}
    return made | {f"first_stage_model.{name}": t for name, t in padded(autoencoder, scale=0.18215).items()}
