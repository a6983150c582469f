"""Casts: several people under their names, put together, saved and loaded."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness import cast as people
from ..likeness import host
from ..likeness import identity as identities
from ..likeness.choices.people import ORDER
from ..likeness.values import CAST, FACES, IDENTITY
from .common import output

CastType = io.Custom(CAST)


class Cast(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        one = io.Custom(IDENTITY).Input("identity", tooltip="One person, as one recogniser sees them.")
        mask = io.Mask.Input("mask", tooltip="The place of one person: mask_0 is the first one's.")
        return io.Schema(
            node_id="LikenessCast",
            display_name="Cast",
            category="Likeness/People",
            description="Puts several people under their names into one cast, each maybe with a place in the "
            "picture, for Assign Faces and everything that asks who is who.",
            search_aliases=[
                "named people",
                "several people",
                "characters",
                "group of people",
                "multiple faces",
            ],
            inputs=[
                io.Autogrow.Input(
                    "identities",
                    template=io.Autogrow.TemplatePrefix(one, prefix="identity_", min=0, max=32),
                    optional=True,
                    tooltip="The people. One of them may come several times, by different recognisers: give "
                    "them the same name.",
                ),
                io.String.Input(
                    "names",
                    default="",
                    placeholder="anna, ben",
                    tooltip="A name for each identity, in the order of the sockets, with commas between. "
                    "Empty: person 0, person 1, ...",
                ),
                io.String.Input(
                    "places",
                    default="",
                    optional=True,
                    placeholder="left, right",
                    tooltip="Where each person stands among the faces, in the order of the names, with "
                    f"commas between: {', '.join(ORDER)}, or nothing for anywhere. Front is the largest.",
                ),
                io.Autogrow.Input(
                    "masks",
                    template=io.Autogrow.TemplatePrefix(mask, prefix="mask_", min=0, max=32),
                    optional=True,
                    tooltip="In the place of a word: a mask of the pictures' size in which the person's "
                    "face lies.",
                ),
                CastType.Input(
                    "cast",
                    optional=True,
                    tooltip="People who are there already, from Load Cast. Those connected here come behind "
                    "them.",
                ),
            ],
            outputs=[output(CastType, "cast", "The people under their names.")],
        )

    @classmethod
    def execute(
        cls,
        identities: io.Autogrow.Type | None = None,
        names: str = "",
        places: str = "",
        masks: io.Autogrow.Type | None = None,
        cast: Any = None,
    ) -> io.NodeOutput:
        return io.NodeOutput(people.gather(identities, names, places, masks, cast))


class SaveCast(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveCast",
            display_name="Save Cast",
            category="Likeness/People",
            description="Writes everybody of a cast to one file in models/identities, for Load Cast. Load "
            "Identity reads the same file, one person at a time.",
            search_aliases=[
                "save people",
                "save characters",
                "character sheet",
                "face library",
                "export faces",
            ],
            inputs=[
                CastType.Input("cast", tooltip="Who to save. Places are of a picture: they are not saved."),
                io.String.Input(
                    "filename_prefix",
                    default="cast",
                    tooltip="Name of the file before its number; folder/name makes a folder.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="Whose pictures the file gets: one face for each person, in their order. Open: "
                    "no picture is kept.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, cast: Any, filename_prefix: str = "cast", faces: Any = None) -> io.NodeOutput:
        path, pictures = people.save_cast(cast, filename_prefix, faces)
        told = ui.PreviewText(f"Saved {path}").as_dict()
        return io.NodeOutput(ui=told if pictures is None else {**told, **_shown(cls, pictures)})


class LoadCast(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadCast",
            display_name="Load Cast",
            category="Likeness/People",
            description="Reads everybody in a file that Save Cast or Save Identity wrote, and shows their "
            "pictures.",
            search_aliases=["load people", "load characters", "character sheet", "face library"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=host.files.list_models("identities"),
                    tooltip="A file of models/identities.",
                )
            ],
            outputs=[output(CastType, "cast", "The people of the file under their names.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None) -> str:
        return identities.fingerprint(file)

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        cast, pictures = people.load_cast(file)
        return io.NodeOutput(cast, ui=None if pictures is None else _shown(cls, pictures))


def _shown(cls: type[io.ComfyNode], pictures: Any) -> dict[str, Any]:
    """Pictures for the page to show on the node."""
    shown: dict[str, Any] = ui.PreviewImage(pictures, cls=cls).as_dict()
    return shown


NODES: list[type[io.ComfyNode]] = [Cast, SaveCast, LoadCast]
