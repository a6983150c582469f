"""Arc2Face's expression adapter: load it, apply an expression."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.arc2face import adapter_files
from ..likeness.methods import arc2face
from ..likeness.values import EXPRESSION, EXPRESSION_ADAPTER
from .common import LoadFile, mask_input, model_output, output, weight_input, window_inputs

AdapterType = io.Custom(EXPRESSION_ADAPTER)


class LoadExpressionAdapter(LoadFile):
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
            outputs=[output(AdapterType, "expression_adapter", "For Apply Expression.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return arc2face.expression


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
                *window_inputs("expression"),
                mask_input("expression"),
            ],
            outputs=[model_output("The model with the expression.")],
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
