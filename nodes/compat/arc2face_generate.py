"""Nodes that stand in for the generators of ComfyUI-Arc2Face, so that its graphs run. See replacements.py.

Inputs, their order, defaults and outputs are the old nodes'; new graphs are better made of our own nodes.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...likeness.choices.arc2face import NEGATIVE
from ...likeness.methods import arc2face as method
from ...likeness.values import IDENTITY
from ..common import compat_schema, output

_VAE = io.Vae.Input(
    "vae",
    optional=True,
    tooltip="The VAE of SD1.5. Without it, that of an SD1.5 checkpoint in models/checkpoints.",
)


def _drawing_inputs() -> list[Any]:
    return [
        io.Custom(IDENTITY).Input(
            "face_embedding", tooltip="Who to draw, made with the recogniser arc2face."
        ),
        io.Model.Input("unet", tooltip="Arc2Face's U-Net."),
        io.Clip.Input("encoder", tooltip="Arc2Face's text encoder."),
    ]


def _sampling_inputs() -> list[Any]:
    return [
        io.String.Input("negative_prompt", default=NEGATIVE, tooltip="What not to draw."),
        io.Int.Input("num_inference_steps", default=30, min=1, max=100, tooltip="How many sampling steps."),
        io.Float.Input(
            "guidance_scale", default=2.7, min=0.1, max=30.0, step=0.1, tooltip="The cfg. Up to 1: none."
        ),
        io.Int.Input("num_images", default=1, min=1, max=4, tooltip="How many pictures."),
    ]


def _side(name: str) -> io.Int.Input:
    return io.Int.Input(
        name, default=512, min=64, max=2048, step=64, tooltip=f"The {name} of the picture in pixels."
    )


def _seed() -> io.Int.Input:
    return io.Int.Input(
        "seed",
        default=-1,
        min=-1,
        max=0xFFFFFFFFFFFFFFFF,
        control_after_generate=True,
        tooltip="Seed of the noise; -1 draws one, which the log names.",
    )


def _picture() -> list[Any]:
    return [output(io.Image, "IMAGE", "The pictures.")]


class Draws(io.ComfyNode):
    """Decodes with the VAE of a checkpoint when none is connected."""

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return "" if "vae" in inputs else method.generate.vae_fingerprint()

    @classmethod
    def vae_for(cls, unet: Any, vae: Any) -> Any:
        return method.generate.sd15_vae(unet) if vae is None else vae


class CompatArc2FaceGenerator(Draws):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceGenerator",
            "Arc2Face Generator (Old Graphs)",
            "Draws pictures of a person: prompt, sampling and decoding in one node.",
            inputs=[
                *(*_drawing_inputs(), *_sampling_inputs()),
                *(_side("width"), _side("height"), _seed(), _VAE),
            ],
            outputs=_picture(),
        )

    @classmethod
    def execute(
        cls,
        face_embedding: Any,
        unet: Any,
        encoder: Any,
        negative_prompt: str = NEGATIVE,
        num_inference_steps: int = 30,
        guidance_scale: float = 2.7,
        num_images: int = 1,
        width: int = 512,
        height: int = 512,
        seed: int = -1,
        vae: Any = None,
    ) -> io.NodeOutput:
        vae = cls.vae_for(unet, vae)
        settings = method.generate.Settings(
            num_inference_steps, guidance_scale, num_images, seed, negative_prompt
        )
        return io.NodeOutput(
            method.generate.generate(
                unet, encoder, face_embedding, settings, method.generate.empty(width, height), vae
            )
        )


class CompatArc2FaceImg2Img(Draws):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceImg2Img",
            "Arc2Face Img2Img Generator (Old Graphs)",
            "Draws a person over a picture: prompt, sampling and decoding in one node.",
            inputs=[
                *_drawing_inputs(),
                io.Image.Input("initial_image", tooltip="The picture to start from."),
                *(*_sampling_inputs(), _seed()),
                io.Float.Input(
                    "denoise_strength",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of the picture is drawn anew.",
                ),
                io.String.Input(
                    "extra_param",
                    default="",
                    tooltip="Words after Arc2Face's own prompt; it was trained without any.",
                ),
                _VAE,
            ],
            outputs=_picture(),
        )

    @classmethod
    def execute(
        cls,
        face_embedding: Any,
        unet: Any,
        encoder: Any,
        initial_image: Any,
        negative_prompt: str = NEGATIVE,
        num_inference_steps: int = 30,
        guidance_scale: float = 2.7,
        num_images: int = 1,
        seed: int = -1,
        denoise_strength: float = 0.5,
        extra_param: str = "",
        vae: Any = None,
    ) -> io.NodeOutput:
        vae = cls.vae_for(unet, vae)
        settings = method.generate.Settings(
            num_inference_steps, guidance_scale, num_images, seed, negative_prompt, extra_param
        )
        latent = method.generate.encoded(vae, initial_image)
        return io.NodeOutput(
            method.generate.generate(unet, encoder, face_embedding, settings, latent, vae, denoise_strength)
        )


NODES: list[type[io.ComfyNode]] = [CompatArc2FaceGenerator, CompatArc2FaceImg2Img]
