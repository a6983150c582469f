"""The help of a node in the page's own panel; and the pictures of the help pages are of today's nodes."""

from __future__ import annotations

import pytest
from PIL import Image
from support.browser import Browser
from support.page_graph import close_panel

from installer.paths import REPOSITORY
from tools.chromium import Page
from tools.node_pictures import MARGIN, PICTURES, SCALE, place
from tools.ui_workflow import HELP

INFO = "document.querySelector('[data-testid=info-button]')"
CONTENT = "document.querySelector('.node-help-content')"
#: The middle of the first node's title, on the page.
TITLE = """(() => {
  const [node] = app.graph.nodes, {scale, offset} = app.canvas.ds;
  const canvas = app.canvas.canvas.getBoundingClientRect();
  return [canvas.left + (node.pos[0] + node.size[0] / 2 + offset[0]) * scale,
    canvas.top + (node.pos[1] - 15 + offset[1]) * scale];
})()"""
SHOTS = REPOSITORY / "demo" / "browser"


async def open_help(page: Page, node_id: str) -> tuple[str, list[int]]:
    """The text of the panel, and the widths of its pictures: as in the file, as shown, and the panel's."""
    await close_panel(page)
    await place(page, node_id)
    await page.drawn()
    await page.drag(tuple(await page.run(TITLE)))
    await page.wait_for(f"!!{INFO}")
    await page.run(f"{INFO}.click()")
    await page.wait_for(f"!!{CONTENT}?.querySelector('img')?.naturalWidth")
    await page.screenshot(SHOTS / f"help_{node_id}.png")
    widths = f"(i => [i.naturalWidth, i.clientWidth, {CONTENT}.clientWidth])({CONTENT}.querySelector('img'))"
    return await page.run(f"{CONTENT}.innerText"), await page.run(widths)


@pytest.mark.parametrize("node_id", ["LikenessApplyInstantID", "LikenessDrawFaces"])
def test_the_panel_shows_the_page_with_its_picture(browser: Browser, node_id: str) -> None:
    text, (width, shown, panel) = browser.do(open_help(browser.page, node_id))
    browser.do(close_panel(browser.page))
    for section in ("Inputs", "Outputs", "Recipe", "Common mistakes"):
        assert section in text
    with Image.open(PICTURES / f"{node_id}.webp") as picture:
        assert width == picture.width
    assert 200 < shown <= panel


async def sizes(page: Page, node_ids: list[str]) -> dict[str, tuple[float, float]]:
    return {node_id: await place(page, node_id) for node_id in node_ids}


def test_pictures_are_of_the_nodes_as_they_are(browser: Browser) -> None:
    """A socket or a widget more makes a node higher; a longer name makes it wider."""
    found = browser.do(sizes(browser.page, sorted(path.stem for path in HELP.glob("*.md"))))
    old = []
    for node_id, (width, height) in found.items():
        with Image.open(PICTURES / f"{node_id}.webp") as picture:
            apart = [
                abs(a - (b * SCALE + 2 * MARGIN)) for a, b in zip(picture.size, (width, height), strict=True)
            ]
        old += [node_id] if max(apart) > 4 else []
    assert not old, f"Run: python -m tools.node_pictures {' '.join(old)}"
