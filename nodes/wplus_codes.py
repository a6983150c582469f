"""W+ codes in files: save one, load one."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness.choices import wplus as choices
from ..likeness.methods import wplus as method
from ..likeness.values import WPLUS
from .common import LoadFile, output
from .wplus import CATEGORY

CodeType = io.Custom(WPLUS)


class SaveWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveWPlus",
            display_name="Save W+ Code",
            category=CATEGORY,
            description="Writes a W+ code to models/wplus_codes, for Load W+ Code.",
            search_aliases=["save wplus", "save code", "export face", "save stylegan code"],
            inputs=[
                CodeType.Input("wplus", tooltip="Who is saved."),
                io.String.Input(
                    "filename_prefix",
                    default="person",
                    tooltip="Name of the file; a number is added. A / makes a folder.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, wplus: Any, filename_prefix: str = "person") -> io.NodeOutput:
        path = method.codes.save(wplus, filename_prefix)
        return io.NodeOutput(ui=ui.PreviewText(f"Saved {path}"))


class LoadWPlusCode(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadWPlusCode",
            display_name="Load W+ Code",
            category=CATEGORY,
            description="Reads a W+ code that Save W+ Code wrote, or a .pth file of the authors. No photo "
            "and no encoder is needed.",
            search_aliases=["load wplus", "load code", "import face", "load stylegan code"],
            inputs=[
                io.Combo.Input("file", options=choices.list_codes(), tooltip="A file of models/wplus_codes.")
            ],
            outputs=[output(CodeType, "wplus", "Who was saved.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method.codes


NODES: list[type[io.ComfyNode]] = [SaveWPlus, LoadWPlusCode]
