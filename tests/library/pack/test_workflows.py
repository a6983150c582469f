"""The workflows as files: what the page opens is what the server is given."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from PIL import Image
from support.exported import to_api

from installer.tiny import extra_paths, for_tiny
from tools import node_sockets
from tools.ui_graph import NOTES, is_link
from tools.ui_workflow import HELP, LAYOUTS, WORKFLOWS, api_files, build, read

NAMES = sorted(api_files())
TITLE_BAR = 30


def ui_file(name: str) -> Path:
    return WORKFLOWS / f"{name}.json"


def boxes(ui: dict) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right, bottom of every node, title bar included."""
    return {
        f"{n['id']} {n['title']}": (
            n["pos"][0],
            n["pos"][1] - TITLE_BAR,
            n["pos"][0] + n["size"][0],
            n["pos"][1] + n["size"][1],
        )
        for n in ui["nodes"]
    }


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_every_workflow_has_both_forms_a_layout_and_a_thumbnail() -> None:
    assert sorted(path.stem for path in WORKFLOWS.glob("*.json")) == NAMES
    assert sorted(path.stem for path in WORKFLOWS.glob("*.jpg")) == NAMES
    assert sorted(read(LAYOUTS)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_ui_file_holds_the_same_graph(name: str) -> None:
    assert to_api(read(ui_file(name)), node_sockets.load()) == read(api_files()[name])


@pytest.mark.parametrize("name", NAMES)
def test_ui_file_is_what_the_tool_writes(name: str) -> None:
    assert ui_file(name).read_text(encoding="utf-8") == build(name), "Run: python -m tools.ui_workflow"


@pytest.mark.parametrize("name", NAMES)
def test_links_agree_with_the_sockets_at_both_ends(name: str) -> None:
    ui = read(ui_file(name))
    nodes = {n["id"]: n for n in ui["nodes"]}
    for link, source, out, target, into, kind in ui["links"]:
        assert link in nodes[source]["outputs"][out]["links"]
        assert nodes[target]["inputs"][into]["link"] == link
        assert nodes[source]["outputs"][out]["type"] == kind
        assert nodes[target]["inputs"][into]["type"] in (kind, "*")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_and_links_run_left_to_right(name: str) -> None:
    ui = read(ui_file(name))
    placed = boxes(ui)
    clashes = [(a, b) for (a, x), (b, y) in itertools.combinations(placed.items(), 2) if overlap(x, y)]
    assert not clashes
    groups = [(x, y, x + w, y + h) for x, y, w, h in (g["bounding"] for g in ui["groups"])]
    assert not any(overlap(a, b) for a, b in itertools.combinations(groups, 2))
    for n in ui["nodes"]:
        inside = [g for g in groups if g[0] <= n["pos"][0] < g[2] and g[1] <= n["pos"][1] < g[3]]
        assert len(inside) == (0 if n["type"] in NOTES else 1), n["title"]
    left = {n["id"]: n["pos"][0] for n in ui["nodes"]}
    assert not [(source, target) for _, source, _, target, _, _ in ui["links"] if left[source] > left[target]]


@pytest.mark.parametrize("name", NAMES)
def test_note_says_what_to_load(name: str) -> None:
    """Every picture to choose, by the node's title or what stands before its colon, and every file."""
    (note,) = [n for n in read(ui_file(name))["nodes"] if n["type"] in NOTES]
    (text,) = note["widgets_values"]
    assert "**Weights**" in text
    for node in read(api_files()[name]).values():
        title = node["_meta"]["title"]
        if node["class_type"] == "LoadImage":
            assert {f"*{title}*", f"*{title.split(':')[0]}*"} & set(re.findall(r"\*[^*]+\*", text)), title
            assert "people who agreed to it" in text
        for value in node["inputs"].values():
            if isinstance(value, str) and re.search(r"\.(safetensors|bin|pth?|onnx|ckpt)$", value):
                assert value.split("/")[-1] in text, f"{title}: {value}"
        pack = node["inputs"].get("pack", "embedded")
        assert pack == "embedded" or f"`insightface/models/{pack}/`" in text, f"{title}: {pack}"


@pytest.mark.parametrize("name", NAMES)
def test_prompt_is_complete(name: str) -> None:
    sockets, prompt = node_sockets.load(), read(api_files()[name])
    for i, node in prompt.items():
        known = {slot.name: slot for slot in sockets[node["class_type"]].inputs}
        given = {name.split(".")[0] for name in node["inputs"]}  # of a growing row: its name
        assert given <= set(known), f"node {i} has inputs that it does not know: {given - set(known)}"
        needed = {n for n, slot in known.items() if slot.widget or not slot.optional}
        assert needed <= given, f"node {i} lacks {needed - given}"
        for value in filter(is_link, node["inputs"].values()):
            assert value[0] in prompt and value[1] < len(sockets[prompt[value[0]]["class_type"]].outputs)


#: They take what only another pack's node gives, which no workflow of ours may need.
FOREIGN = {"LikenessFaceModelsFromAnalysis"}


def test_every_node_is_shown_and_explained() -> None:
    used = {node["class_type"] for path in api_files().values() for node in read(path).values()}
    ours = {name for name in used if name.startswith("Likeness")}
    # Stand-ins for other packs' nodes are shown by old graphs alone: tests/host/compat/test_replacements.py.
    pages = {path.stem for path in HELP.glob("*.md") if not path.stem.startswith("LikenessCompat")}
    assert pages == ours | FOREIGN and not ours & FOREIGN


@pytest.mark.parametrize("path", sorted(HELP.glob("*.md")), ids=lambda path: path.stem)
def test_help_page_names_every_socket(path: Path) -> None:
    node, text = node_sockets.load()[path.stem], path.read_text(encoding="utf-8")
    names = [slot.name for slot in node.inputs] + [name for name, _ in node.outputs]
    assert not [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize("name", NAMES)
def test_thumbnail_is_a_small_jpeg(name: str) -> None:
    path = WORKFLOWS / f"{name}.jpg"
    with Image.open(path) as picture:
        assert picture.format == "JPEG" and max(picture.size) == 512
    assert path.stat().st_size < 100_000


def test_a_value_without_a_widget_is_told() -> None:
    ui = read(ui_file("instantid_basic"))
    next(n for n in ui["nodes"] if n["type"] == "KSampler")["widgets_values"].append("left over")
    with pytest.raises(ValueError, match=r"KSampler.*left over"):
        to_api(json.loads(json.dumps(ui)), node_sockets.load())


@pytest.mark.parametrize("name", NAMES)
def test_the_tiny_face_pack_is_for_arc2face_alone(name: str) -> None:
    """The demo and everything of InstantID run on the embedded pack; links and nodes stay."""
    prompt, full = for_tiny(read(api_files()[name])), read(api_files()[name])
    assert {i: node["class_type"] for i, node in prompt.items()} == {
        i: node["class_type"] for i, node in full.items()
    }
    wanted = ("antelopev2", "arc2face") if name.startswith("arc2face") else ("embedded", "sface")
    if {"LikenessRepairFaces", "LikenessDrawUntil"} & {node["class_type"] for node in full.values()}:
        # One recogniser judges what another draws: both stay.
        named = ("LikenessLoadFaceModels", "LikenessEmbedFaces")
        assert all(prompt[i] == node for i, node in full.items() if node["class_type"] in named)
        return
    loaders = [n["inputs"] for n in prompt.values() if n["class_type"] == "LikenessLoadFaceModels"]
    embeds = [n["inputs"] for n in prompt.values() if n["class_type"] == "LikenessEmbedFaces"]
    assert {inputs["pack"] for inputs in loaders} <= {wanted[0]}
    assert {inputs["recogniser"] for inputs in embeds} <= {wanted[1]}


def test_the_demo_s_model_folders_hold_no_tiny_recogniser(tmp_path: Path) -> None:
    assert "insightface" not in extra_paths(tmp_path, tmp_path / "paths.yaml").read_text(encoding="utf-8")


def test_a_growing_row_shows_its_links_and_one_free_socket() -> None:
    mix = next(n for n in read(ui_file("arc2face_mix"))["nodes"] if n["type"] == "LikenessMixIdentities")
    row = [(socket["name"], socket["link"] is not None) for socket in mix["inputs"] if "." in socket["name"]]
    assert row == [(f"identities.identity_{n}", n < 2) for n in range(3)]
