"""Graphs in the real page: opened, looked at, run as with its button."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import numpy as np
from PIL import Image

from tools.chromium import Page

TITLE_BAR = 30
#: What the page made of a graph: node types it does not know, those with a red frame, boxes on the page in
#: graph units (title bar included), groups, the prompt, and the ends of notes that their boxes do not hold.
STATE = """(async () => {
  const nodes = app.graph.nodes, box = (x, y, w, h) => [x, y, x + w, y + h];
  return JSON.stringify({
    unknown: nodes.filter(n => !(n.type in LiteGraph.registered_node_types)).map(n => n.type),
    red: nodes.filter(n => n.has_errors).map(n => n.title),
    boxes: nodes.map(n => [n.type, n.title, ...box(n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30)]),
    groups: app.graph.groups.map(g => box(g.pos[0], g.pos[1], g.size[0], g.size[1])),
    prompt: (await app.graphToPrompt()).output,
    hidden: [...document.querySelectorAll('.comfy-markdown, .comfy-markdown *')]
      .filter(e => e.scrollHeight > e.clientHeight + 2 && e.clientHeight).map(e => e.innerText.slice(-60))
      .filter(text => text.trim()), // later pages keep elements without a word in there
  });
})()"""
#: The pictures in a node that were really loaded, and its text.
SHOWN = """(() => Object.fromEntries(app.graph.nodes.map(n => [n.id, {
  pictures: (n.imgs ?? []).filter(image => image.naturalWidth > 0).length,
  text: (app.nodeOutputs[n.id]?.text ?? []).join('\\n'),
}])))()"""
#: Runs the graph as the button does; how it ended, and what the server said when it did not take it.
RUN = """(async () => {
  const kinds = ['execution_success', 'execution_error', 'execution_interrupted'];
  let told;
  const ended = new Promise((then) => { told = (event) => then([event.type, event.detail]); });
  kinds.forEach((kind) => app.api.addEventListener(kind, told));
  try {
    const taken = await app.queuePrompt(0);
    if (!taken || app.lastNodeErrors && Object.keys(app.lastNodeErrors).length)
      return JSON.stringify(['refused', app.lastNodeErrors]);
    return JSON.stringify(await ended);
  } finally {
    kinds.forEach((kind) => app.api.removeEventListener(kind, told));
  }
})()"""
#: The whole graph in the middle of the page; the graph unit's size in page pixels and where its zero is.
FIT = """(() => {
  const all = [...app.graph.nodes.map(n => [n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30]),
    ...app.graph.groups.map(g => [...g.pos, ...g.size])];
  const left = Math.min(...all.map(b => b[0])), top = Math.min(...all.map(b => b[1]));
  const right = Math.max(...all.map(b => b[0] + b[2])), bottom = Math.max(...all.map(b => b[1] + b[3]));
  const canvas = app.canvas.canvas.getBoundingClientRect(), ds = app.canvas.ds, [x, y] = [%d, %d];
  ds.scale = Math.min((canvas.width - 2 * x) / (right - left), (canvas.height - 2 * y) / (bottom - top), 1);
  ds.offset[0] = x / ds.scale - left;
  ds.offset[1] = y / ds.scale - top;
  app.canvas.setDirty(true, true);
  return [ds.scale, canvas.left + ds.offset[0] * ds.scale, canvas.top + ds.offset[1] * ds.scale];
})()"""
#: The page's own menus lie along its edges.
MARGIN = (100, 70)


async def close_panel(page: Page) -> None:
    """The panel at the right covers the graph; errors and help open it."""
    await page.run("app.extensionManager.setting.set('Comfy.RightSidePanel.IsOpen', false).then(() => 1)")


async def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await page.run(STATE))
    return found


async def load(page: Page, graph: dict[str, Any]) -> dict[str, Any]:
    await page.run(f"app.loadGraphData({json.dumps(graph)}, true, true).then(() => 1)")
    return await state(page)


async def run_graph(page: Page) -> tuple[str, Any]:
    kind, detail = json.loads(await page.run(RUN))
    return kind, detail


async def fit(page: Page) -> tuple[float, float, float]:
    scale, x, y = await page.run(FIT % MARGIN)
    await page.drawn()
    return scale, x, y


def overlaps(boxes: list[list[Any]]) -> list[tuple[str, str]]:
    """Pairs of nodes of which one lies over the other. boxes: type, title, left, top, right, bottom."""
    return [
        (one[1], other[1])
        for one, other in itertools.combinations(boxes, 2)
        if one[2] < other[4] and other[2] < one[4] and one[3] < other[5] and other[3] < one[5]
    ]


def grey(shot: bytes) -> np.ndarray:
    """A screenshot as [H, W] uint8."""
    return np.asarray(Image.open(io.BytesIO(shot)).convert("L"))


def contrast(picture: np.ndarray, box: list[float], view: tuple[float, float, float]) -> float:
    """How much is drawn in a box of graph units: the standard deviation of its pixels, 0 to 255."""
    scale, x, y = view
    left, top, right, bottom = (round(v * scale + o) for v, o in zip(box, (x, y, x, y), strict=True))
    return float(picture[max(top, 0) : bottom, max(left, 0) : right].std())
