"""Every template opens in the real page: no unknown node, and the page makes the same prompt of it.

Not part of `install.py --test`: it needs a Chromium. Run: python -m pytest tests/browser/check_templates.py
Screenshots are left in demo/browser.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.server import Server
from tools.ui_workflow import WORKFLOWS, api_files, read

sys.path.insert(0, str(Path(__file__).parent))
from chromium import Page

SHOTS = Path(__file__).resolve().parents[2] / "demo" / "browser"
# The first visit would open the template browser, and missing gigabytes would open a dialog, over the graph.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Minimap.Visible": False,
}
LOAD = """(async () => {
  await app.loadGraphData(%s);
  const unknown = app.graph.nodes.filter(n => !(n.type in LiteGraph.registered_node_types)).map(n => n.type);
  const boxes = app.graph.nodes.map(n => [n.title, n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30]);
  const prompt = (await app.graphToPrompt()).output;
  await app.extensionManager.command.execute('Comfy.Canvas.FitView');
  return JSON.stringify({unknown, boxes, prompt});
})()"""


async def open_all(url: str) -> dict[str, dict[str, Any]]:
    opened: dict[str, dict[str, Any]] = {}
    # Large, so that the page draws the texts of a whole workflow.
    async with Page(url, 3200, 1700) as page:
        await page.wait_for("!!(window.app && app.graph && app.extensionManager && window.LiteGraph)")
        body = json.dumps(json.dumps(SETTINGS))
        await page.run(f"fetch('/api/settings', {{method: 'POST', body: {body}}}).then(() => 1)")
        await page.run("location.reload()")
        await asyncio.sleep(3)
        await page.wait_for("!!(window.app && app.graph && app.extensionManager && window.LiteGraph)")
        await page.wait_for("'LikenessDetectFaces' in LiteGraph.registered_node_types")
        for name in api_files():
            graph = json.dumps(read(WORKFLOWS / f"{name}.json"))
            opened[name] = json.loads(await page.run(LOAD % graph))
            await asyncio.sleep(1.5)
            await page.screenshot(SHOTS / f"{name}.png")
    return opened


@pytest.fixture(scope="module")
def opened(server: Server) -> Iterator[dict[str, dict[str, Any]]]:
    yield asyncio.run(open_all(server.url))


@pytest.mark.parametrize("name", sorted(api_files()))
def test_template_opens_whole(opened: dict[str, dict[str, Any]], name: str) -> None:
    # The note is a node of the page alone.
    assert set(opened[name]["unknown"]) <= {"MarkdownNote"}
    prompt = {i: node for i, node in opened[name]["prompt"].items() if node["class_type"] != "MarkdownNote"}
    assert prompt == read(api_files()[name])


@pytest.mark.parametrize("name", sorted(api_files()))
def test_nodes_do_not_overlap_at_the_sizes_the_page_gives_them(
    opened: dict[str, dict[str, Any]], name: str
) -> None:
    boxes = opened[name]["boxes"]
    for i, (a, ax, ay, aw, ah) in enumerate(boxes):
        for b, bx, by, bw, bh in boxes[:i]:
            apart = ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay
            assert apart, f"{a} lies over {b}"
