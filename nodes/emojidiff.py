"""EmojiDiff-style expressions: load an adapter, encode templates, blend, apply."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.emojidiff import ALL, BLACK, LAYERS, NEGATIVES, list_files
from ..likeness.methods import emojidiff
from ..likeness.values import EADAPTER, EXPRESSION, EXPRESSION_TOKENS
from .common import LoadFile, mask_input, model_output, output, weight_input, window_inputs

EAdapterType, TokensType = io.Custom(EADAPTER), io.Custom(EXPRESSION_TOKENS)


class LoadEAdapter(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadEAdapter",
            display_name="Load E-Adapter",
            category="Likeness/EmojiDiff",
            description=(
                "Loads an EmojiDiff-style E-adapter, which gives drawn faces the expression of a picture. No "
                "weights are published: train them. Also reads IP-Adapter Plus files and Arc2Face's "
                "exp_adapter.bin."
            ),
            search_aliases=["emojidiff", "e-adapter", "expression adapter", "ip-adapter plus"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_files(),
                    tooltip="A file of models/emojidiff or models/ipadapter.",
                )
            ],
            outputs=[output(EAdapterType, "eadapter", "For Encode Expression and Apply E-Adapter.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return emojidiff


class EncodeExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeExpression",
            display_name="Encode Expression",
            category="Likeness/EmojiDiff",
            description=(
                "Turns expression templates into the tokens that an E-adapter attends to: one expression for "
                "each picture."
            ),
            search_aliases=["emojidiff", "expression tokens", "encode template", "ip-adapter encoder"],
            inputs=[
                EAdapterType.Input("eadapter", tooltip="From Load E-Adapter."),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="The CLIP vision model the adapter was trained with, from Load CLIP Vision: "
                    "usually ViT-H. Not for exp_adapter.bin.",
                ),
                io.Image.Input(
                    "template",
                    optional=True,
                    tooltip="From Expression Template: one expression for each picture.",
                ),
                io.Custom(EXPRESSION).Input(
                    "expression",
                    optional=True,
                    tooltip="In place of clip_vision and template, for exp_adapter.bin alone: from Read or "
                    "Edit Expression.",
                ),
            ],
            outputs=[output(TokensType, "expression_tokens", "For Apply E-Adapter or Blend Expressions.")],
        )

    @classmethod
    def execute(
        cls, eadapter: Any, clip_vision: Any = None, template: Any = None, expression: Any = None
    ) -> io.NodeOutput:
        return io.NodeOutput(emojidiff.encode(eadapter, clip_vision, template, expression))


class BlendExpressions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessBlendExpressions",
            display_name="Blend Expressions",
            category="Likeness/EmojiDiff",
            description=(
                "Finds the expression between two others, or makes a sequence from one to the other, a step "
                "for each picture of a batch."
            ),
            search_aliases=["interpolate expressions", "expression sequence", "animate expression", "morph"],
            inputs=[
                TokensType.Input("expression_a", tooltip="Where to start, from Encode Expression."),
                TokensType.Input("expression_b", tooltip="Where to go, made with the same adapter."),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=-1.0,
                    max=2.0,
                    step=0.01,
                    tooltip="How far to go: 0 is the first expression, 1 the second, more exaggerates. With "
                    "steps: where the sequence ends.",
                ),
                io.Int.Input(
                    "steps",
                    default=1,
                    min=1,
                    max=256,
                    tooltip="1: one expression at amount. More: a sequence of so many, from the first to "
                    "there, for a latent batch of as many pictures.",
                ),
            ],
            outputs=[output(TokensType, "expression_tokens", "For Apply E-Adapter.")],
        )

    @classmethod
    def execute(
        cls, expression_a: Any, expression_b: Any, amount: float = 0.5, steps: int = 1
    ) -> io.NodeOutput:
        return io.NodeOutput(emojidiff.blend(expression_a, expression_b, amount, steps))


class ApplyEAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyEAdapter",
            display_name="Apply E-Adapter",
            category="Likeness/EmojiDiff",
            description=(
                "Gives the faces a model draws the expression of a template, beside whatever says who they "
                "are. EmojiDiff-style: a reconstruction, see the help page."
            ),
            search_aliases=["emojidiff", "e-adapter", "expression", "emotion", "facial expression"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="An SD1.5 or SDXL model, as the adapter wants; with an identity already or not. "
                    "Branches that share it are not changed.",
                ),
                EAdapterType.Input("eadapter", tooltip="From Load E-Adapter."),
                TokensType.Input(
                    "expression_tokens",
                    tooltip="From Encode Expression or Blend Expressions: one for every picture, or as many "
                    "as the latent batch has, one each.",
                ),
                weight_input("Strength of the expression: 1 is what the adapter was trained with.", 1.0, 2.0),
                *window_inputs("expression"),
                io.Combo.Input(
                    "layers",
                    options=list(LAYERS),
                    default=ALL,
                    tooltip="Which cross-attention layers see the expression. Fewer take over less of the "
                    "template's style. custom: those of layer_list.",
                ),
                io.String.Input(
                    "layer_list",
                    default="",
                    tooltip="With custom: the layers' numbers in the file, such as 13-23, 31. Empty: none.",
                ),
                io.Combo.Input(
                    "negative",
                    options=list(NEGATIVES),
                    default=BLACK,
                    tooltip="What negative prompts look at. no expression: an empty (black) template. "
                    "nothing: they stay as they are.",
                ),
                mask_input("expression"),
            ],
            outputs=[model_output("The model with the expression.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        eadapter: Any,
        expression_tokens: Any,
        weight: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        layers: str = ALL,
        layer_list: str = "",
        negative: str = BLACK,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = emojidiff.Use(weight, start, end, mask)
        changed = emojidiff.apply(model, eadapter, expression_tokens, use, layers, layer_list, negative)
        return io.NodeOutput(changed)


NODES: list[type[io.ComfyNode]] = [LoadEAdapter, EncodeExpression, BlendExpressions, ApplyEAdapter]
