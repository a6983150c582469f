"""The sliders of Edit W+ in the real page: those of Prompt with Attributes, with its own words.

A screenshot is left in demo/browser.
"""

from __future__ import annotations

import asyncio
import json

from installer.paths import REPOSITORY
from installer.server import Server
from tools.chromium import SETTINGS, Page
from tools.ui_workflow import WORKFLOWS, api_files, read

SHOTS = REPOSITORY / "demo" / "browser"
LOOK = """(() => {
  window.node = () => app.graph.nodes.find((node) => node.type === 'LikenessEditWPlus');
  window.text = () => node().widgets.find((widget) => widget.name === 'edits').value;
  window.panel = () => document.querySelector('.likeness-sliders');
  window.rows = () => [...panel().querySelectorAll('.likeness-sliders-row')];
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [40 - node().pos[0], 60 - node().pos[1]];
  app.canvas.setDirty(true, true);
})()"""


def test_codes_are_edited_by_the_same_sliders(server: Server) -> None:
    asyncio.run(scenario(server.url))


async def scenario(url: str) -> None:
    async with Page(url, 1500, 1100) as page:
        await page.settle("LikenessEditWPlus", SETTINGS)
        await page.run(f"app.loadGraphData({json.dumps(read(WORKFLOWS / 'wplus_sliders.json'))})")
        await page.rest(1)
        made = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
        made = {i: node for i, node in made.items() if node["class_type"] != "MarkdownNote"}
        assert made == read(api_files()["wplus_sliders"])
        await page.run(LOOK)
        await page.rest(1)
        edge = "node().pos[0] + node().size[0] <= app.graph.groups[1].pos[0] + app.graph.groups[1].size[0]"
        assert await page.run(edge), "the node is wider than its group"
        labels = "rows().map((row) => row.querySelector('.likeness-sliders-label').textContent)"
        assert await page.run(labels) == ["all: smile", "all: eyeglasses"]
        options = "[...panel().querySelectorAll('option')].map((option) => option.value)"
        assert await page.run(options) == ["smile", "eyeglasses"]
        layers = "panel().querySelector('input[type=text]')"
        assert await page.run(f"[{layers}.value, {layers}.ariaLabel]") == ["all", "Layers"]
        await page.run(f"{layers}.value = '0-7'; panel().querySelector('input[value=Add]').click()")
        assert await page.run("text()") == "all: smile = 1\nall: eyeglasses = 1.5\n0-7: smile = 1"
        number = "rows()[0].querySelector('input[type=number]')"
        await page.run(f"{number}.value = '-2'; {number}.dispatchEvent(new Event('input'))")
        assert (await page.run("text()")).startswith("all: smile = -2\n")
        await page.rest(1)
        await page.screenshot(SHOTS / "wplus_sliders.png")


def test_names_of_directions_are_offered(server: Server) -> None:
    asyncio.run(choosing(server.url))


async def choosing(url: str) -> None:
    """PreciseControl's names as people read them; what is chosen stands in the text as its key."""
    async with Page(url, 1500, 1100) as page:
        await page.settle("LikenessEditWPlus", SETTINGS)
        graph = read(WORKFLOWS / "wplus_sliders.json")
        await page.run(f"app.loadGraphData({json.dumps(graph)})")
        await page.rest(1)
        node = "app.graph.nodes.find((node) => node.type === 'LikenessLoadWPlusDirection')"
        await page.run(f"window.widget = (name) => {node}.widgets.find((widget) => widget.name === name)")
        assert await page.run("widget('file').value") == "all_delta_w_dict.json"
        assert await page.run("widget('names').value") == "smile"
        offered = await page.run("widget('names').options.values()")
        assert len(offered) == 17 and {"age 80", "eyes closed", "surprise"} <= set(offered)
        assert not {"black", "white", "yellow"} & set(offered)
        await page.run("widget('names').value = 'eyes closed'; widget('names').callback('eyes closed')")
        assert await page.run("[widget('direction').value, widget('names').value]") == [
            "eyesclose",
            "eyes closed",
        ]
        kept = f"{node}.serialize().widgets_values"
        assert await page.run(kept) == ["all_delta_w_dict.json", "eyesclose"]
        made = json.loads(await page.run("app.graphToPrompt().then((p) => JSON.stringify(p.output))"))
        loaders = [n["inputs"] for n in made.values() if n["class_type"] == "LikenessLoadWPlusDirection"]
        assert {"file": "all_delta_w_dict.json", "direction": "eyesclose"} in loaders
        assert not any("names" in given for given in loaders)
        await page.run("widget('file').value = 'mine.pt'; widget('file').callback('mine.pt')")
        assert await page.run("widget('names').options.values()") == []
        await page.run("widget('direction').value = 'pc3'; widget('direction').callback('pc3')")
        assert await page.run("widget('names').value") == "pc3"
