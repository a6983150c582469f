"""Identities: embed, save, load."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness import host
from ..likeness.faces.embed import identify
from ..likeness.faces.models import default_pack
from ..likeness.identity import COMBINATIONS, fingerprint, load_named, save_numbered
from ..likeness.values import FACE_MODELS, FACES, IDENTITY, RECOGNISERS

IdentityType = io.Custom(IDENTITY)
_ORDER = ("glintr100", "arc2face", "sface", "ms1mv3_r50")


class EmbedFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEmbedFaces",
            display_name="Embed Faces",
            category="Likeness/Identity",
            description=(
                "Describes who the faces show, as vectors of a recogniser. Give it several pictures of one "
                "person for a steadier identity."
            ),
            search_aliases=["face embedding", "face embeds", "identity", "insightface", "arcface"],
            inputs=[
                io.Custom(FACE_MODELS).Input("face_models", tooltip="The networks, from Load Face Models."),
                io.Custom(FACES).Input(
                    "faces", tooltip="The faces of one person, from Detect or Select Faces."
                ),
                io.Combo.Input(
                    "recogniser",
                    options=[name for name in _ORDER if name in RECOGNISERS],
                    default="sface" if default_pack() == "embedded" else "glintr100",
                    tooltip="Whose vectors. InstantID needs glintr100 and Arc2Face arc2face, both of the "
                    "pack antelopev2; sface belongs to the pack embedded. They can't stand in for each "
                    "other.",
                ),
                io.Combo.Input(
                    "combine",
                    options=list(COMBINATIONS),
                    default="mean",
                    tooltip="How several faces become one identity: mean of the vectors, unit mean (every "
                    "face has the same say), median (outliers count less), or none (kept apart).",
                ),
            ],
            outputs=[IdentityType.Output("identity", display_name="identity", tooltip="Who the faces show.")],
        )

    @classmethod
    def execute(cls, face_models: Any, faces: Any, recogniser: str, combine: str = "mean") -> io.NodeOutput:
        return io.NodeOutput(identify(face_models, faces, recogniser, combine))


class SaveIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveIdentity",
            display_name="Save Identity",
            category="Likeness/Identity",
            description="Writes an identity to models/identities under the next free number, for Load "
            "Identity.",
            search_aliases=["save face", "save embedding", "export face", "face model"],
            inputs=[
                IdentityType.Input("identity", tooltip="What to save."),
                io.String.Input(
                    "filename_prefix",
                    default="identity",
                    tooltip="Name of the file before its number; folder/name makes a folder.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, identity: Any, filename_prefix: str = "identity") -> io.NodeOutput:
        return io.NodeOutput(ui=ui.PreviewText(f"Saved {save_numbered(identity, filename_prefix)}"))


class LoadIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadIdentity",
            display_name="Load Identity",
            category="Likeness/Identity",
            description="Reads an identity that Save Identity wrote. No picture and no face model is needed.",
            search_aliases=["load face", "load embedding", "import face", "face model"],
            inputs=[
                io.Combo.Input(
                    "file", options=host.list_models("identities"), tooltip="A file of models/identities."
                )
            ],
            outputs=[IdentityType.Output("identity", display_name="identity", tooltip="Who was saved.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str | None) -> str:
        return fingerprint(file)

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(load_named(file))


NODES: list[type[io.ComfyNode]] = [EmbedFaces, SaveIdentity, LoadIdentity]
