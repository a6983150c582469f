"""MasterWeaver: load it, turn a person's photos into tokens, apply them to an SD1.5 model."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import ERROR, FFHQ
from ..likeness.choices.masterweaver import list_files
from ..likeness.methods import masterweaver as method
from ..likeness.values import MASTERWEAVER, MASTERWEAVER_TOKENS
from .common import LoadFile, mask_input, model_output, output, weight_input, window_inputs
from .photos import EncodePhotos, photo_inputs, portrait_inputs

MasterWeaverType, TokensType = io.Custom(MASTERWEAVER), io.Custom(MASTERWEAVER_TOKENS)


class LoadMasterWeaver(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadMasterWeaver",
            display_name="Load MasterWeaver",
            category="Likeness/MasterWeaver",
            description="Loads MasterWeaver, which draws a person from one to three photos with SD1.5.",
            search_aliases=["masterweaver", "identity adapter", "adapter_final"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_files(),
                    tooltip="A file of models/masterweaver: the published adapter_final.pt, or a "
                    ".safetensors of it.",
                )
            ],
            outputs=[output(MasterWeaverType, "masterweaver", "For the other MasterWeaver nodes.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method


class EncodeMasterWeaver(EncodePhotos):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeMasterWeaver",
            display_name="Encode MasterWeaver",
            category="Likeness/MasterWeaver",
            description=(
                "Turns photos of one person into the tokens that MasterWeaver attends to: each is aligned, "
                "its background made black, and looked at by CLIP. One to three photos, in any order."
            ),
            search_aliases=["masterweaver identity", "reference photos", "face to tokens", "ffhq align"],
            inputs=[
                MasterWeaverType.Input("masterweaver", tooltip="From Load MasterWeaver."),
                io.ClipVision.Input("clip_vision", tooltip="CLIP ViT-L/14 (openai), from Load CLIP Vision."),
                *photo_inputs(
                    "Photos of the person. They may differ in size. The largest face of each counts.",
                    "Select Faces, where a photo shows several people.",
                    "what is no head becomes black, as in training. Without it the background stays.",
                    most=16,
                ),
                *portrait_inputs("as they are, as the authors do"),
            ],
            outputs=[
                output(TokensType, "masterweaver_tokens", "For Apply MasterWeaver."),
                output(io.Image, "prepared", "What CLIP saw of each photo, 224 x 224."),
            ],
        )

    @classmethod
    def execute(
        cls,
        masterweaver: Any,
        clip_vision: Any,
        images: Any = None,
        faces: Any = None,
        face_parser: Any = None,
        align: str = FFHQ,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        photos = method.photos_of(images, faces, align, if_no_face)
        prepared = method.prepare(photos, face_parser.ready() if face_parser is not None else None)
        tokens = method.encode(masterweaver, clip_vision, prepared)
        return io.NodeOutput(tokens, host.running.to_image(prepared / 255.0))


class ApplyMasterWeaver(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyMasterWeaver",
            display_name="Apply MasterWeaver",
            category="Likeness/MasterWeaver",
            description="Lets an SD1.5 model attend to a person beside the words of the prompt.",
            search_aliases=["masterweaver", "identity", "personalise", "face adapter"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="An SD1.5 model, with other adapters and LoRAs or not. Branches that share it "
                    "are not changed.",
                ),
                MasterWeaverType.Input("masterweaver", tooltip="From Load MasterWeaver."),
                TokensType.Input("masterweaver_tokens", tooltip="Who to draw, from Encode MasterWeaver."),
                weight_input(
                    "Strength of the identity: 1 is what it was trained with; the authors show 0.9 to 1.5.",
                    1.0,
                    3.0,
                ),
                *window_inputs("identity"),
                mask_input("identity"),
            ],
            outputs=[model_output("The model with the person.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        masterweaver: Any,
        masterweaver_tokens: Any,
        weight: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = method.Use(weight, start, end, mask)
        return io.NodeOutput(method.apply(model, masterweaver, masterweaver_tokens, use))


NODES: list[type[io.ComfyNode]] = [LoadMasterWeaver, EncodeMasterWeaver, ApplyMasterWeaver]
