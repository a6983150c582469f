"""FreeCure: attributes and expression given back. Spec: pva_freecure_emojidiff.md part B."""

from .expression import repair_expression
from .repair import Prompts, Repair, guider
from .sample import Attributes, ExpressionRepair, Run, sample

__all__ = [
    "Attributes",
    "ExpressionRepair",
    "Prompts",
    "Repair",
    "Run",
    "guider",
    "repair_expression",
    "sample",
]
