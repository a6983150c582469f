"""The blueprints are found by the page's search, put into a graph, wired up, and run on tiny checkpoints.

Screenshots are left in demo/browser.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.browser import Browser
from support.page_graph import SHOWN, close_panel, fit, load, run_graph, state
from support.workflow_runs import fewest_steps

from installer.paths import REPOSITORY
from installer.server import Server
from tools import node_sockets
from tools.blueprints import definitions, layout_of, part_of
from tools.chromium import Page
from tools.subgraph import Part
from tools.ui_graph import Prompt, is_link, plain, to_ui
from tools.ui_layout import arrange

NAMES = sorted(definitions())
SHOTS = REPOSITORY / "demo" / "browser"
SEARCH = "document.querySelector('[role=dialog] input')"
#: Values into the widgets of the last node, links into its inputs, and a picture node behind every picture
#: it gives.
WIRE = """(([values, sources]) => {
  const made = app.graph.nodes.at(-1), right = Math.max(...app.graph.nodes.map((n) => n.pos[0] + n.size[0]));
  made.pos = [right + 60, 40];
  for (const widget of made.widgets) if (widget.name in values) {
    const before = widget.value;
    widget.value = values[widget.name];
    made.onWidgetChanged?.(widget.name, widget.value, before, widget);  // as after a click
  }
  for (const [name, [id, slot]] of Object.entries(sources))
    app.graph.getNodeById(id).connect(slot, made, made.inputs.findIndex((input) => input.name === name));
  made.outputs.forEach((output, slot) => {
    if (output.type !== 'IMAGE') return;
    const shown = LiteGraph.createNode('PreviewImage');
    app.graph.add(shown);
    shown.pos = [made.pos[0] + made.size[0] + 60, 40 + 400 * slot];
    shown.size = [300, 320];
    made.connect(slot, shown, 0);
  });
  return [made.id, made.outputs.filter((output) => output.type === 'IMAGE').length];
})(%s)"""


def tiny_part(name: str) -> Part:
    part = part_of(name)
    return Part(name, fewest_steps(part.whole), part.inputs, part.widgets, part.outputs)


def outer(part: Part) -> Prompt:
    """What feeds the inputs, and all that needs."""
    wanted, found = [i for i, _ in part.inputs.values()], set()
    while wanted:
        i = wanted.pop()
        found.add(i)
        wanted += [v[0] for v in part.whole[i]["inputs"].values() if is_link(v) and v[0] not in found]
    return {i: node for i, node in part.whole.items() if i in found}


async def put_in(page: Page, name: str, left_out: str = "") -> dict[str, Any]:
    part, nodes = tiny_part(name), node_sockets.load()
    around, workflow = outer(part), definitions()[name]["workflow"]
    places, groups, _ = arrange(around, nodes, layout_of(workflow, around))
    await close_panel(page)
    await load(page, to_ui(around, nodes, places, groups, [], name))
    await page.run("app.extensionManager.command.execute('Workspace.SearchBox.Toggle').then(() => 1)")
    await page.wait_for(f"{SEARCH} === document.activeElement")
    await page.type(name)
    found = "document.querySelector('[role=dialog]').innerText.includes('Subgraph Blueprints')"
    await page.wait_for(found)
    await page.drawn()
    await page.press("Enter")
    await page.wait_for(f"app.graph.nodes.at(-1).title === {json.dumps(name)}")
    values = {label: plain(part.whole[i]["inputs"][w]) for label, ((i, w), *_) in part.widgets.items()}
    sources = {label: source for label, source in part.inputs.items() if label != left_out}
    made, pictures = await page.run(WIRE % json.dumps([values, sources]))
    seen: dict[str, Any] = {**await state(page), "made": str(made), "pictures": pictures}
    seen["ended"] = await run_graph(page)
    await close_panel(page)
    await fit(page)
    if seen["ended"][0] == "execution_success":
        loaded = (
            "app.graph.nodes.filter((n) => n.type === 'PreviewImage' && n.imgs?.[0]?.naturalWidth).length"
        )
        await page.wait_for(f"{loaded} === {pictures}")
    if not left_out:
        await page.screenshot(SHOTS / f"blueprint_{name.replace(' ', '_').lower()}.png")
    seen["shown"] = await page.run(SHOWN)
    return seen


@pytest.fixture(scope="module", params=NAMES)
def used(request: pytest.FixtureRequest, browser: Browser) -> tuple[str, dict[str, Any]]:
    return request.param, browser.do(put_in(browser.page, request.param))


def test_the_server_lists_them(server: Server) -> None:
    listed = json.loads(server.get("/api/global_subgraphs"))
    ours = {entry["name"]: i for i, entry in listed.items() if entry["source"] == "custom_node"}
    assert sorted(ours) == NAMES
    for name, i in ours.items():
        content = json.loads(server.get(f"/api/global_subgraphs/{i}"))["data"]
        assert content == (REPOSITORY / "subgraphs" / f"{name}.json").read_text(encoding="utf-8")


def by_title(prompt: Prompt) -> Prompt:
    """A title in place of each id: the page gives a node inside another id where the graph has that one."""
    titles = {i: node["_meta"]["title"] for i, node in prompt.items()}
    assert len(set(titles.values())) == len(titles)

    def named(value: Any) -> Any:
        return [titles.get(value[0], value[0]), value[1]] if is_link(value) else value

    return {
        titles[i]: {**node, "inputs": {k: named(v) for k, v in node["inputs"].items()}}
        for i, node in prompt.items()
    }


def test_the_page_makes_the_workflows_prompt_of_it(used: tuple[str, dict[str, Any]]) -> None:
    """Node 7 inside the blueprint, node 40 of the graph, is 40:7 in the prompt."""
    name, found = used
    inside = found["made"] + ":"
    made = {i: node for i, node in found["prompt"].items() if i.startswith(inside)}
    assert by_title(made) == by_title(tiny_part(name).inner)
    assert not found["unknown"] and not found["red"]


def test_it_runs_and_shows_its_pictures(used: tuple[str, dict[str, Any]]) -> None:
    _, found = used
    assert found["ended"][0] == "execution_success", found["ended"]
    assert sum(node["pictures"] for node in found["shown"].values()) >= found["pictures"] > 0


def test_masterweaver_does_with_one_photo(browser: Browser) -> None:
    """What is not connected outside is not connected inside."""
    found = browser.do(put_in(browser.page, "MasterWeaver portrait", left_out="another_photo"))
    encode = found["prompt"][f"{found['made']}:7"]
    assert encode["class_type"] == "LikenessEncodeMasterWeaver"
    assert {socket for socket in encode["inputs"] if socket.startswith("images")} == {"images.image_0"}
    assert found["ended"][0] == "execution_success", found["ended"]
