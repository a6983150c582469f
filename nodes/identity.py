"""Identities: embed, save, load."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness import host
from ..likeness import identity as identities
from ..likeness.choices.faces import ONLY, default_pack
from ..likeness.choices.people import ANY, COMBINATIONS
from ..likeness.faces import embed, portraits
from ..likeness.values import FACE_MODELS, FACES, IDENTITY
from .common import output, recogniser_names

IdentityType = io.Custom(IDENTITY)


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
                    options=[*recogniser_names(), ONLY],
                    default="sface" if default_pack() == "embedded" else "glintr100",
                    tooltip="Whose vectors. InstantID needs glintr100 and Arc2Face arc2face, both of the "
                    "pack antelopev2, and ConsistentID w600k_r50 of buffalo_l; sface belongs to the pack "
                    f"embedded, auraface to auraface. They can't stand in for each other. {ONLY}: for models "
                    "of another pack, such as buffalo_s.",
                ),
                io.Combo.Input(
                    "combine",
                    options=list(COMBINATIONS),
                    default="mean",
                    tooltip="How several faces become one identity: mean of the vectors, unit mean (every "
                    "face has the same say), median (outliers count less), or none (kept apart).",
                ),
            ],
            outputs=[output(IdentityType, "identity", "Who the faces show.")],
        )

    @classmethod
    def execute(cls, face_models: Any, faces: Any, recogniser: str, combine: str = "mean") -> io.NodeOutput:
        return io.NodeOutput(embed.identify(face_models, faces, recogniser, combine))


class SaveIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        other = IdentityType.Input("identity", tooltip="One more person for the same file.")
        return io.Schema(
            node_id="LikenessSaveIdentity",
            display_name="Save Identity",
            category="Likeness/Identity",
            description="Writes one or several people to a file in models/identities under the next free "
            "number, for Load Identity.",
            search_aliases=["save face", "save embedding", "export face", "face model", "face library"],
            inputs=[
                IdentityType.Input("identity", tooltip="Who to save."),
                io.String.Input(
                    "filename_prefix",
                    default="identity",
                    tooltip="Name of the file before its number; folder/name makes a folder.",
                ),
                io.Autogrow.Input(
                    "others",
                    template=io.Autogrow.TemplatePrefix(other, prefix="identity_", min=0, max=15),
                    optional=True,
                    tooltip="More people for the same file, or the same person as another recogniser sees "
                    "them.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    optional=True,
                    placeholder="anna, ben",
                    tooltip="A name for each identity, in the order of the sockets, with commas between. "
                    "Empty: Load Identity knows them by number.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="Whose picture the file gets: the first face, or one face for each identity. The "
                    "page's model library shows it. Open: no picture is kept.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        identity: Any,
        filename_prefix: str = "identity",
        others: io.Autogrow.Type | None = None,
        names: str = "",
        faces: Any = None,
    ) -> io.NodeOutput:
        people = identities.people_of(identity, others, names)
        pictures = None if faces is None else portraits.portraits(faces, len(people))
        path = identities.save_numbered(people, filename_prefix, pictures)
        told = ui.PreviewText(f"Saved {path}").as_dict()
        return io.NodeOutput(ui=told if pictures is None else {**told, **_shown(cls, pictures)})


class LoadIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadIdentity",
            display_name="Load Identity",
            category="Likeness/Identity",
            description="Reads an identity that Save Identity wrote, and shows its picture. No photo and no "
            "face model is needed.",
            search_aliases=["load face", "load embedding", "import face", "face model", "face library"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=host.files.list_models("identities"),
                    tooltip="A file of models/identities.",
                ),
                io.String.Input(
                    "person",
                    default="",
                    optional=True,
                    tooltip="Who, of a file with several people: a name, or a number counted from 0. Empty: "
                    "the first.",
                ),
                io.Combo.Input(
                    "recogniser",
                    options=[ANY, *recogniser_names()],
                    default=ANY,
                    optional=True,
                    tooltip="Take only an identity made by this recogniser, and stop if there is none: "
                    "glintr100 for InstantID, arc2face for Arc2Face.",
                ),
            ],
            outputs=[output(IdentityType, "identity", "Who was saved.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str | None, person: str = "", recogniser: str = ANY) -> str:
        return identities.fingerprint(file)

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def execute(cls, file: str, person: str = "", recogniser: str = ANY) -> io.NodeOutput:
        identity, picture = identities.load_named(file, person, recogniser)
        return io.NodeOutput(identity, ui=None if picture is None else _shown(cls, picture))


def _shown(cls: type[io.ComfyNode], pictures: Any) -> dict[str, Any]:
    """Pictures for the page to show on the node."""
    shown: dict[str, Any] = ui.PreviewImage(pictures, cls=cls).as_dict()
    return shown


NODES: list[type[io.ComfyNode]] = [EmbedFaces, SaveIdentity, LoadIdentity]
