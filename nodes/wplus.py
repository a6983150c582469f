"""The W+ Adapter: load it, and apply somebody's code to an SD1.5 model; FreeU as its authors had it."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices import wplus as choices
from ..likeness.methods import wplus as method
from ..likeness.values import WPLUS, WPLUS_ADAPTER
from .common import LoadFile, mask_input, model_output, output, weight_input

AdapterType, CodeType = io.Custom(WPLUS_ADAPTER), io.Custom(WPLUS)
CATEGORY = "Likeness/W+ Adapter"


class LoadWPlus(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadWPlus",
            display_name="Load W+ Adapter",
            category=CATEGORY,
            description="Loads the W+ Adapter, which draws a person by a StyleGAN code that sliders edit, "
            "with SD1.5. Its licence allows no commercial use.",
            search_aliases=["w+ adapter", "wplus", "stylegan", "face sliders", "wplus_adapter"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_files(),
                    tooltip="A file of models/wplus: the published wplus_adapter.bin (people in pictures) or "
                    "wplus_adapter_stage1.bin (aligned faces alone), or a .safetensors of it.",
                )
            ],
            outputs=[output(AdapterType, "adapter", "For Apply W+ Adapter.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method


class ApplyWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyWPlus",
            display_name="Apply W+ Adapter",
            category=CATEGORY,
            description="Lets an SD1.5 model draw the person of a W+ code beside the words of the prompt.",
            search_aliases=["w+ adapter", "wplus", "identity", "stylegan", "face adapter"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="An SD1.5 model, with other adapters and LoRAs or not. Branches that share it "
                    "are not changed.",
                ),
                AdapterType.Input("adapter", tooltip="From Load W+ Adapter."),
                CodeType.Input(
                    "wplus",
                    tooltip="Who to draw: from Encode, Edit, Mix or Load W+ Code. One code for all pictures "
                    "of the batch, or one for each.",
                ),
                weight_input(
                    "Strength of the person: 1 is what it was trained with; with the file of stage 1 the "
                    "authors take 0.8.",
                    choices.WEIGHT,
                    3.0,
                ),
                io.Float.Input(
                    "start",
                    default=choices.START,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="When the person begins to act, as a part of the sampling schedule. 0.23 is the "
                    "authors' delay, 7 of 30 steps, in which the prompt lays out the picture. For the file "
                    "of stage 1: 0.",
                ),
                io.Float.Input(
                    "end",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="When the person stops acting, as a part of the sampling schedule.",
                ),
                mask_input("person"),
            ],
            outputs=[model_output("The model with the person.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        adapter: Any,
        wplus: Any,
        weight: float = choices.WEIGHT,
        start: float = choices.START,
        end: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        tokens = method.identity_tokens(adapter, wplus)
        return io.NodeOutput(method.attend(model, adapter, tokens, method.Use(weight, start, end, mask)))


class FreeUByBlock(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def factor(name: str, default: float, what: str, where: str) -> io.Float.Input:
            tooltip = f"Factor on {what}, in the {where} up block. 1 changes nothing."
            return io.Float.Input(name, default=default, min=0.0, max=10.0, step=0.01, tooltip=tooltip)

        came, kept = "half of the channels that come up", "the lowest frequencies of what was kept"
        return io.Schema(
            node_id="LikenessFreeUByBlock",
            display_name="FreeU by Block",
            category=CATEGORY,
            description="FreeU as diffusers does it, in the first and second up block. The W+ Adapter's "
            "authors drew with it; ComfyUI's own FreeU acts in other blocks and gives other pictures.",
            search_aliases=["freeu", "free u", "diffusers freeu", "w+ adapter"],
            inputs=[
                io.Model.Input("model", tooltip="An SD1.5, SD2 or SDXL model."),
                factor("b1", 1.1, came, "first"),
                factor("b2", 1.2, came, "second"),
                factor("s1", 0.6, kept, "first"),
                factor("s2", 0.4, kept, "second"),
            ],
            outputs=[model_output("The model with FreeU.")],
        )

    @classmethod
    def execute(
        cls, model: Any, b1: float = 1.1, b2: float = 1.2, s1: float = 0.6, s2: float = 0.4
    ) -> io.NodeOutput:
        return io.NodeOutput(method.free_u(model, b1, b2, s1, s2))


NODES: list[type[io.ComfyNode]] = [LoadWPlus, ApplyWPlus, FreeUByBlock]
