"""The points of Edit Keypoints are dragged in the real page, with both kinds of nodes that it has.

Screenshots are left in demo/browser.
"""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from support.browser import FOLDER
from support.keypoints_widget import BUILD, LINK, TWICE, WHERE, WHOLE, Widget

from installer.paths import REPOSITORY
from installer.server import Server
from tools.chromium import Page
from tools.ui_workflow import WORKFLOWS, api_files, read

SHOTS = REPOSITORY / "demo" / "browser"


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_points_are_dragged_and_kept(server: Server, vue: bool) -> None:
    asyncio.run(scenario(server.url, vue))


async def scenario(url: str, vue: bool) -> None:
    async with Page(url, 1500, 1100) as page:
        widget = Widget(page)
        await widget.open(vue)
        shot = SHOTS / f"edit_keypoints_{'vue' if vue else 'canvas'}"
        assert "no face" in await page.run("said()") and not await widget.usable("Snap")
        (before,) = await widget.queue()
        found = np.array(before["points"])
        await page.wait_for("said().includes('nose')")
        assert await widget.text() == ""
        await dragging(widget, found)
        await buttons(widget)
        await whole_face_and_keys(widget, found)
        await page.screenshot(shot.with_name(shot.name + ".png"))
        await typing(widget, found)
        await host_undo(widget, found)
        await saving(widget, found)
        await zooming_the_graph(widget)
        await a_batch(widget, found)
        await page.screenshot(shot.with_name(shot.name + "_batch.png"))
        await linked(widget)
        await template(widget)


async def dragging(widget: Widget, found: np.ndarray) -> None:
    nose = found[2]
    await widget.drag(nose, nose + np.array([60, 40]))
    moved = await widget.points()
    np.testing.assert_allclose(moved[2], nose + np.array([60, 40]), atol=2.5)
    np.testing.assert_allclose(np.delete(moved, 2, 0), np.delete(found, 2, 0), atol=0.01)
    await widget.page.run("(window.kept = edited(), 1)")
    await widget.page.press("z", ["Control"])
    await widget.page.wait_for("text() === ''")
    await widget.page.rest(0.5)
    assert await widget.page.run("kept === edited() && app.graph.nodes.length === 5"), "the graph was undone"
    await widget.page.press("y", ["Control"])
    np.testing.assert_allclose(await widget.points(), moved)


async def buttons(widget: Widget) -> None:
    moved = await widget.points()
    await copying(widget)
    await widget.click("Mirror")
    mirrored = await widget.points()
    ends = moved[:, 0].min() + moved[:, 0].max()
    swapped = moved[[1, 0, 2, 4, 3]]
    np.testing.assert_allclose(mirrored, np.stack([ends - swapped[:, 0], swapped[:, 1]], 1), atol=0.02)
    assert mirrored[0, 0] < mirrored[1, 0]
    await widget.click("Undo")
    np.testing.assert_allclose(await widget.points(), moved)
    await widget.click("Redo")
    np.testing.assert_allclose(await widget.points(), mirrored)
    await widget.click("Snap")
    assert await widget.text() == ""
    await widget.click("Add")
    entries = json.loads(await widget.text())
    assert [entry.get("face") for entry in entries] == [0, None]
    await widget.click("Remove")
    assert await widget.text() == ""
    await widget.click("Remove")
    assert json.loads(await widget.text()) == [{"points": []}]
    await widget.click("Reset")
    assert await widget.text() == ""
    inputs = "[...document.querySelectorAll('.likeness-keypoints input')]"
    assert await widget.page.run(f"{inputs}.every((input) => input.ariaLabel)")


async def copying(widget: Widget) -> None:
    """With the browser's clipboard, and as over plain http, where a page has none."""
    for clipboard in (["clipboardReadWrite", "clipboardSanitizedWrite"], ["clipboardReadWrite"]):
        await widget.page.allow("clipboardReadWrite", "clipboardSanitizedWrite")
        await widget.page.run("navigator.clipboard.writeText('old')")
        await widget.page.allow(*clipboard)
        await widget.click("Copy")
        await widget.page.wait_for("said() === 'Copied.'")
        assert await widget.page.run("navigator.clipboard.readText()") == await widget.text()


async def whole_face_and_keys(widget: Widget, found: np.ndarray) -> None:
    await widget.click("Zoom")
    side = 3 * (found.max(0) - found.min(0)).max()
    corner = (found.min(0) + found.max(0)) / 2 - side / 2
    between = found[:2].mean(0) + np.array([0, 6])
    await widget.drag(between, between + np.array([12, -9]), (*corner, side, side))
    moved = await widget.points()
    np.testing.assert_allclose(moved - found, np.tile([12, -9], (5, 1)), atol=0.5)
    await widget.page.press("2")
    await widget.page.press("ArrowLeft")
    await widget.page.press("ArrowDown", ["Shift"])
    np.testing.assert_allclose((await widget.points())[1] - moved[1], [-1, 10], atol=0.011)
    assert "eye at the right" in await widget.page.run("said()")
    await widget.page.press("z", ["Control"])
    np.testing.assert_allclose((await widget.points())[1] - moved[1], [-1, 0], atol=0.011)
    await widget.click("Zoom")


async def typing(widget: Widget, found: np.ndarray) -> None:
    select = """(() => { const areas = [...document.querySelectorAll('textarea')];
      const area = areas.find((one) => one.value === text()); area.focus(); area.select(); })()"""
    await widget.page.run(select)
    await widget.page.type("[{")
    await widget.page.wait_for("said().startsWith('keypoints: ')")
    await widget.page.run(select)
    points = [[round(x + 40), round(y + 100)] for x, y in found.tolist()]
    await widget.page.type(json.dumps([{"points": points}]))
    await widget.page.wait_for(f"said().includes('{points[1][0]:.1f}, {points[1][1]:.1f}')")
    (placed,) = await widget.queue()
    assert placed["points"] == points


async def host_undo(widget: Widget, found: np.ndarray) -> None:
    """The page's own undo makes the node anew: its text goes a step back, its picture stays."""
    await widget.click("Reset")
    await widget.drag(found[2], found[2] + np.array([30, 0]))
    dragged = await widget.text()
    assert dragged
    await widget.page.run("app.extensionManager.command.execute('Comfy.Undo')")
    await widget.page.wait_for("text() === ''")
    await widget.page.rest(1)
    assert await widget.usable("Snap"), "the points that were found are forgotten"
    await widget.page.run("app.extensionManager.command.execute('Comfy.Redo')")
    await widget.page.wait_for(f"text() === {json.dumps(dragged)}")


async def saving(widget: Widget, found: np.ndarray) -> None:
    page, text = widget.page, await widget.text()
    workflow = await page.run("JSON.stringify(app.graph.serialize())")
    saved = next(n for n in json.loads(workflow)["nodes"] if n["type"] == "LikenessEditKeypoints")
    assert saved["widgets_values"] == [1024, 1024, text]
    await widget.reload()
    await page.run(BUILD % FOLDER)
    await page.run(f"app.loadGraphData({workflow})")
    await page.rest(1)
    assert await widget.text() == text
    prompt = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
    assert prompt["4"]["inputs"] == {"faces": ["3", 0], "width": 1024, "height": 1024, "keypoints": text}
    (placed,) = await widget.queue()
    np.testing.assert_allclose(placed["points"], await widget.points())
    np.testing.assert_allclose(placed["points"][2], found[2] + np.array([30, 0]), atol=2.5)
    copied = "app.canvas.copyToClipboard([edited()]); app.canvas.pasteFromClipboard(); app.graph.nodes.at(-1)"
    assert await page.run(f"(() => {{ {copied}; return app.graph.nodes.at(-1).widgets[2].value }})()") == text
    await page.run("app.graph.remove(app.graph.nodes.at(-1))")


async def zooming_the_graph(widget: Widget) -> None:
    """The wheel over the picture is the graph's; the points lie under the mouse at every zoom."""
    page, scale = widget.page, "app.canvas.ds.scale"
    spot = await page.run(WHERE % (list(WHOLE), 256.0, 400.0))
    before = await page.run(scale)
    await page.wheel(*spot, -120)
    await page.wait_for(f"{scale} > {before}")
    await page.rest(1)
    points = await widget.points()
    await widget.drag(points[0], points[0] + np.array([-40, -20]))
    np.testing.assert_allclose((await widget.points())[0], points[0] + np.array([-40, -20]), atol=2.5)
    await page.run(
        "app.canvas.ds.scale = 1; app.canvas.ds.offset = [40, 20]; app.canvas.setDirty(true, true)"
    )
    await page.rest(0.5)


async def a_batch(widget: Widget, found: np.ndarray) -> None:
    """Each picture of a batch is edited for itself."""
    await widget.page.run(TWICE)
    await widget.click("Reset")
    await widget.page.run("performance.clearResourceTimings()")
    await widget.queue()
    assert len(await widget.loaded(1)) == 1, "pictures that are not shown are loaded"
    await widget.click("Picture >")
    assert len(await widget.loaded(2)) == 2
    await widget.drag(found[2], found[2] + np.array([50, 0]))
    await widget.click("Add")
    await widget.click("Zoom")
    first, *second = await widget.queue()
    np.testing.assert_allclose(first["points"], found)
    assert "picture" not in first and [face["picture"] for face in second] == [1, 1]
    np.testing.assert_allclose(second[0]["points"][2], found[2] + np.array([50, 0]), atol=2.5)
    assert (await widget.page.run("said()")).startswith("picture 1, face 1, 3 nose")


async def linked(widget: Widget) -> None:
    """While a link sets the text, the widget only shows what came out."""
    await widget.page.run(LINK)
    await widget.page.rest(0.5)
    placed, _ = await widget.queue()
    assert placed["points"][2] == [30, 40]
    assert "link" in await widget.page.run("said()")
    assert not await widget.usable("Mirror") and await widget.usable("Copy")
    await widget.click("Copy")
    copied = json.loads(await widget.page.run("navigator.clipboard.readText()"))
    assert copied[0]["points"] == placed["points"] and [face.get("picture") for face in copied] == [None, 1]


async def template(widget: Widget) -> None:
    """The template has room for the node, and the page makes the same prompt of it."""
    await widget.page.run(f"app.loadGraphData({json.dumps(read(WORKFLOWS / 'keypoints_edit.json'))})")
    await widget.page.rest(1)
    made = json.loads(await widget.page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
    made = {i: node for i, node in made.items() if node["class_type"] != "MarkdownNote"}
    assert made == read(api_files()["keypoints_edit"])
    assert await widget.page.run("[...edited().size]") == [420, 720]
