"""Faces from and for other nodes: the host's landmarks and boxes, other packs' face models."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.faces import ERROR
from ..likeness.faces import foreign_models, host_boxes, host_landmarks, policy
from .common import output
from .faces import FaceModelsType, FacesType, faces_outputs, faces_result, if_no_face_input, min_score_input

LandmarksType = io.Custom("FACE_LANDMARKS")
#: Names under which packs pass insightface's FaceAnalysis on.
_ANALYSES = ("FACEANALYSIS", "INSIGHTFACE", "FACE_ANALYSIS", "ANALYSIS_MODELS")


class FacesFromLandmarks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFacesFromLandmarks",
            display_name="Read Faces from Landmarks",
            category="Likeness/Faces",
            description="Makes faces of what the host's MediaPipe node found: its boxes and meshes, and the "
            "five points that recognisers and keypoint pictures need, taken from the mesh.",
            search_aliases=["mediapipe", "face landmarks", "face mesh", "convert landmarks", "478 points"],
            inputs=[
                LandmarksType.Input(
                    "face_landmarks", tooltip="From the host's Detect Face Landmarks (MediaPipe)."
                ),
                io.Image.Input("image", tooltip="The picture or batch it was found in."),
                if_no_face_input(),
            ],
            outputs=faces_outputs(),
        )

    @classmethod
    def execute(cls, face_landmarks: Any, image: Any, if_no_face: str = ERROR) -> io.NodeOutput:
        advice = "Lower min_confidence of the node that made face_landmarks, or set if_no_face to skip."
        faces = policy.apply_policy(
            host_landmarks.faces_from_landmarks(face_landmarks, image), if_no_face, advice
        )
        return faces_result(faces)


class FacesFromBoxes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFacesFromBoxes",
            display_name="Find Faces in Boxes",
            category="Likeness/Faces",
            description="Finds the face in each box that another node or your hand drew. The detector looks "
            "at the box and what is around it, so small faces of large pictures are found too.",
            search_aliases=["bounding box", "bbox to face", "face bbox", "yolo", "sam", "detect in region"],
            inputs=[
                FaceModelsType.Input("face_models", tooltip="The networks, from Load Face Models."),
                io.Image.Input("image", tooltip="The picture or batch the boxes belong to."),
                io.BoundingBox.Input(
                    "bboxes",
                    force_input=True,
                    tooltip="Boxes of faces, heads or people: one, a list, or a list for each picture. One "
                    "box or one list is meant for every picture.",
                ),
                min_score_input("How sure the detector has to be, as in Detect Faces."),
                if_no_face_input(),
            ],
            outputs=[
                *faces_outputs(),
                output(
                    io.String, "report", "For each box which face it led to, or that there is none in it."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, face_models: Any, image: Any, bboxes: Any, min_score: float = 0.5, if_no_face: str = ERROR
    ) -> io.NodeOutput:
        found, report, advice = host_boxes.faces_in_boxes(face_models, image, bboxes, min_score)
        faces = policy.apply_policy(found, if_no_face, advice)
        return faces_result(faces, report)


class FacesToLandmarks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFacesToLandmarks",
            display_name="Convert Faces to Landmarks",
            category="Likeness/Faces",
            description="Gives faces to the host's MediaPipe nodes, to draw their mesh or to mask eyes and "
            "lips: the mesh they came with, else 468 points of the embedded network.",
            search_aliases=["mediapipe", "face landmarks", "face mesh", "convert faces", "468 points"],
            inputs=[FacesType.Input("faces", tooltip="The faces to give.")],
            outputs=[
                output(
                    LandmarksType,
                    "face_landmarks",
                    "One list of faces for each picture of faces. Without blendshapes and 3-D "
                    "points, and without irises unless the faces came from MediaPipe.",
                )
            ],
        )

    @classmethod
    def execute(cls, faces: Any) -> io.NodeOutput:
        return io.NodeOutput(host_landmarks.landmarks_from_faces(faces))


class FacesToBoxes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFacesToBoxes",
            display_name="Convert Faces to Boxes",
            category="Likeness/Faces",
            description="Gives the boxes of faces to nodes that take the host's bounding boxes.",
            search_aliases=["bounding box", "bbox", "face bbox", "crop by bbox", "convert faces"],
            inputs=[FacesType.Input("faces", tooltip="The faces whose boxes to give.")],
            outputs=[
                output(
                    io.BoundingBox,
                    "bboxes",
                    "A list of boxes for each picture of faces, with the label face and the score.",
                )
            ],
        )

    @classmethod
    def execute(cls, faces: Any) -> io.NodeOutput:
        return io.NodeOutput(host_boxes.boxes_from_faces(faces))


class FaceModelsFromAnalysis(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFaceModelsFromAnalysis",
            display_name="Take Face Models from Analysis",
            category="Likeness/Faces",
            description="Uses the face models another pack has loaded (insightface's FaceAnalysis), instead "
            "of loading the files a second time.",
            search_aliases=[
                "insightface",
                "faceanalysis",
                "face analysis",
                "buffalo_l",
                "convert insightface",
            ],
            inputs=[
                io.MultiType.Input(
                    "face_analysis",
                    types=[io.Custom(name) for name in _ANALYSES],
                    tooltip="From an InsightFace loader of another pack (InstantID, PuLID, IPAdapter, "
                    "FaceAnalysis).",
                )
            ],
            outputs=[
                output(
                    FaceModelsType,
                    "face_models",
                    "For Detect Faces, Embed Faces and Select Faces. The recogniser is named after "
                    "its file: glintr100, arc2face, or folder/file.",
                )
            ],
        )

    @classmethod
    def execute(cls, face_analysis: Any) -> io.NodeOutput:
        return io.NodeOutput(foreign_models.wrap_analysis(face_analysis))


NODES: list[type[io.ComfyNode]] = [
    FacesFromLandmarks,
    FacesFromBoxes,
    FacesToLandmarks,
    FacesToBoxes,
    FaceModelsFromAnalysis,
]
