"""Photos as W+ codes: load the encoder, encode."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices import wplus as choices
from ..likeness.choices.faces import ERROR, FFHQ
from ..likeness.methods import wplus as method
from ..likeness.values import FACE_ENCODER, WPLUS
from .common import LoadFile, output
from .photos import EncodePhotos, photo_inputs, portrait_inputs
from .wplus import CATEGORY

EncoderType, CodeType = io.Custom(FACE_ENCODER), io.Custom(WPLUS)


class LoadFaceEncoder(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceEncoder",
            display_name="Load Face Encoder",
            category=CATEGORY,
            description="Loads e4e, which turns a portrait into a StyleGAN code (W+). Of its file only the "
            "encoder is read. Its data allow no commercial use.",
            search_aliases=["e4e", "encoder4editing", "stylegan inversion", "w+", "wplus"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_encoders(),
                    tooltip="A file of models/e4e: e4e_ffhq_encode.pt.",
                )
            ],
            outputs=[output(EncoderType, "face_encoder", "For Encode W+.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method.e4e


class EncodeWPlus(EncodePhotos):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeWPlus",
            display_name="Encode W+",
            category=CATEGORY,
            description="Turns photos of one person into a W+ code: each is aligned, its background made "
            "white, and looked at by e4e. A code can be mixed with others and edited by sliders.",
            search_aliases=["e4e encode", "wplus", "stylegan inversion", "face to code", "ffhq align"],
            inputs=[
                EncoderType.Input("face_encoder", tooltip="From Load Face Encoder."),
                *photo_inputs(
                    "Photos of the person. They may differ in size. The largest face of each counts.",
                    "Select Faces, where a photo shows several people.",
                    "background and clothes become white, as in training. Without it they stay; the authors "
                    "see little difference.",
                    most=16,
                ),
                *portrait_inputs("as portraits"),
                io.Combo.Input(
                    "combine",
                    options=list(choices.COMBINE),
                    default=choices.MEAN,
                    tooltip="Of several photos: mean is one code, their average. each is one code for each "
                    "photo, which go to the pictures of a batch one by one.",
                ),
            ],
            outputs=[
                output(CodeType, "wplus", "Who is in the photos."),
                output(io.Image, "prepared", "What the encoder saw of each photo, 256 x 256."),
            ],
        )

    @classmethod
    def execute(
        cls,
        face_encoder: Any,
        images: Any = None,
        faces: Any = None,
        face_parser: Any = None,
        align: str = FFHQ,
        if_no_face: str = ERROR,
        combine: str = choices.MEAN,
    ) -> io.NodeOutput:
        photos = method.photos_of(images, faces, align, if_no_face)
        prepared = method.prepare(photos, face_parser.ready() if face_parser is not None else None)
        wplus = method.encode(face_encoder, prepared, combine)
        return io.NodeOutput(wplus, host.running.to_image((prepared.movedim(1, -1) + 1) / 2))


NODES: list[type[io.ComfyNode]] = [LoadFaceEncoder, EncodeWPlus]
