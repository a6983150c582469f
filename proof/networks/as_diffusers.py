"""A drawn network as diffusers' U-Net, with what else our trainers ask of a base model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from ..host import use_host
from . import autoencoder, layouts, text, vision

Tensors = dict[str, torch.Tensor]

_SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def unet(kind: str, tensors: Tensors) -> Any:
    """kind: sd15, sdxl or sd2_inpaint; with the depths that learn."""
    from diffusers import UNet2DConditionModel

    use_host()
    import comfy.utils

    config = {**layouts.UNETS[kind], **layouts.LIVE.get(kind, {})}
    channels = tuple(config["model_channels"] * n for n in config["channel_mult"])
    depths = config["transformer_depth"][::2]
    told: dict[str, Any] = {}
    if config["adm_in_channels"]:
        told = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
        told["projection_class_embeddings_input_dim"] = config["adm_in_channels"]
    made = UNet2DConditionModel(
        sample_size=16,
        in_channels=config["in_channels"],
        out_channels=config["out_channels"],
        down_block_types=tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths),
        up_block_types=tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in depths[::-1]),
        transformer_layers_per_block=tuple(depth or 1 for depth in depths),
        block_out_channels=channels,
        layers_per_block=2,
        cross_attention_dim=config["context_dim"],
        # So diffusers calls the number of heads.
        attention_head_dim=tuple(width // layouts.HEADS["num_head_channels"] for width in channels),
        use_linear_projection=config["use_linear_in_transformer"],
        norm_num_groups=layouts.GROUPS,
        **told,
    )
    names = comfy.utils.unet_to_diffusers(config)
    wanted = made.state_dict()
    made.load_state_dict({theirs: tensors[ours] for theirs, ours in names.items() if theirs in wanted})
    return made.eval().requires_grad_(False)


def scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(**_SCHEDULE)


def tokenizer() -> Any:
    """CLIP's, out of the host's own files."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(use_host() / "comfy" / "sd1_tokenizer", model_max_length=77)


class Encoder(nn.Module):
    """The hand-made text encoder as transformers' CLIPTextModel is called. kind: whose end of it is read."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.model = kind, layouts.text_encoder()
        self.config = SimpleNamespace(hidden_size=text.WIDTH)

    def get_input_embeddings(self) -> Any:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, table: Any) -> None:
        self.model.set_input_embeddings(table)

    def forward(self, ids: torch.Tensor, output_hidden_states: bool = False) -> Any:
        """[n, 77] -> context, first of what comes out; as SDXL's with hidden states: those and the pooled
        text. The host's model adds in place, where gradients can't follow to a word."""
        if output_hidden_states:
            last, before, pooled, _ = self.model(
                ids, intermediate_output=-2, final_layer_norm_intermediate=False
            )
            return SimpleNamespace(hidden_states=(before, last), text_embeds=pooled)
        from comfy.ldm.modules.attention import optimized_attention_for_device

        shown = ids if self.kind == "sd15" else ids.masked_fill((ids == text.END).cumsum(1) > 1, text.PAD)
        model = self.model.text_model
        table, places = model.embeddings.token_embedding, model.embeddings.position_embedding.weight
        x = table(shown) + places[: shown.shape[1]]
        before = torch.full((x.shape[1], x.shape[1]), -torch.finfo(x.dtype).max).triu_(1)
        attention = optimized_attention_for_device(x.device, mask=True, small_input=True)
        layers = list(model.encoder.layers)
        for layer in layers if self.kind == "sd15" else layers[:-1]:
            x = x + layer.self_attn(layer.layer_norm1(x), before, attention)
            x = x + layer.mlp(layer.layer_norm2(x))
        return (model.final_layer_norm(x),)


class Autoencoder(nn.Module):
    """The drawn autoencoder as a trainer asks for one: pictures -1..1, latents without chance."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.model = autoencoder.load(tensors)
        self.config = SimpleNamespace(scaling_factor=1.0)

    def encode(self, pictures: torch.Tensor) -> Any:
        return SimpleNamespace(latents=self.model.encode(pictures / 2 + 0.5))

    def decode(self, latents: torch.Tensor) -> Any:
        return SimpleNamespace(sample=self.model.decode(latents) * 2 - 1)


class Vision(nn.Module):
    """The drawn world's CLIP vision model as transformers' is called. learnt: as vision.network's."""

    def __init__(self, learnt: Tensors) -> None:
        super().__init__()
        self.model = vision.network(learnt)
        self.config = SimpleNamespace(hidden_size=vision.WIDTH)

    def forward(self, pixels: torch.Tensor, output_hidden_states: bool = False) -> Any:
        last, before, projected = self.model(pixels, intermediate_output=-2)[:3]
        return SimpleNamespace(hidden_states=(before, last), image_embeds=projected)
