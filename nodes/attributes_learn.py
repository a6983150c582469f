"""Attributes made: learned from prompts, mixed, saved."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness.choices import attributes as choices
from ..likeness.methods import attributes as method
from .attributes import AttributeType, several
from .common import output


class LearnAttribute(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLearnAttribute",
            display_name="Learn Attribute",
            category="Likeness/Attributes",
            description="Makes an attribute out of pairs of phrases that differ in it alone, in seconds and "
            "for this CLIP. Weaker and less clean than one that was learned with the model.",
            search_aliases=["attribute slider", "concept slider", "train slider", "prompt difference"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP it is for: of an SD1.5 or SDXL checkpoint."),
                io.String.Input("name", default="age", tooltip="What to call it, in edits and files."),
                io.String.Input(
                    "pairs",
                    default=choices.AGE_PAIRS,
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="A pair on each line, `positive | negative`: what more of it is called, and what "
                    "less. Both end with the subject.",
                ),
                io.String.Input(
                    "prefixes",
                    default=choices.PREFIXES,
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="What may stand before a phrase, a line each. {a,b} stands for each of a and b, "
                    "and all combinations are taken: more of them give a steadier direction.",
                ),
            ],
            outputs=[
                output(AttributeType, "attribute", "The mean difference of all pairs."),
                output(
                    io.String,
                    "report",
                    "How many differences, the length of their mean, and how alike they are (spread).",
                ),
            ],
        )

    @classmethod
    def execute(cls, clip: Any, name: str, pairs: str, prefixes: str = "") -> io.NodeOutput:
        learned = method.learn(clip, name, pairs, prefixes)
        return io.NodeOutput(learned.attribute, learned.report)


class MixAttributes(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMixAttributes",
            display_name="Mix Attributes",
            category="Likeness/Attributes",
            description="Adds attributes up to one: a single slider for several, or one minus another.",
            search_aliases=["blend attributes", "merge sliders", "combine attributes"],
            inputs=[
                several("What is added up."),
                io.String.Input(
                    "weights",
                    default="",
                    placeholder="1, -0.5",
                    tooltip="One number for each attribute, in the order of the sockets, with commas "
                    "between. Negative ones subtract. Empty: 1 each.",
                ),
            ],
            outputs=[output(AttributeType, "attribute", "The sum, with both names.")],
        )

    @classmethod
    def execute(cls, attributes: io.Autogrow.Type, weights: str = "") -> io.NodeOutput:
        return io.NodeOutput(method.mix(list(attributes.values()), weights))


class SaveAttribute(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveAttribute",
            display_name="Save Attribute",
            category="Likeness/Attributes",
            description="Writes an attribute to a file in models/attributes under the next free number, for "
            "Load Attribute.",
            search_aliases=["save slider", "export attribute", "save direction"],
            inputs=[
                AttributeType.Input("attribute", tooltip="What to save."),
                io.String.Input(
                    "filename_prefix",
                    default="attribute",
                    tooltip="Name of the file before its number; folder/name makes a folder.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, attribute: Any, filename_prefix: str = "attribute") -> io.NodeOutput:
        path = method.save(attribute, filename_prefix)
        return io.NodeOutput(ui=ui.PreviewText(f"Saved {path}"))


NODES: list[type[io.ComfyNode]] = [LearnAttribute, MixAttributes, SaveAttribute]
