"""Faces: load the models, detect, draw."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import ERROR, IF_NO_FACE, PROVIDERS, default_pack, list_packs
from ..likeness.faces import detect, draw, models, policy
from ..likeness.values import FACE_MODELS, FACES
from .common import output

FaceModelsType = io.Custom(FACE_MODELS)
FacesType = io.Custom(FACES)


def if_no_face_input() -> io.Combo.Input:
    return io.Combo.Input(
        "if_no_face",
        options=list(IF_NO_FACE),
        default=ERROR,
        tooltip="What to do with pictures without a face: stop with an error that names them, skip them "
        "(the log names them), or pass them through without faces.",
    )


def min_score_input(tooltip: str) -> io.Float.Input:
    return io.Float.Input("min_score", default=0.5, min=0.05, max=1.0, step=0.01, tooltip=tooltip)


def faces_outputs() -> list[Any]:
    return [
        output(FacesType, "faces", "The faces, with the pictures they are in."),
        output(io.Int, "count", "How many faces there are in all pictures."),
        output(io.Boolean, "found", "True when at least one face is left."),
    ]


def faces_result(faces: Any, *more: Any, ui: dict[str, Any] | None = None) -> io.NodeOutput:
    """Of a node with faces_outputs(), and more behind them. ui: for the page."""
    return io.NodeOutput(faces, faces.count, faces.count > 0, *more, ui=ui)


class LoadFaceModels(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceModels",
            display_name="Load Face Models",
            category="Likeness/Faces",
            description=(
                "Chooses the networks that find faces and tell people apart. They are opened when first used "
                "and stay open."
            ),
            search_aliases=["insightface", "antelopev2", "face analysis", "scrfd", "arcface loader"],
            inputs=[
                io.Combo.Input(
                    "pack",
                    options=list_packs(),
                    default=default_pack(),
                    tooltip="antelopev2: what InstantID and Arc2Face were trained with, for non-commercial "
                    "research only. embedded: comes with this pack, free to use; finds, compares and masks "
                    "faces, but its identities fit no published adapter. auraface: a larger recogniser, "
                    "free to use, too.",
                ),
                io.Combo.Input(
                    "provider",
                    options=list(PROVIDERS),
                    default="auto",
                    tooltip="What runs them. auto takes a GPU that onnxruntime can use, else the CPU, which "
                    "is fast enough for pictures. With CoreML the detector stays on the CPU.",
                ),
            ],
            outputs=[output(FaceModelsType, "face_models", "For Detect Faces and Embed Faces.")],
        )

    @classmethod
    def fingerprint_inputs(cls, pack: str | None = None, **inputs: Any) -> str:
        return models.fingerprint(pack)

    @classmethod
    def validate_inputs(cls, provider: str | None) -> bool:
        # Old graphs of other packs write ROCM. What is no provider at all is told in execute.
        return True

    @classmethod
    def execute(cls, pack: str, provider: str = "auto") -> io.NodeOutput:
        return io.NodeOutput(models.FaceModels.open(pack, provider))


class DetectFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDetectFaces",
            display_name="Detect Faces",
            category="Likeness/Faces",
            description="Finds the faces in each picture: a box, five points and a score for each, best "
            "score first.",
            search_aliases=["find face", "face detection", "face bbox", "insightface", "scrfd", "yunet"],
            inputs=[
                FaceModelsType.Input("face_models", tooltip="The networks, from Load Face Models."),
                io.Image.Input("image", tooltip="One picture or a batch. Transparency is ignored."),
                min_score_input(
                    "How sure the detector has to be. Lower it for drawings and hidden faces. When "
                    "it finds none it looks again at smaller sizes, and then asks for half-way to 1."
                ),
                io.Int.Input(
                    "max_faces",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Keep so many faces of each picture, those with the highest scores. 0 keeps all. "
                    "To keep the largest, use Select Faces.",
                ),
                if_no_face_input(),
            ],
            outputs=faces_outputs(),
        )

    @classmethod
    def execute(
        cls, face_models: Any, image: Any, min_score: float = 0.5, max_faces: int = 0, if_no_face: str = ERROR
    ) -> io.NodeOutput:
        advice = "Lower min_score, use another picture, or set if_no_face to skip or pass through."
        faces = policy.apply_policy(
            detect.detect(face_models, image, min_score, max_faces), if_no_face, advice
        )
        return faces_result(faces)


class DrawFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDrawFaces",
            display_name="Draw Faces",
            category="Likeness/Faces",
            description="Draws box, points, place and score of each face on a copy of the picture.",
            search_aliases=["preview faces", "show faces", "face bbox preview", "draw bounding boxes"],
            inputs=[
                io.Image.Input("image", tooltip="The image that went into Detect Faces."),
                FacesType.Input("faces", tooltip="The faces to show."),
            ],
            outputs=[output(io.Image, "image", "The picture with the faces marked.")],
        )

    @classmethod
    def execute(cls, image: Any, faces: Any) -> io.NodeOutput:
        return io.NodeOutput(host.running.to_image(draw.draw_faces(image, faces)))


NODES: list[type[io.ComfyNode]] = [LoadFaceModels, DetectFaces, DrawFaces]
