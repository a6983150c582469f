"""Widgets of the nodes that look at photos of one person."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.faces import ERROR, FFHQ, IF_NO_FACE, PHOTO_ALIGNS
from ..likeness.faces import models
from ..likeness.values import FACES


class EncodePhotos(io.ComfyNode):
    """Finds the faces of photos by the embedded models."""

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()


def photo_inputs(images: str, faces: str, parser: str, most: int) -> list[Any]:
    """images, faces and face_parser by their tooltips; most: photos of sockets of their own."""
    photo = io.Image.Input("image", tooltip="A photo of the person, or a batch of them.")
    photos = io.Autogrow.TemplatePrefix(photo, prefix="image_", min=0, max=most)
    return [
        io.Autogrow.Input("images", template=photos, optional=True, tooltip=images),
        io.Custom(FACES).Input("faces", optional=True, tooltip=f"In place of images: from {faces}"),
        io.Custom("LIKENESS_FACE_PARSER").Input(
            "face_parser", optional=True, tooltip=f"From Load Face Parser: {parser}"
        ),
    ]


def portrait_inputs(passed_through: str) -> list[io.Combo.Input]:
    """align and if_no_face. passed_through: how photos without a face go on."""
    return [
        io.Combo.Input(
            "align",
            options=list(PHOTO_ALIGNS),
            default=FFHQ,
            tooltip="ffhq: bring the face into the position of the FFHQ photos. none: the photos are "
            "such portraits already.",
        ),
        io.Combo.Input(
            "if_no_face",
            options=list(IF_NO_FACE),
            default=ERROR,
            tooltip="What to do with photos without a face: stop with an error that names them, skip "
            f"them (the log names them), or pass them through {passed_through}.",
        ),
    ]
