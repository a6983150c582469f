"""The list of node classes. A node is a schema and a short call; the work is done in likeness/."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..likeness import host
from ..likeness.weights import page, panel
from . import (
    algebra,
    arc2face,
    assign,
    attributes,
    attributes_learn,
    cast,
    consistentid,
    crops,
    draw_until,
    emojidiff,
    expression,
    expression_adapter,
    expression_template,
    faces,
    fact,
    freecure,
    freecure_expression,
    freecure_sample,
    identity,
    instantid,
    interop,
    keypoints,
    masterweaver,
    parsing,
    projection,
    pva,
    pva_tools,
    pva_tune,
    redraw,
    redraw_methods,
    regions,
    repair,
    score,
    score_expression,
    select,
    story,
    wplus,
    wplus_codes,
    wplus_edit,
    wplus_encode,
)
from .compat import NODES as COMPAT_NODES
from .compat import replacements

#: Where the server shows which model files there are.
MODELS_PAGE = "/likeness/models"

NODES: list[type[io.ComfyNode]] = [
    *faces.NODES,
    *select.NODES,
    *interop.NODES,
    *identity.NODES,
    *algebra.NODES,
    *score.NODES,
    *score_expression.NODES,
    *cast.NODES,
    *assign.NODES,
    *regions.NODES,
    *keypoints.NODES,
    *parsing.NODES,
    *crops.NODES,
    *instantid.NODES,
    *arc2face.NODES,
    *expression_adapter.NODES,
    *expression.NODES,
    *expression_template.NODES,
    *emojidiff.NODES,
    *fact.NODES,
    *masterweaver.NODES,
    *wplus.NODES,
    *wplus_encode.NODES,
    *wplus_edit.NODES,
    *wplus_codes.NODES,
    *freecure.NODES,
    *pva.NODES,
    *pva_tools.NODES,
    *pva_tune.NODES,
    *freecure_sample.NODES,
    *freecure_expression.NODES,
    *redraw_methods.NODES,
    *redraw.NODES,
    *repair.NODES,
    *draw_until.NODES,
    *story.NODES,
    *projection.NODES,
    *attributes.NODES,
    *attributes_learn.NODES,
    *consistentid.NODES,
    *COMPAT_NODES,
]


class LikenessExtension(ComfyExtension):
    async def on_load(self) -> None:
        host.files.register_model_folders()
        host.pages.show_text(MODELS_PAGE, lambda: page.text())
        host.pages.answer_json(f"{MODELS_PAGE}/lacks", lambda *given: panel.lacks(*given), changes=False)
        host.pages.answer_json(
            f"{MODELS_PAGE}/progress", lambda *given: panel.progress(*given), changes=False
        )
        host.pages.answer_json(f"{MODELS_PAGE}/get", lambda *given: panel.get(*given), changes=True)
        host.pages.answer_json(f"{MODELS_PAGE}/stop", lambda *given: panel.stop(*given), changes=True)
        host.pages.answer_json("/likeness/told", host.told.recall, changes=False)
        await replacements.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
