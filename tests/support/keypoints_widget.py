"""Edit Keypoints in the real page, used with the mouse and the keys."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from support.browser import FOLDER
from tools.chromium import SETTINGS, Page

#: Photo, faces, the node, its keypoints as a text: node ids 1 to 5. The node stands at the left.
BUILD = """(async () => {
  app.graph.clear();
  const add = (type, x, values, ...links) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = [x, 60];
    values.forEach((value, i) => { node.widgets[i].value = value; });
    links.forEach(([from, output], input) => { if (from) from.connect(output, node, input); });
    return node;
  };
  const photo = add('LoadImage', 1000, ['astronaut.png']);
  const models = add('LikenessLoadFaceModels', 1400, ['embedded', 'CPU']);
  const faces = add('LikenessDetectFaces', 1800, [], [models, 0], [photo, 0]);
  const edit = add('LikenessEditKeypoints', 60, [], [faces, 0]);
  add('PreviewAny', 540, [], [edit, 1]);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [40, 20];
  app.canvas.setDirty(true, true);
  window.edited = () => app.graph.nodes.find((node) => node.type === 'LikenessEditKeypoints');
  window.text = () => edited().widgets.find((widget) => widget.name === 'keypoints').value;
  window.button = (name) => document.querySelector(`.likeness-keypoints input[value="${name}"]`);
  window.said = () => document.querySelector('.likeness-keypoints-status').value;
  window.draw = await import('/extensions/%s/js/keypoints/draw.js');
})()"""
#: Page pixels of a pixel of the photo, by what the node shows of it: x, y, width, height.
WHERE = """(() => {
  const canvas = document.querySelector('.likeness-keypoints canvas'), box = canvas.getBoundingClientRect();
  const [x, y, width, height] = %s;
  const view = draw.place(canvas.clientWidth, canvas.clientHeight, {x, y, width, height});
  const zoom = box.width / canvas.clientWidth;
  return [box.left + zoom * (view.left + %f * view.scale), box.top + zoom * (view.top + %f * view.scale)];
})()"""
#: The photo twice, as a batch.
TWICE = """(() => { const [photo, faces] = [1, 3].map((id) => app.graph.getNodeById(id));
  const node = LiteGraph.createNode('RepeatImageBatch'); app.graph.add(node); node.pos = [1400, 600];
  node.widgets[0].value = 2; photo.connect(0, node, 0); node.connect(0, faces, 1); })()"""
#: A text for the points, over a link.
LINK = """(() => { const node = LiteGraph.createNode('PrimitiveStringMultiline'); app.graph.add(node);
  node.pos = [1000, 600];
  node.widgets[0].value = '[{"points": [[10, 20], [50, 20], [30, 40], [15, 60], [45, 60]]}]';
  const socket = edited().inputs.findIndex((input) => input.widget?.name === 'keypoints');
  node.connect(0, edited(), socket); })()"""
WHOLE = (0.0, 0.0, 512.0, 512.0)


class Widget:
    """The node in the page, used as people use it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, vue: bool) -> None:
        await self.page.settle("LikenessEditKeypoints", {**SETTINGS, "Comfy.VueNodes.Enabled": vue})
        await self.page.run(BUILD % FOLDER)
        await self.page.rest(2)

    async def reload(self) -> None:
        await self.page.reload("LikenessEditKeypoints")

    async def queue(self) -> Any:
        """Runs the graph; what Preview as Text shows."""
        await self.page.run("delete app.nodeOutputs['5']")
        await self.page.run("app.queuePrompt(0)")
        await self.page.wait_for("!!app.nodeOutputs['5']?.text")
        return json.loads(await self.page.run("app.nodeOutputs['5'].text[0]"))

    async def drag(self, start: Any, end: Any, shown: tuple[float, ...] = WHOLE) -> None:
        a, b = [await self.page.run(WHERE % ([float(v) for v in shown], *spot)) for spot in (start, end)]
        middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
        await self.page.drag(tuple(a), middle, tuple(b))
        await self.page.rest()

    async def click(self, name: str) -> None:
        box = f"button({json.dumps(name)}).getBoundingClientRect()"
        await self.page.drag(tuple(await self.page.run(f"(b => [b.x + b.width / 2, b.y + 5])({box})")))
        await self.page.rest()

    async def loaded(self, at_least: int) -> list[str]:
        """The node's pictures that the page has asked for, when there are so many, and a second later."""
        names = "performance.getEntriesByType('resource').map((entry) => entry.name)"
        pattern = r"filename=(likeness_keypoints\w+)"
        found = f"new Set({names}.map((name) => name.match(/{pattern}/)?.[1]).filter(Boolean)).size"
        await self.page.wait_for(f"{found} >= {at_least}")
        await self.page.rest(1)
        return sorted(set(re.findall(pattern, " ".join(await self.page.run(names)))))

    async def usable(self, name: str) -> bool:
        return not await self.page.run(f"button({json.dumps(name)}).disabled")

    async def text(self) -> str:
        return str(await self.page.run("text()"))

    async def points(self) -> np.ndarray:
        (face,) = json.loads(await self.text())
        assert face["face"] == 0
        return np.array(face["points"])
