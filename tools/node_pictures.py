"""Take the pictures of the help pages, web/docs/pictures/NODE_ID.webp: every node as the page draws it.

`python -m tools.node_pictures` boots a ComfyUI and a Chromium; with names of nodes behind it, those alone.
It also puts the picture at the top of a page that shows none. A picture that would look the same is left.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from installer.environment import current
from installer.paths import REPOSITORY, link_folder
from installer.server import Server

from .chromium import SETTINGS, Page
from .ui_graph import is_link, plain
from .ui_layout import SIZES
from .ui_workflow import HELP, api_files, read

PICTURES = HELP / "pictures"
PACK = "likeness"
#: Picture pixels of a graph unit: sharp on dense screens, in a help panel of some 400 pixels.
SCALE = 1.5
MARGIN = 16
QUALITY = 70
#: No badge of the pack on the node, and no pattern behind it.
LOOKS = {
    **SETTINGS,
    "Comfy.NodeBadge.NodeSourceBadgeMode": "None",
    "Comfy.NodeBadge.NodeIdBadgeMode": "None",
    "Comfy.NodeBadge.NodeLifeCycleBadgeMode": "None",
    "Comfy.Graph.CanvasInfo": False,
}
#: One node alone with these widget values, at the page's own size for it or a larger one; its box. What
#: sliders are named after is connected to it, far outside of the picture.
PLACE = """(async () => {
  app.graph.clear();
  const made = (type, values) => {
    const one = LiteGraph.createNode(type);
    app.graph.add(one);
    for (const widget of one.widgets ?? []) if (widget.name in values) widget.value = values[widget.name];
    return one;
  };
  const node = made(%s, %s), [width, height] = %s;
  for (const [name, slot, type, values] of %s) {
    const source = made(type, values);
    source.pos = [-4000, 0];
    source.connect(slot, node, node.inputs.findIndex((input) => input.name === name));
  }
  const [least, high] = node.computeSize();
  node.setSize([Math.max(least, width, 60 + 9 * node.title.length), Math.max(high, height)]);
  node.pos = [0, 30];
  // Its files are not on this machine; the red frame for that comes a little later.
  Object.defineProperty(node, 'has_errors', {get: () => false, set: () => {}});
  app.canvas.deselectAll();
  app.canvas.background_image = null;
  app.canvas.clear_background_color = '#1b1c20';
  app.canvas.ds.scale = %f;
  app.canvas.ds.offset = [200, 100];
  app.canvas.setDirty(true, true);
  return [node.size[0], node.size[1] + 30];
})()"""
WIDTH = 300
#: Nodes that need their room before anything ran; that of others is for pictures to come.
DRAWING = ("LikenessEditKeypoints",)


#: Nodes whose sliders are named after what is connected; the row of sockets.
SLIDERS = {"LikenessAttributePrompt": "attributes.", "LikenessEditWPlus": "directions."}


def values_of(node: dict[str, Any]) -> dict[str, Any]:
    return {k: plain(v) for k, v in node["inputs"].items() if not is_link(v)}


def shown(node_id: str) -> tuple[dict[str, Any], list[tuple[str, int, str, dict[str, Any]]]]:
    """The values it has in the first workflow that uses it: those that people see first; and, where it has
    sliders, their sockets, and slot, type and values of what is connected there."""
    for path in api_files().values():
        prompt = read(path)
        for node in prompt.values():
            if node["class_type"] == node_id:
                row = SLIDERS.get(node_id, " ")
                links = {k: v for k, v in node["inputs"].items() if k.startswith(row)}
                sources = [
                    (k, slot, prompt[i]["class_type"], values_of(prompt[i])) for k, (i, slot) in links.items()
                ]
                return values_of(node), sources
    return {}, []


async def place(page: Page, node_id: str) -> tuple[float, float]:
    """The node alone in the middle of nothing; its width and height in graph units, title bar included."""
    width, height = SIZES.get(node_id, (WIDTH, 0))
    least = [width, height if node_id in DRAWING else 0]
    values, sources = shown(node_id)
    arguments = (json.dumps(node_id), json.dumps(values), least, json.dumps(sources), SCALE)
    width, height = await page.run(PLACE % arguments)
    return width, height


async def take(page: Page, node_id: str) -> Image.Image:
    width, height = await place(page, node_id)
    await page.drawn()
    await page.rest()  # widgets that are elements of the page follow a little later
    left, top = await page.run(
        "(b => [b.left + 200 * app.canvas.ds.scale, b.top + 100 * app.canvas.ds.scale])"
        "(app.canvas.canvas.getBoundingClientRect())"
    )
    clip = {
        "x": left - MARGIN,
        "y": top - MARGIN,
        "width": width * SCALE + 2 * MARGIN,
        "height": height * SCALE + 2 * MARGIN,
        "scale": 1,
    }
    return Image.open(io.BytesIO(await page.picture(clip))).convert("RGB")


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def looks_the_same(new: bytes, path: Path) -> bool:
    if not path.is_file():
        return False
    one, other = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)
        for content in (new, path.read_bytes())
    )
    return one.shape == other.shape and bool(np.abs(one - other).mean() < 0.2)


def mention(page: Path) -> None:
    """The picture below the heading of a help page, if it is not there."""
    text = page.read_text(encoding="utf-8")
    link = f"pictures/{page.stem}.webp"
    if link in text:
        return
    heading, _, rest = text.partition("\n")
    title = heading.removeprefix("# ").strip()
    text = f"{heading}\n\n![The node {title}]({link})\n{rest}"
    page.write_text(text, encoding="utf-8", newline="\n")


async def take_all(url: str, node_ids: list[str]) -> None:
    async with Page(url, 1900, 2600) as page:
        await page.settle(node_ids[0], LOOKS)
        for node_id in node_ids:
            new, path = encoded(await take(page, node_id)), PICTURES / f"{node_id}.webp"
            if not looks_the_same(new, path):
                path.write_bytes(new)
                sys.stdout.write(f"{path.relative_to(REPOSITORY)} {path.stat().st_size}\n")
            mention(HELP / f"{node_id}.md")


def main(node_ids: list[str]) -> None:
    wanted = node_ids or sorted(path.stem for path in HELP.glob("*.md"))
    comfyui = Path(os.environ.get("LIKENESS_COMFYUI") or current().comfyui)
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        link_folder(REPOSITORY, Path(folder) / "custom_nodes" / PACK)
        with Server(sys.executable, comfyui, Path(folder), [PACK], one_thread=True) as server:
            asyncio.run(take_all(server.url, wanted))


if __name__ == "__main__":
    main(sys.argv[1:])
