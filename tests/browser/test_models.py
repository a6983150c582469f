"""A first picture from nothing, by clicks in the real page alone: open a template, get its models, run.

A hub on this machine has tiny files under the real names. Screenshots are left in demo/browser.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.booted import ATTENTION
from support.browser import FOLDER
from support.hub import serving
from support.models_to_get import Shelf, pack, real_names
from support.workflow_runs import png

from installer import paths, tiny
from installer.paths import REPOSITORY
from installer.server import Server
from tools.chromium import SETTINGS, Page

SHOTS = REPOSITORY / "demo" / "browser"
#: As the page's own dialog of templates opens the one whose card is clicked.
OPEN = """(async () => {
  const answer = await app.api.fetchApi('/workflow_templates/%s/%s.json');
  await app.loadGraphData(await answer.json(), true, true, '%s');
})()"""
PANEL = "document.querySelector('.likeness-models')"
FILES = f"[...{PANEL}.querySelectorAll('li b')].map((name) => name.textContent)"
GET, GET_RESTRICTED, STOP = (
    "input[value^='Get'][value*='files: ']",
    "input[value*='not for commerce']",
    "input[value=Stop]",
)
RUN = "[data-testid=queue-button]"
#: Elements that our files made or styled, and that stand neither in a widget nor in our tab.
STRAY = """[...document.querySelectorAll('*')].filter((element) =>
  !element.closest('.likeness-models, .likeness-keypoints, .likeness-sliders, .likeness-drawer')
  && (/(^|\\s)likeness-/.test(element.className?.baseVal ?? element.className)
    || /\\/extensions\\/any-name_1\\//.test(element.href || element.src || ''))
).map((element) => element.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[type[Shelf], str]]:
    with serving(Shelf) as (shelf, port):
        yield shelf, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def bare(
    hub: tuple[type[Shelf], str], comfyui: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server without a single model file, whose pack lists those that the hub has."""
    shelf, address = hub
    own = tmp_path_factory.mktemp("comfyui-bare")
    shelf.files = real_names(tiny.ensure_tiny(sys.executable, comfyui) / "models")
    pack(own / "custom_nodes" / FOLDER, shelf.files, address, ["project_out", "instantid_basic"])
    paths.link_folder(tiny.PACK, own / "custom_nodes" / tiny.PACK.name)
    packs = [FOLDER, tiny.PACK.name]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIKENESS_MIRROR", address)
        environment.setenv("no_proxy", "127.0.0.1,localhost")
        with Server(sys.executable, comfyui, own, packs, one_thread=True, arguments=ATTENTION) as running:
            yield running


class Clicks:
    """A page in which everything is done with the mouse, and counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    async def open(self, template: str) -> None:
        """The click on the template's card."""
        self.count = 1
        await self.page.run(OPEN % (FOLDER, template, template))

    async def click(self, selector: str, held: float = 0) -> None:
        """held: seconds that the button stays down."""
        element = f"document.querySelector({json.dumps(selector)})"
        await self.page.wait_for(f"{element} && !{element}.disabled")
        place = f"(b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())"
        x, y = await self.page.run(place)
        assert await self.page.run(f"{element}.contains(document.elementFromPoint({x}, {y}))"), selector
        await self.page.drag((x, y), held=held)
        self.count += 1

    async def run(self) -> None:
        """Press Run; until the picture is saved."""
        await self.page.run(
            """window.ended = '';
            for (const kind of ['execution_success', 'execution_error'])
              app.api.addEventListener(kind, (e) => { window.ended = kind + JSON.stringify(e.detail); });"""
        )
        await self.click(RUN)
        await self.page.wait_for("ended")
        assert (await self.page.run("ended")).startswith("execution_success"), await self.page.run("ended")
        saved = "app.graph.nodes.find((node) => node.type === 'SaveImage')"
        await self.page.wait_for(f"{saved}.imgs?.[0]?.naturalWidth > 0")


def test_a_first_picture_in_three_clicks(
    bare: Server, hub: tuple[type[Shelf], str], photos: dict[str, np.ndarray]
) -> None:
    bare.upload(png(photos["astronaut"]), "astronaut.png")
    asyncio.run(scenario(bare, hub[0]))


async def scenario(bare: Server, shelf: type[Shelf]) -> None:
    async with Page(bare.url, 1600, 1000) as page:
        settings = {**SETTINGS, "Comfy.Workflow.ShowMissingModelsWarning": True}
        await page.settle("LikenessDetectFaces", settings)
        clicks = Clicks(page)
        await three(clicks)
        await stopped(clicks, shelf)
        await four(clicks, bare)
        await from_elsewhere(page, bare)
        assert await page.run(STRAY) == []


async def three(clicks: Clicks) -> None:
    """A template whose files are for everybody: template, get, run."""
    page = clicks.page
    await clicks.open("project_out")
    await page.wait_for(f"{PANEL} && {FILES}.length === 1")
    assert await page.run(f"{PANEL}.querySelector(`{GET_RESTRICTED}`)") is None
    assert "CreativeML Open RAIL++-M" in await page.run(f"{PANEL}.innerText")
    await clicks.click(f".likeness-models {GET}")
    await page.wait_for(f"{PANEL}.innerText.includes('All model files of this graph are there.')")
    await clicks.run()
    assert clicks.count == 3
    await page.screenshot(SHOTS / "models_three_clicks.png")


async def stopped(clicks: Clicks, shelf: type[Shelf]) -> None:
    """A download that is slow shows how far it is, and stops when told so."""
    page = clicks.page
    shelf.slowly.set()
    await clicks.open("instantid_basic")
    await page.wait_for(f"{FILES}.length === 4")
    await page.screenshot(SHOTS / "models_lacking.png")
    await clicks.click(f".likeness-models {GET}")
    await page.wait_for(f"{PANEL}.querySelector('progress')?.value > 0")
    await page.screenshot(SHOTS / "models_coming.png")
    assert await page.run(f"{PANEL}.querySelector(`{GET_RESTRICTED}`).disabled")
    # Longer than from one look at the download to the next.
    await clicks.click(f".likeness-models {STOP}", held=2)
    await page.wait_for(f"!{PANEL}.querySelector('progress') && {PANEL}.innerText.includes('stopped')")
    shelf.slowly.clear()
    assert len(await page.run(FILES)) >= 3


async def four(clicks: Clicks, bare: Server) -> None:
    """What commerce may not use takes a click of its own."""
    page = clicks.page
    await clicks.open("instantid_basic")
    await clicks.click(f".likeness-models {GET}")
    await page.wait_for(f'JSON.stringify({FILES}) === \'["scrfd_10g_bnkps.onnx","glintr100.onnx"]\'')
    assert "non-commercial research only" in await page.run(f"{PANEL}.innerText")
    await clicks.click(f".likeness-models {GET_RESTRICTED}")
    await page.wait_for(f"{FILES}.length === 0")
    await page.wait_for("!app.graph.nodes.some((node) => node.has_errors)")
    await clicks.run()
    assert clicks.count == 4
    assert not list((bare.base / "models").rglob("*.part")) and not list(
        (bare.base / "models").rglob("*.zip")
    )


async def from_elsewhere(page: Page, bare: Server) -> None:
    """Behind a proxy the tab says why it gets nothing, and shows the command."""
    (bare.base / "models" / "instantid" / "ip-adapter.bin").unlink()
    await page._call("Network.enable")
    await page._call("Network.setExtraHTTPHeaders", headers={"X-Forwarded-For": "192.168.1.7"})
    await page.run(OPEN % (FOLDER, "instantid_basic", "instantid_basic"))
    await page.wait_for(f"JSON.stringify({FILES}) === '[\"ip-adapter.bin\"]'")
    assert "through a proxy" in await page.run(f"{PANEL}.innerText")
    assert await page.run(f"{PANEL}.querySelector('input').value") == "python install.py --models instantid"
    assert await page.run(f"{PANEL}.querySelector('input[type=button]')") is None
    await page.screenshot(SHOTS / "models_from_elsewhere.png")
