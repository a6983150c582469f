"""Graphs made for two other packs open in the real page, which replaces their nodes by ours and runs them.

Screenshots are left in demo/browser.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support.browser import Browser
from support.old_workflows import OLD_NODES, PEOPLE, old_files, old_ui, small_old
from support.workflow_runs import png

from installer.paths import REPOSITORY
from installer.server import Server
from tools.chromium import Page

SHOTS = REPOSITORY / "demo" / "browser"
STATE = """(async () => JSON.stringify({
  unknown: app.graph.nodes.filter(n => !(n.type in LiteGraph.registered_node_types)).map(n => n.type),
  red: app.graph.nodes.filter(n => n.has_errors).map(n => n.type),
  after: app.graph.nodes.flatMap(n => n.widgets || []).filter(w => w.name === 'control_after_generate')
    .map(w => w.value),
  prompt: (await app.graphToPrompt()).output,
}))()"""
ERRORS = "[data-testid=error-overlay-see-errors]"
#: The button of the panel of errors that replaces every node that can be.
REPLACE = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Replace All')"
AGAIN = "app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize()))).then(() => 1)"
FIT = "app.extensionManager.command.execute('Comfy.Canvas.FitView').then(() => 1)"


async def open_one(page: Page, name: str, graph: dict[str, Any]) -> dict[str, Any]:
    """What the graph is when opened, when replaced, and when that is saved and opened again."""
    seen = {}
    await page.run(f"app.loadGraphData({json.dumps(graph)}).then(() => 1)")
    seen["opened"] = json.loads(await page.run(STATE))
    panel = f"document.querySelector('{ERRORS}')"
    await page.wait_for(f"!!({REPLACE} || {panel})")
    await page.run(f"{REPLACE} || {panel}.click()")
    await page.wait_for(f"!!{REPLACE}")
    await page.run(FIT)
    await page.rest(1)
    await page.screenshot(SHOTS / f"old_{name}_opened.png")
    await page.run(f"{REPLACE}.click()")
    await page.wait_for("app.graph.nodes.every(n => n.type in LiteGraph.registered_node_types)")
    await page.rest(1)
    seen["replaced"] = json.loads(await page.run(STATE))
    await page.screenshot(SHOTS / f"old_{name}_replaced.png")
    await page.run(AGAIN)
    seen["again"] = json.loads(await page.run(STATE))
    return seen


@pytest.fixture(scope="module")
def opened(server: Server, browser: Browser, photos: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    folder = server.base / "input" / PEOPLE
    folder.mkdir(exist_ok=True)
    (folder / "one.png").write_bytes(png(photos["astronaut"]))
    graphs = {name: old_ui(name, server.object_info()) for name in old_files()}
    return {name: browser.do(open_one(browser.page, name, graph)) for name, graph in graphs.items()}


@pytest.mark.parametrize("name", sorted(old_files()))
def test_the_page_replaces_every_old_node(opened: dict[str, dict[str, Any]], name: str) -> None:
    old = {node["class_type"] for node in small_old(name).values()} & set(OLD_NODES)
    assert set(opened[name]["opened"]["unknown"]) == old
    for state in ("replaced", "again"):
        assert not opened[name][state]["unknown"] and not opened[name][state]["red"]


@pytest.mark.parametrize("name", sorted(old_files()))
def test_links_and_values_are_kept(opened: dict[str, dict[str, Any]], name: str) -> None:
    prompt = opened[name]["replaced"]["prompt"]
    for i, node in small_old(name).items():
        found = prompt[i]
        assert found["_meta"] == node["_meta"]
        if node["class_type"] not in OLD_NODES:
            assert found == node
            continue
        wanted = {("file" if k == "instantid_file" else k): v for k, v in node["inputs"].items()}
        if node["class_type"] == "InstantIDFaceAnalysis":
            wanted["pack"] = "antelopev2"
        assert found["inputs"] == wanted
    seeds = [node for node in prompt.values() if "seed" in node["inputs"]]
    assert opened[name]["replaced"]["after"] == ["fixed"] * len(seeds)
    assert opened[name]["again"]["prompt"] == prompt


@pytest.mark.parametrize("name", sorted(old_files()))
def test_what_the_page_made_runs(server: Server, opened: dict[str, dict[str, Any]], name: str) -> None:
    entry = server.run(opened[name]["replaced"]["prompt"])
    assert entry["status"]["status_str"] == "success"
