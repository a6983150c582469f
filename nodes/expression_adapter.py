"""Arc2Face's expression adapter: load it, apply an expression."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.arc2face import adapter_files
from ..likeness.methods import arc2face
from ..likeness.values import EXPRESSION, EXPRESSION_ADAPTER
from .common import end_input, start_input, weight_input

AdapterType = io.Custom(EXPRESSION_ADAPTER)


class LoadExpressionAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadExpressionAdapter",
            display_name="Load Expression Adapter",
            category="Likeness/Expression",
            description="Loads Arc2Face's expression adapter (exp_adapter.bin), for SD1.5 models.",
            search_aliases=["exp_adapter", "expression adapter", "flame adapter", "arc2face expression"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=adapter_files(),
                    tooltip="A file of models/ipadapter: the published exp_adapter.bin.",
                )
            ],
            outputs=[
                AdapterType.Output(
                    "expression_adapter", display_name="expression_adapter", tooltip="For Apply Expression."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str | None) -> str:
        return arc2face.expression.fingerprint(file)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(arc2face.expression.load(file))


class ApplyExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyExpression",
            display_name="Apply Expression",
            category="Likeness/Expression",
            description="Makes the faces a model draws show an expression, whoever they are.",
            search_aliases=["expression", "emotion", "facial expression", "flame", "smirk"],
            inputs=[
                io.Model.Input("model", tooltip="Arc2Face. Branches that share it are not changed."),
                AdapterType.Input("expression_adapter", tooltip="From Load Expression Adapter."),
                io.Custom(EXPRESSION).Input("expression", tooltip="From Read Expression or Edit Expression."),
                weight_input("Strength of the expression: 1 is the published method.", 1.0, 5.0),
                start_input("expression"),
                end_input("expression"),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture the expression applies, in the picture's shape.",
                ),
            ],
            outputs=[
                io.Model.Output("model", display_name="model", tooltip="The model with the expression.")
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        expression_adapter: Any,
        expression: Any,
        weight: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = arc2face.Use(weight, start, end, mask)
        return io.NodeOutput(arc2face.expression.apply(model, expression_adapter, expression, use))


NODES: list[type[io.ComfyNode]] = [LoadExpressionAdapter, ApplyExpression]
