"""W+ codes moved along directions, by sliders, and mixed. The sliders are in web/js/sliders."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices import wplus as choices
from ..likeness.methods import wplus as method
from ..likeness.values import WPLUS, WPLUS_DIRECTION
from .common import output
from .wplus import CATEGORY

CodeType, DirectionType = io.Custom(WPLUS), io.Custom(WPLUS_DIRECTION)
_PROPOSED = ", ".join(choices.DIRECTION_NAMES)


class LoadWPlusDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadWPlusDirection",
            display_name="Load W+ Direction",
            category=CATEGORY,
            description="Takes one direction, such as smile or pose, out of a file in "
            "models/wplus_directions.",
            search_aliases=["ganspace", "interfacegan", "latent direction", "face slider", "precisecontrol"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_directions(),
                    tooltip="A file of models/wplus_directions: PreciseControl's all_delta_w_dict.json (20 "
                    "directions), or one of .npy, .pt or .safetensors.",
                ),
                io.String.Input(
                    "direction",
                    default="smile",
                    tooltip=f"Which of the file. Of PreciseControl's: {_PROPOSED}. Of principal components "
                    "(GANSpace): pc0, pc1, ... Empty: the only one.",
                    # Offered by web/js/direction_names.js; the text may be any other.
                    extra_dict={"likeness_names": {"file": choices.NAMED, "names": choices.DIRECTION_NAMES}},
                ),
            ],
            outputs=[output(DirectionType, "direction", "For Edit W+.")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None, direction: str = "") -> str:
        return method.directions.fingerprint(file)

    @classmethod
    def execute(cls, file: str, direction: str = "") -> io.NodeOutput:
        return io.NodeOutput(method.directions.load(file, direction))


class EditWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        socket = DirectionType.Input("direction", tooltip="From Load W+ Direction.")
        template = io.Autogrow.TemplatePrefix(socket, prefix="direction_", min=1, max=16)
        return io.Schema(
            node_id="LikenessEditWPlus",
            display_name="Edit W+",
            category=CATEGORY,
            description="Moves a W+ code along directions, with a slider on the node for each: more smile, "
            "another age, the head turned.",
            search_aliases=["wplus sliders", "face sliders", "edit face", "latent edit", "attribute slider"],
            inputs=[
                CodeType.Input("wplus", tooltip="Who is edited."),
                io.Autogrow.Input(
                    "directions", template=template, tooltip="The directions that edits may name."
                ),
                io.String.Input(
                    "edits",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    placeholder="all: smile = 1.5",
                    tooltip="A line for each slider: the layers (all, or such as 0-7), the direction's name "
                    "or the number of its socket, and the strength, -10 to 10: `all: smile = 1.5`. 0 changes "
                    "nothing, but a principal component moves to a strength, and 0 is the average.",
                ),
            ],
            outputs=[output(CodeType, "wplus", "The edited person.")],
        )

    @classmethod
    def execute(cls, wplus: Any, directions: io.Autogrow.Type, edits: str = "") -> io.NodeOutput:
        return io.NodeOutput(method.edit(wplus, method.read_edits(edits, list(directions.items()))))


class MixWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMixWPlus",
            display_name="Mix W+",
            category=CATEGORY,
            description="Blends two W+ codes, all of them or some layers: pose and shape of one person, "
            "colours of another.",
            search_aliases=["style mixing", "blend faces", "morph faces", "wplus", "average faces"],
            inputs=[
                CodeType.Input("wplus_a", tooltip="Where the blend begins."),
                CodeType.Input("wplus_b", tooltip="Where it leads."),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=-2.0,
                    max=3.0,
                    step=0.01,
                    tooltip="0 is wplus_a, 1 is wplus_b; below 0 and above 1 goes on.",
                ),
                io.String.Input(
                    "layers",
                    default=choices.ALL,
                    tooltip="Which of the code's 18 layers: all, or numbers and ranges such as 0-7 (pose and "
                    "shape), 8-17 (colours).",
                ),
            ],
            outputs=[output(CodeType, "wplus", "The blend.")],
        )

    @classmethod
    def execute(
        cls, wplus_a: Any, wplus_b: Any, amount: float = 0.5, layers: str = choices.ALL
    ) -> io.NodeOutput:
        return io.NodeOutput(method.mix(wplus_a, wplus_b, amount, method.layers_of(layers)))


NODES: list[type[io.ComfyNode]] = [LoadWPlusDirection, EditWPlus, MixWPlus]
