"""The templates with the page's modern nodes, which are elements of the page and have sizes of their own.

ComfyUI's desktop program begins with them; the other templates' tests use the classic ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import Browser
from support.page_graph import close_panel, fit, load, overlaps

from installer.paths import REPOSITORY
from tools.chromium import SETTINGS, Page
from tools.ui_graph import NOTES
from tools.ui_workflow import WORKFLOWS, api_files, read

NAMES = sorted(api_files())
SHOTS = REPOSITORY / "demo" / "browser"
KNOWN = "LikenessDetectFaces"
#: Type, title and corners on the page of every node's element.
ELEMENTS = """JSON.stringify([...document.querySelectorAll('[data-node-id]')].map((element) => {
  const {left, top, right, bottom} = element.getBoundingClientRect();
  const node = app.graph.getNodeById(Number(element.dataset.nodeId));
  return [node.type, node.title, left, top, right, bottom];
}))"""
#: Page pixels that rounding takes.
EDGE = 2


async def elements(page: Page, name: str) -> tuple[list[list[Any]], list[list[float]]]:
    """The nodes, and the corners of the groups in page pixels."""
    await close_panel(page)
    found = await load(page, read(WORKFLOWS / f"{name}.json"))
    scale, *zero = await fit(page)
    await page.wait_for(f"document.querySelectorAll('[data-node-id]').length === {len(found['boxes'])}")
    await page.rest(0.5)  # they find their sizes a little later
    await page.screenshot(SHOTS / f"{name}_modern.png")
    placed: list[list[Any]] = json.loads(await page.run(ELEMENTS))
    groups = [[scale * v + zero[k % 2] for k, v in enumerate(group)] for group in found["groups"]]
    return placed, groups


@pytest.fixture(scope="module")
def modern(browser: Browser) -> Iterator[Browser]:
    browser.do(browser.page.settle(KNOWN, {**SETTINGS, "Comfy.VueNodes.Enabled": True}))
    yield browser
    browser.do(browser.page.settle(KNOWN, SETTINGS))


@pytest.mark.parametrize("name", NAMES)
def test_modern_nodes_stand_apart_and_in_groups(modern: Browser, name: str) -> None:
    placed, groups = modern.do(elements(modern.page, name))
    inner = [
        [*names, x + EDGE, y + EDGE, right - EDGE, bottom - EDGE] for *names, x, y, right, bottom in placed
    ]
    assert not overlaps(inner)
    assert all(right - left > 20 and bottom - top > 10 for _, _, left, top, right, bottom in placed)
    for kind, title, left, top, right, bottom in inner:
        around = [g for g in groups if g[0] <= left and g[1] <= top and right <= g[2] and bottom <= g[3]]
        assert len(around) == (0 if kind in NOTES else 1), title
