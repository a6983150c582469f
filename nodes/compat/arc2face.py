"""Nodes that stand in for the loaders and the extractor of ComfyUI-Arc2Face. See replacements.py.

Inputs, their order, defaults and outputs are the old nodes'; new graphs are better made of our own nodes.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...likeness import host
from ...likeness.choices.arc2face import AVERAGES, ENCODERS, UNETS
from ...likeness.methods import arc2face as method
from ...likeness.values import IDENTITY
from ..common import compat_schema, output


class CompatArc2FaceExtractor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceExtractor",
            "Arc2Face Face Extractor (Old Graphs)",
            "One identity out of all the faces of all pictures.",
            inputs=[
                io.Image.Input("images", tooltip="Photos; every face in them counts."),
                io.Combo.Input(
                    "average_method",
                    options=list(AVERAGES),
                    tooltip="How the faces become one: number by number. average suits one person.",
                ),
                io.Int.Input(
                    "n_outliers",
                    default=0,
                    min=0,
                    max=10,
                    tooltip="Leave out so many faces, those least like the others.",
                ),
            ],
            outputs=[output(io.Custom(IDENTITY), "FACE_EMBEDDING", "Who the faces show together.")],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return method.compat.faces_fingerprint()

    @classmethod
    def execute(cls, images: Any, average_method: str = "average", n_outliers: int = 0) -> io.NodeOutput:
        return io.NodeOutput(method.compat.extract(images, average_method, n_outliers))


class LoadOldFile(io.ComfyNode):
    """Loads the file of `folder` that its one input names."""

    folder: str

    @classmethod
    def fingerprint_inputs(cls, **named: str | None) -> str:
        return method.compat.fingerprint(cls.folder, *named.values())

    @classmethod
    def execute(cls, **named: str) -> io.NodeOutput:
        ((input_id, name),) = named.items()
        return io.NodeOutput(method.compat.load(cls.folder, input_id, name))


class CompatArc2FaceUNet(LoadOldFile):
    folder = UNETS

    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceUNet",
            "Arc2Face UNet Loader (Old Graphs)",
            "Loads Arc2Face's U-Net as an ordinary model.",
            inputs=[
                io.String.Input(
                    "model_path",
                    default="diffusion_pytorch_model.safetensors",
                    tooltip="A file in models/arc2face_checkpoints or models/diffusion_models/arc2face.",
                )
            ],
            outputs=[output(io.Model, "ARC2FACE_UNET", "The model.")],
        )


class CompatArc2FaceEncoder(LoadOldFile):
    folder = ENCODERS

    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceEncoder",
            "Arc2Face Encoder Loader (Old Graphs)",
            "Loads Arc2Face's text encoder as an ordinary clip.",
            inputs=[
                io.String.Input(
                    "encoder_path",
                    default="encoder",
                    tooltip="A folder in models/arc2face_checkpoints, or a file in models/text_encoders.",
                )
            ],
            outputs=[output(io.Clip, "ARC2FACE_ENCODER", "The clip.")],
        )


class CompatArc2FaceGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatArc2FaceGrid",
            "Arc2Face Image Grid Generator (Old Graphs)",
            "Puts the photos of a folder side by side into one picture.",
            inputs=[
                io.String.Input(
                    "directory",
                    default="",
                    tooltip="A folder with photos: its name in the input folder, or its full path in "
                    "the input or output folder.",
                ),
                io.Int.Input("max_images", default=16, min=1, max=64, tooltip="So many at most, by name."),
                io.Int.Input(
                    "max_size", default=768, min=64, max=2048, step=64, tooltip="Side of a cell in pixels."
                ),
            ],
            outputs=[output(io.Image, "IMAGE", "One picture of all.")],
        )

    @classmethod
    def fingerprint_inputs(cls, directory: str | None, **_: Any) -> str:
        return method.grid.fingerprint(directory)

    @classmethod
    def execute(cls, directory: str, max_images: int = 16, max_size: int = 768) -> io.NodeOutput:
        return io.NodeOutput(host.running.to_image(method.grid.photo_grid(directory, max_images, max_size)))


NODES: list[type[io.ComfyNode]] = [
    CompatArc2FaceExtractor,
    CompatArc2FaceUNet,
    CompatArc2FaceEncoder,
    CompatArc2FaceGrid,
]
