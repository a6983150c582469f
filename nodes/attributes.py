"""Attributes: loaded, and applied to the words of a prompt. Its sliders are in web/js/sliders."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import text as texts
from ..likeness.choices import attributes as choices
from ..likeness.choices.text import MATCHES
from ..likeness.methods import attributes as method
from ..likeness.values import ATTRIBUTE
from .common import output

AttributeType = io.Custom(ATTRIBUTE)
MATCHED = (
    "What was found, a line each: the words, their rows in the conditioning, and what was added to them."
)


def several(tooltip: str) -> io.Autogrow.Input:
    """attribute_0, attribute_1, ...: a new socket appears as soon as the last one is connected."""
    socket = AttributeType.Input("attribute", tooltip="From Load, Learn or Mix Attributes.")
    template = io.Autogrow.TemplatePrefix(socket, prefix="attribute_", min=1, max=16)
    return io.Autogrow.Input("attributes", template=template, tooltip=tooltip)


def delay_input() -> io.Float.Input:
    return io.Float.Input(
        "delay",
        default=choices.DELAY,
        min=0.0,
        max=1.0,
        step=0.01,
        tooltip="Part of the noise schedule that is drawn without the attribute first: with 0.2 the picture "
        "keeps its layout and mostly the attribute changes; with 0 all of it may.",
    )


class LoadAttribute(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadAttribute",
            display_name="Load Attribute",
            category="Likeness/Attributes",
            description="Takes one attribute, such as age or smile, out of the 34 that come with the pack or "
            "of a file of your own. No download, no cost while sampling.",
            search_aliases=["attribute slider", "age slider", "concept slider", "attribute control"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_files(),
                    default=choices.BUILT_IN,
                    tooltip=f"{choices.BUILT_IN}: 34 directions learned on SDXL base 1.0. Or a file of "
                    "models/attributes.",
                ),
                io.Combo.Input(
                    "attribute",
                    options=choices.list_names(),
                    default="person_age",
                    tooltip="Which attribute of the file, named after what it was learned on. A positive "
                    "scale of person_age makes older. Of the other built-in ones: "
                    f"{choices.UNKNOWN_SIGN}; try both.",
                ),
            ],
            outputs=[output(AttributeType, "attribute", "For Apply Attribute or Prompt with Attributes.")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None, attribute: str | None = None) -> bool | str:
        # A missing file is explained in execute, with the folders that were searched.
        names = choices.names_of(file) if file else ()
        if attribute and names and attribute not in names:
            return f"attribute {attribute!r} is not in {file}. It holds: {', '.join(names)}."
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None, attribute: str | None = None) -> str:
        return choices.fingerprint(file)

    @classmethod
    def execute(cls, file: str, attribute: str) -> io.NodeOutput:
        return io.NodeOutput(method.load(file, attribute))


class ApplyAttribute(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyAttribute",
            display_name="Apply Attribute",
            category="Likeness/Attributes",
            description="Moves the words of one subject in a prompt along an attribute: older or younger, "
            "smiling more or less. The model stays as it is.",
            search_aliases=["attribute slider", "age slider", "concept slider", "edit prompt", "subject"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The encoded prompt."),
                io.Clip.Input("clip", tooltip="The CLIP that encoded it: of an SD1.5 or SDXL checkpoint."),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="The text that was encoded, letter for letter, with its weights.",
                ),
                AttributeType.Input("attribute", tooltip="From Load, Learn or Mix Attributes."),
                io.String.Input(
                    "subject",
                    default="person",
                    tooltip="Whose words are moved: a noun of the text, such as man, or several words.",
                ),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=-choices.LARGEST_SCALE,
                    max=choices.LARGEST_SCALE,
                    step=choices.SCALE_STEP,
                    tooltip="How far, and which way: mostly -2 to 2. Positive person_age is older; of the "
                    f"other built-in attributes: {choices.UNKNOWN_SIGN}. 0 changes nothing.",
                ),
                delay_input(),
                io.Combo.Input(
                    "match",
                    options=list(MATCHES),
                    default="word",
                    tooltip="word: whole words. text: letters anywhere. regex: a regular expression of "
                    "Python, on the text in small letters.",
                ),
                io.Int.Input(
                    "occurrence",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Which of several places, counted from 1. 0: all of them.",
                ),
            ],
            outputs=[
                output(io.Conditioning, "conditioning", "The prompt with the attribute."),
                output(io.String, "matched", MATCHED),
            ],
        )

    @classmethod
    def execute(
        cls,
        conditioning: Any,
        clip: Any,
        text: str,
        attribute: Any,
        subject: str = "person",
        scale: float = 1.0,
        delay: float = choices.DELAY,
        match: str = "word",
        occurrence: int = 0,
    ) -> io.NodeOutput:
        edit = method.Edit(subject, attribute, scale, match, occurrence)
        return io.NodeOutput(*method.apply(conditioning, texts.read(clip, text), [edit], delay))


class AttributePrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAttributePrompt",
            display_name="Prompt with Attributes",
            category="Likeness/Attributes",
            description="Encodes a prompt and moves its subjects along attributes, with a slider on the node "
            "for each.",
            search_aliases=["attribute slider", "age slider", "concept slider", "sliders", "text encode"],
            inputs=[
                io.Clip.Input("clip", tooltip="Of an SD1.5 or SDXL checkpoint."),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="The prompt. Weights such as (word:1.2) work as in CLIP Text Encode.",
                ),
                several("The attributes that edits may name."),
                io.String.Input(
                    "edits",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    placeholder="person: person_age = 1.5",
                    tooltip="A line for each slider: the subject as it stands in the text, the attribute's "
                    "name or the number of its socket, and the scale, -10 to 10: `man: 0 = 1.5` or `woman: "
                    "person_smile = -0.5`. `man #2: ...` is the second man alone. Positive person_age is "
                    f"older; of the other built-in attributes: {choices.UNKNOWN_SIGN}.",
                ),
                delay_input(),
            ],
            outputs=[
                output(io.Conditioning, "positive", "The prompt with its attributes."),
                output(io.String, "matched", MATCHED),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        text: str,
        attributes: io.Autogrow.Type,
        edits: str = "",
        delay: float = choices.DELAY,
    ) -> io.NodeOutput:
        prompt = texts.read(clip, text)
        wanted = method.read_edits(edits, list(attributes.items()))
        return io.NodeOutput(*method.apply(texts.encode(clip, prompt), prompt, wanted, delay))


NODES: list[type[io.ComfyNode]] = [LoadAttribute, ApplyAttribute, AttributePrompt]
