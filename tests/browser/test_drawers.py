"""Faces are clicked and reports are tables, in the real page, with both kinds of nodes that it has.

Screenshots are left in demo/browser.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from installer.paths import REPOSITORY
from installer.server import Server
from tools.chromium import SETTINGS, Page

SHOTS = REPOSITORY / "demo" / "browser"
#: Photo, networks, faces, choice, its report, identity, scores and their table as texts: node ids 1 to 8.
BUILD = """(() => {
  app.graph.clear();
  const add = (type, x, y, values, ...links) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = [x, y];
    values.forEach((value, i) => { node.widgets[i].value = value; });
    links.forEach(([from, output, input]) => from.connect(output, node, input));
    return node;
  };
  const photo = add('LoadImage', 1100, 60, ['two_people.png']);
  const models = add('LikenessLoadFaceModels', 1100, 500, ['embedded', 'CPU']);
  const found = add('LikenessDetectFaces', 1100, 700, [%s], [models, 0, 0], [photo, 0, 1]);
  const chosen = add('LikenessSelectFaces', 60, 60, [], [found, 0, 0]);
  add('PreviewAny', 1500, 60, [], [chosen, 3, 0]);
  const who = add('LikenessEmbedFaces', 1500, 400, ['sface'], [models, 0, 0], [chosen, 0, 1]);
  const scores = add('LikenessScoreFaces', 440, 60, [], [photo, 0, 0], [who, 0, 1], [models, 0, 2]);
  add('PreviewAny', 1500, 700, [], [scores, 1, 0]);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [40, 20];
  app.canvas.setDirty(true, true);
})()"""
HELPERS = """(() => {
  window.node = (type) => app.graph.nodes.find((node) => node.type === type);
  window.values = () => node('LikenessSelectFaces').widgets.slice(0, 2).map((widget) => widget.value);
  window.drawer = (title) => [...document.querySelectorAll('.likeness-drawer')]
    .find((one) => one.querySelector('input').value === title);
  window.picker = () => drawer('Click faces in the picture');
  window.table = () => drawer('Table');
  window.faces = () => [...picker().querySelectorAll('.likeness-picker-picture input')];
  window.pressed = () => faces().filter((face) => face.ariaPressed === 'true').map((face) => face.value);
  window.said = () => picker().querySelector('.likeness-picker-status').textContent;
})()"""
LINK = """(() => { const from = LiteGraph.createNode('PrimitiveString'); app.graph.add(from);
  from.pos = [1500, 1000]; from.widgets[0].value = '0'; const to = node('LikenessSelectFaces');
  from.connect(0, to, to.inputs.findIndex((input) => input.widget?.name === 'indices')); })()"""
#: Elements of ours that stand in no widget of ours, and names of ours in the page.
STRAY = """[...document.querySelectorAll('*')].filter((element) =>
  !element.closest('.likeness-models, .likeness-keypoints, .likeness-sliders, .likeness-drawer')
  && (/(^|\\s)likeness-/.test(element.className?.baseVal ?? element.className)
    || /\\/extensions\\/any-name_1\\//.test(element.href || element.src || ''))
).map((element) => element.outerHTML.slice(0, 200))"""
NAMES = "app.extensions.map(({ name }) => name).filter((name) => /likeness/i.test(name)).sort()"


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_faces_are_clicked_and_reports_are_tables(server: Server, vue: bool) -> None:
    asyncio.run(scenario(server.url, vue))


class Drawers:
    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, vue: bool) -> None:
        await self.page.settle("LikenessSelectFaces", {**SETTINGS, "Comfy.VueNodes.Enabled": vue})
        # Another graph for each kind of node: what was told of the other's would be told here, too.
        await self.page.run(BUILD % (0.51 if vue else 0.5))
        await self.page.run(HELPERS)
        await self.page.rest(2)

    async def click(self, element: str, *modifiers: str) -> None:
        place = f"(b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())"
        x, y = await self.page.run(place)
        assert await self.page.run(f"document.elementFromPoint({x}, {y}) === {element}"), element
        held = {"modifiers": 8} if modifiers else {}
        where = {"x": x, "y": y, "button": "left", "clickCount": 1, **held}
        for kind in ("mousePressed", "mouseReleased"):
            await self.page._call("Input.dispatchMouseEvent", type=kind, **where)
        await self.page.rest()

    async def queue(self) -> list[str]:
        """Runs the graph; the two texts."""
        await self.page.run("['5', '8'].forEach((id) => delete app.nodeOutputs[id])")
        await self.page.run("app.queuePrompt(0)")
        await self.page.wait_for("['5', '8'].every((id) => app.nodeOutputs[id]?.text)")
        return [str(await self.page.run(f"app.nodeOutputs['{i}'].text[0]")) for i in (5, 8)]

    async def values(self) -> list[Any]:
        return list(await self.page.run("values()"))


async def scenario(url: str, vue: bool) -> None:
    async with Page(url, 1600, 1100) as page:
        drawers = Drawers(page)
        await drawers.open(vue)
        await closed(drawers)
        report, text = await drawers.queue()
        await clicking(drawers, report)
        await as_a_table(drawers, text)
        await page.screenshot(SHOTS / f"drawers_{'vue' if vue else 'canvas'}.png")
        await undo_and_saving(drawers)
        await linked(drawers)
        assert await page.run(STRAY) == []
        names = await page.run(NAMES)
        assert len(names) >= 5 and all(name.startswith("likeness.") for name in names)


async def closed(drawers: Drawers) -> None:
    """A new node is no higher than its row asks for, and says what to do when it is opened."""
    page = drawers.page
    assert await page.run("picker().getBoundingClientRect().height") < 40
    before = await page.run("node('LikenessSelectFaces').size[1]")
    await drawers.click("picker().querySelector('input')")
    assert await page.run("node('LikenessSelectFaces').size[1]") > before + 200
    assert await page.run("said()") == "Run the graph once to see the faces"
    await drawers.click("table().querySelector('input')")
    assert "Run the graph once" in await page.run("table().querySelector('.likeness-drawer-room').innerText")


async def clicking(drawers: Drawers, report: str) -> None:
    page = drawers.page
    await page.wait_for("faces().length === 2")
    await page.wait_for("picker().querySelector('img').naturalWidth > 0")
    assert await drawers.values() == ["largest", "0"]
    (largest,) = await page.run("pressed()")
    assert f"face {largest}" in report
    other = "0" if largest == "1" else "1"
    button = "faces().find((face) => face.value === '%s')"
    await drawers.click(button % other)
    assert await drawers.values() == ["index list", other] and await page.run("pressed()") == [other]
    report, _ = await drawers.queue()
    assert f"face {other}" in report and f"face {largest}" not in report
    await drawers.click(button % largest, "Shift")
    assert await drawers.values() == ["index list", f"{other},{largest}"]
    assert sorted(await page.run("pressed()")) == ["0", "1"]
    report, _ = await drawers.queue()
    assert f"face {other}" in report and f"face {largest}" in report
    await drawers.click(button % largest, "Shift")
    assert await drawers.values() == ["index list", other]
    boxes = await page.run("faces().map((face) => face.getBoundingClientRect().x)")
    assert abs(boxes[0] - boxes[1]) > 50, "the faces stand side by side"


async def as_a_table(drawers: Drawers, text: str) -> None:
    page = drawers.page
    await page.wait_for("!!table().querySelector('tbody tr')")
    lines = await page.run("[...table().querySelectorAll('p')].map((line) => line.textContent)")
    head = await page.run("[...table().querySelectorAll('th')].map((cell) => cell.textContent)")
    row = await page.run("[...table().querySelectorAll('td')].map((cell) => cell.textContent)")
    *above, heading, last = text.split("\n")
    assert lines[1:3] == above[1:3] and heading.split()[:2] == head[:2] == ["picture", "similarity"]
    assert row[0] == "0" == last.split()[0] and len(row) == 5
    inside = "(box => (p => box.bottom <= p.bottom + 1)(table().getBoundingClientRect()))"
    assert await page.run(f"{inside}(table().querySelector('.likeness-drawer-room').getBoundingClientRect())")


async def undo_and_saving(drawers: Drawers) -> None:
    page, before = drawers.page, await drawers.values()
    await drawers.click("faces().find((face) => face.ariaPressed === 'false')")
    after = await drawers.values()
    assert after != before
    await page.rest(1)
    await page.run("app.extensionManager.command.execute('Comfy.Undo')")
    await page.wait_for(f"JSON.stringify(values()) === '{json.dumps(before, separators=(',', ':'))}'")
    await page.wait_for("faces().length === 2")
    workflow = await page.run("JSON.stringify(app.graph.serialize())")
    saved = next(n for n in json.loads(workflow)["nodes"] if n["type"] == "LikenessSelectFaces")
    assert saved["widgets_values"][:3] == [*before, "error"] and len(saved["widgets_values"]) == 5
    assert saved["properties"]["likeness.open"] is True
    await page.run(f"app.loadGraphData({workflow})")
    await page.rest(1)
    assert await drawers.values() == before
    assert not await page.run("picker().querySelector('.likeness-drawer-room').hidden")
    prompt = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
    await anew(drawers, workflow)
    assert set(prompt["4"]["inputs"]) == {"by", "indices", "if_no_face", "min_similarity", "track", "faces"}


async def anew(drawers: Drawers, workflow: str) -> None:
    """A page that is loaded anew hears what was told, though the host would run nothing of it again."""
    page = drawers.page
    await page.reload("LikenessSelectFaces")
    await page.run(HELPERS)
    await page.run(f"app.loadGraphData({workflow})")
    await page.wait_for("!!table()?.querySelector('tbody tr') && faces().length === 2")


async def linked(drawers: Drawers) -> None:
    """While a link sets the text, a click can't."""
    page = drawers.page
    await page.wait_for("faces().length === 2")
    await page.run(LINK)
    await page.rest(0.5)
    assert await page.run("said()") == "the text comes over a link"
    assert await page.run("faces().every((face) => face.disabled)")
