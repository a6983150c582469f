"""Every template opens in the real page as it is written, and runs from there on tiny checkpoints.

Screenshots are left in demo/browser: NAME.png as opened, NAME_run.png with what it made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from support.browser import FOLDER, Browser
from support.page_graph import SHOWN, close_panel, contrast, fit, grey, load, overlaps, run_graph, state
from support.workflow_runs import fewest_steps

from installer.paths import REPOSITORY
from tools.chromium import Page
from tools.ui_graph import NOTES
from tools.ui_workflow import api_files, read, ui_of

NAMES = sorted(api_files())
SHOTS = REPOSITORY / "demo" / "browser"
#: As the page's own dialog of templates opens one.
OPEN = """(async () => {
  const answer = await app.api.fetchApi('/workflow_templates/%s/%s.json');
  await app.loadGraphData(await answer.json(), true, true, '%s');
})()"""
PICTURES, TEXTS = ("SaveImage", "PreviewImage"), ("PreviewAny",)
#: A node drawn without its texts, or a picture node without its picture, is below.
DRAWN = 4.0


@dataclass(frozen=True)
class Visit:
    """A template as it opened, and the same graph on the tiny files after its run."""

    opened: dict[str, Any]
    shot: np.ndarray
    view: tuple[float, float, float]
    tiny: dict[str, Any]
    ran: dict[str, Any]
    ended: tuple[str, Any]
    shown: dict[str, Any]
    run_shot: np.ndarray
    run_view: tuple[float, float, float]


async def visit(page: Page, name: str) -> Visit:
    await close_panel(page)
    await page.run(OPEN % (FOLDER, name, name))
    opened, view = await state(page), await fit(page)
    shot = grey(await page.screenshot(SHOTS / f"{name}.png"))
    await load(page, ui_of(name, fewest_steps(read(api_files()[name]))))
    run_view = await fit(page)
    tiny = await state(page)
    ended = await run_graph(page)
    wanted = [int(i) for i, node in tiny["prompt"].items() if node["class_type"] in PICTURES]
    if ended[0] == "execution_success":
        loaded = "app.graph.getNodeById(i).imgs?.some(image => image.naturalWidth)"
        await page.wait_for(f"{json.dumps(wanted)}.every(i => {loaded})")
    await page.drawn()
    shown, ran = await page.run(SHOWN), await state(page)
    run_shot = grey(await page.screenshot(SHOTS / f"{name}_run.png"))
    return Visit(opened, shot, view, tiny, ran, ended, shown, run_shot, run_view)


@pytest.fixture(scope="module")
def visits() -> dict[str, Visit]:
    return {}


@pytest.fixture
def seen(browser: Browser, visits: dict[str, Visit], name: str) -> Visit:
    if name not in visits:
        visits[name] = browser.do(visit(browser.page, name))
    return visits[name]


@pytest.mark.parametrize("name", NAMES)
class TestTemplate:
    def test_opens_whole(self, seen: Visit, name: str) -> None:
        # The note is a node of the page alone.
        assert set(seen.opened["unknown"]) <= set(NOTES)
        assert without_notes(seen.opened["prompt"]) == read(api_files()[name])

    def test_the_note_is_shown_whole(self, seen: Visit, name: str) -> None:
        assert not seen.opened["hidden"], "Give the note more height in tools/workflow_layouts.json."

    def test_only_missing_files_are_red(self, seen: Visit, name: str) -> None:
        full, tiny = read(api_files()[name]), fewest_steps(read(api_files()[name]))
        loaders = {node["_meta"]["title"] for i, node in full.items() if node != tiny[i]}
        assert set(seen.opened["red"]) <= loaders
        assert not seen.tiny["red"] and without_notes(seen.tiny["prompt"]) == tiny

    def test_nodes_stand_apart_and_in_groups(self, seen: Visit, name: str) -> None:
        """Also with their pictures in: those make some nodes larger."""
        for found in (seen.opened, seen.ran):
            assert not overlaps(found["boxes"])
            for kind, title, left, top, right, bottom in found["boxes"]:
                around = [
                    group
                    for group in found["groups"]
                    if group[0] <= left and group[1] <= top and right <= group[2] and bottom <= group[3]
                ]
                assert len(around) == (0 if kind in NOTES else 1), title

    def test_every_node_is_drawn(self, seen: Visit, name: str) -> None:
        for found, shot, view in (
            (seen.opened, seen.shot, seen.view),
            (seen.ran, seen.run_shot, seen.run_view),
        ):
            for _, title, *box in found["boxes"]:
                assert contrast(shot, box, view) > DRAWN, title

    def test_runs_from_the_page_and_shows_what_it_made(self, seen: Visit, name: str) -> None:
        assert seen.ended[0] == "execution_success", seen.ended[1].get("exception_message", seen.ended)
        for i, node in without_notes(seen.tiny["prompt"]).items():
            if node["class_type"] in PICTURES:
                assert seen.shown[i]["pictures"] > 0, node["_meta"]["title"]
            if node["class_type"] in TEXTS:
                assert seen.shown[i]["text"], node["_meta"]["title"]


def without_notes(prompt: dict[str, Any]) -> dict[str, Any]:
    return {i: node for i, node in prompt.items() if node["class_type"] not in NOTES}
