"""The sliders of Prompt with Attributes in the real page, with both kinds of nodes that it has.

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
from tools.ui_workflow import WORKFLOWS, api_files, read

SHOTS = REPOSITORY / "demo" / "browser"
#: Page pixels of a slider's knob. A narrow slider has fewer than two pixels for a whole 1 of its scale.
KNOB = 16
#: Checkpoint, two attributes, the node, its conditioning and what it matched as texts: node ids 1 to 5.
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
  const model = add('CheckpointLoaderSimple', 1000, 60, ['tiny_sdxl.safetensors']);
  const age = add('LikenessLoadAttribute', 1000, 260, ['tiny_attributes.safetensors', 'person_age']);
  const smile = add('LikenessLoadAttribute', 1000, 460, ['tiny_attributes.safetensors', 'person_smile']);
  const prompt = add('LikenessAttributePrompt', 60, 60, ['a photo of a man']);
  const socket = (name) => prompt.inputs.findIndex((input) => input.name.endsWith(name));
  model.connect(1, prompt, socket('clip'));
  age.connect(0, prompt, socket('attribute_0'));
  smile.connect(0, prompt, socket('attribute_1'));
  add('PreviewAny', 560, 60, [], [prompt, 1, 0]);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [40, 20];
  app.canvas.setDirty(true, true);
  window.node = () => app.graph.nodes.find((node) => node.type === 'LikenessAttributePrompt');
  window.text = () => node().widgets.find((widget) => widget.name === 'edits').value;
  window.panel = () => document.querySelector('.likeness-sliders');
  window.rows = () => [...panel().querySelectorAll('.likeness-sliders-row')];
  window.said = () => panel().querySelector('.likeness-sliders-status').textContent;
})()"""


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_sliders_and_text_follow_each_other(server: Server, vue: bool) -> None:
    asyncio.run(scenario(server.url, vue))


class Sliders:
    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, vue: bool) -> None:
        await self.page.settle("LikenessAttributePrompt", {**SETTINGS, "Comfy.VueNodes.Enabled": vue})
        await self.page.run(BUILD)
        await self.page.rest(2)

    async def text(self) -> str:
        return str(await self.page.run("text()"))

    async def click(self, element: str) -> None:
        await self.page.drag(await self.place(element))
        await self.page.rest()

    async def place(self, element: str, across: float = 0.5) -> tuple[float, float]:
        script = f"(b => [b.x + b.width * {across}, b.y + b.height / 2])({element}.getBoundingClientRect())"
        x, y = await self.page.run(script)
        return x, y

    async def typed(self, text: str) -> None:
        """As who edits the text by hand."""
        areas = "[...document.querySelectorAll('textarea')]"
        find = f"{areas}.find((area) => area.value === text() && area.placeholder !== 'text')"
        await self.page.run(f"(area => {{ area.focus(); area.select(); }})({find})")
        await self.page.type(text)
        await self.page.rest(0.5)

    async def shown(self) -> list[Any]:
        script = "rows().map((row) => row.querySelector('input[type=range]')?.valueAsNumber ?? null)"
        return list(await self.page.run(script))

    async def matched(self) -> str:
        await self.page.run("delete app.nodeOutputs['5']")
        await self.page.run("app.queuePrompt(0)")
        await self.page.wait_for("!!app.nodeOutputs['5']?.text")
        return str(await self.page.run("app.nodeOutputs['5'].text[0]"))


async def scenario(url: str, vue: bool) -> None:
    async with Page(url, 1500, 1100) as page:
        sliders = Sliders(page)
        await sliders.open(vue)
        await adding(sliders)
        await dragging(sliders)
        await page.screenshot(SHOTS / f"attribute_sliders_{'vue' if vue else 'canvas'}.png")
        await typing(sliders)
        await undo_and_saving(sliders)
        await linked(sliders)
        await template(sliders)


async def adding(sliders: Sliders) -> None:
    page = sliders.page
    options = "[...panel().querySelectorAll('option')].map((option) => option.value)"
    await page.wait_for(f"{options}.length === 2")
    assert await page.run(options) == ["person_age", "person_smile"]
    assert await sliders.shown() == [] and await sliders.text() == ""
    add, subject = "panel().querySelector('input[value=Add]')", "panel().querySelector('input[type=text]')"
    await page.run(f"{subject}.value = 'man'")
    await sliders.click(add)
    await page.run("panel().querySelector('select').value = 'person_smile'")
    await sliders.click(add)
    assert await sliders.text() == "man: person_age = 1\nman: person_smile = 1"
    assert await sliders.shown() == [1, 1]
    assert "sign not known" in await page.run("said()")
    titles = await page.run("rows().map((row) => row.querySelector('input[type=range]').title)")
    assert titles == [
        "man: person_age; negative younger, positive older",
        "man: person_smile; direction of the sign not known: try both",
    ]
    ends = await page.run("rows().map((row) => row.querySelector('.likeness-sliders-end').textContent)")
    assert ends[0] == "younger" and ends[1].endswith("?")
    low = "(element) => element.getBoundingClientRect().bottom"
    room = f"({low})(rows().at(-1)) < ({low})(panel().parentElement)"
    assert await page.run(room), "the sliders have no room"


async def dragging(sliders: Sliders) -> None:
    page, first = sliders.page, "rows()[0].querySelector('input[type=range]')"
    await page.drag(
        await sliders.place(first, 0.55), await sliders.place(first, 0.7), await sliders.place(first, 0.75)
    )
    await page.rest()
    scale = (await sliders.shown())[0]
    width = await page.run(f"{first}.getBoundingClientRect().width")
    knob = KNOB / 2 + (width - KNOB) * (scale + 10) / 20
    assert abs(knob - 0.75 * width) < KNOB / 2, f"{scale} is not where the mouse let go"
    assert round(scale / 0.05, 6) == round(scale / 0.05)
    assert await sliders.text() == f"man: person_age = {scale:g}\nman: person_smile = 1"
    assert f"'man' (rows 5): +{scale:g} person_age" in await sliders.matched()
    await page.run(f"{first}.focus()")
    await page.press("ArrowLeft")
    await page.rest()
    assert (await sliders.shown())[0] == pytest.approx(scale - 0.05)
    await page.run("(n => { n.focus(); n.select(); })(rows()[1].querySelector('input[type=number]'))")
    await page.type("-2.5")
    await page.rest()
    assert (await sliders.text()).endswith("man: person_smile = -2.5") and (await sliders.shown())[1] == -2.5
    await sliders.click("rows()[0].querySelector('input[value=\"0\"]')")
    assert await sliders.text() == "man: person_age = 0\nman: person_smile = -2.5"
    assert await page.run("[...panel().querySelectorAll('input')].every((one) => one.ariaLabel || one.title)")


async def typing(sliders: Sliders) -> None:
    page = sliders.page
    await sliders.typed("man: 1 = 0.5\nman: bald = 1\nnonsense\na man: person_age = -3")
    await page.wait_for("rows().length === 4")
    assert await sliders.shown() == [0.5, 1, None, -3]
    labels = await page.run("rows().map((row) => row.querySelector('.likeness-sliders-label').textContent)")
    assert labels == ["man: person_smile", "man: bald", "No edit: nonsense", "a man: person_age"]
    assert await page.run("said()") == "2 of the lines can't be used: see edits."
    for _ in range(2):
        await sliders.click("rows()[1].querySelector('input[title=\"Remove this line\"]')")
    assert await sliders.text() == "man: 1 = 0.5\na man: person_age = -3"
    assert "-3 person_age" in await sliders.matched()


async def undo_and_saving(sliders: Sliders) -> None:
    page, text = sliders.page, await sliders.text()
    await sliders.click("rows()[0].querySelector('input[value=\"0\"]')")
    assert (await sliders.shown())[0] == 0
    await page.rest(1)
    await page.run("app.extensionManager.command.execute('Comfy.Undo')")
    await page.wait_for(f"text() === {json.dumps(text)} && rows().length === 2")
    assert await sliders.shown() == [0.5, -3]
    workflow = await page.run("JSON.stringify(app.graph.serialize())")
    saved = next(n for n in json.loads(workflow)["nodes"] if n["type"] == "LikenessAttributePrompt")
    assert saved["widgets_values"] == ["a photo of a man", text, 0.2]
    await page.run(f"app.loadGraphData({workflow})")
    await page.rest(1)
    assert await sliders.text() == text and await sliders.shown() == [0.5, -3]
    assert await page.run("panel().querySelectorAll('option').length") == 2
    prompt = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
    assert prompt["4"]["inputs"]["edits"] == text and "sliders" not in prompt["4"]["inputs"]


async def linked(sliders: Sliders) -> None:
    """While a link sets the text, the sliders can't."""
    await sliders.page.run(
        """(() => { const from = LiteGraph.createNode('PrimitiveStringMultiline'); app.graph.add(from);
        from.pos = [1000, 700]; from.widgets[0].value = 'man: person_age = 2';
        from.connect(0, node(), node().inputs.findIndex((input) => input.widget?.name === 'edits')); })()"""
    )
    await sliders.page.rest(0.5)
    assert await sliders.page.run("said()") == "The text comes over a link."
    assert await sliders.page.run(
        "[...panel().querySelectorAll('input, select')].every((one) => one.disabled)"
    )
    assert "+2 person_age" in await sliders.matched()


async def template(sliders: Sliders) -> None:
    """The template has room for the node, and the page makes the same prompt of it."""
    page = sliders.page
    await page.run(f"app.loadGraphData({json.dumps(read(WORKFLOWS / 'attribute_slider.json'))})")
    await page.rest(1)
    made = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
    made = {i: node for i, node in made.items() if node["class_type"] != "MarkdownNote"}
    assert made == read(api_files()["attribute_slider"])
    assert len(await sliders.shown()) == 3
