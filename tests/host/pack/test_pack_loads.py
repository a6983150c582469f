"""The host loads the pack, cheaply, and every node tells what it is for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from installer.paths import REPOSITORY

#: Processor seconds that loading the pack may take, on a machine that takes UNIT seconds for _UNIT.
LONGEST_IMPORT = 0.15
UNIT = 0.025
TIMES = 4
#: Rooms of ours that are loaded when a node of them first runs, and never with the pack.
LATE_ROOMS = (
    *("methods", "attention", "adapters", "control", "sampling", "text", "cast", "redraw"),
    *("algebra", "expressions", "faces", "identity"),
)
#: How many modules of ours may come with the pack. A method needs two: its nodes, and what they offer.
MOST_MODULES = 110

#: Work of the kind that importing is (making classes), by which the machine is measured.
_UNIT = """
def unit():
    begin = time.process_time()
    for n in range(20):
        fields = [(f"field_{k}", int, n) for k in range(4)]
        dataclasses.make_dataclass(f"Unit{n}", fields, frozen=True)
    return time.process_time() - begin
"""
#: Loads the pack TIMES times, and each time forgets all that came with it.
_MEASURE = f"""
import asyncio, dataclasses, json, sys, time
{_UNIT}
sys.path.insert(0, sys.argv[1])
from comfy.cli_args import args
args.cpu = True
args.base_directory = sys.argv[2]
import nodes
import comfy_api.latest, comfy.controlnet, comfy.patcher_extension
import comfy_config.config_parser  # the host's own reader of pyproject.toml: any pack makes it load
sys.pycache_prefix, sys.dont_write_bytecode = sys.argv[4], False
before, found = set(sys.modules), []
for _ in range({TIMES}):
    units = [unit() for _ in range(5)]
    begin = time.process_time()
    loaded = asyncio.run(nodes.load_custom_node(sys.argv[3]))
    seconds = time.process_time() - begin
    units += [unit() for _ in range(5)]
    came = sorted(set(sys.modules) - before)
    found.append([loaded, seconds, min(units), came])
    for name in came:
        del sys.modules[name]
print(json.dumps(found))
"""


def node_ids(pack: Any) -> list[str]:
    return [node.GET_SCHEMA().node_id for node in pack.module("nodes").NODES]


@pytest.fixture(scope="module")
def schemas(pack: Any) -> dict[str, Any]:
    return {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in pack.module("nodes").NODES}


class Loading(NamedTuple):
    seconds: float  # of the processor
    unit: float  # seconds that this machine takes for _UNIT
    ours: list[str]  # newly imported modules of ours
    others: list[str]


@pytest.fixture(scope="module")
def loadings(comfyui: Path, pack: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Loading]:
    """The pack loaded in a new process, compiled before: as at any start of the host but the first."""
    folder, place = tmp_path_factory.mktemp("loading"), pack.name.replace("_x_", ".")
    arguments = [str(comfyui), str(folder), place, str(folder / "compiled")]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = []
    for loaded, seconds, unit, modules in json.loads(done.stdout.strip().splitlines()[-1]):
        assert loaded, done.stderr[-2000:]
        ours = [name.removeprefix(f"{pack.name}.") for name in modules if name.startswith(pack.name)]
        others = [name for name in modules if not name.startswith(pack.name)]
        results.append(Loading(seconds, unit, ours, others))
    return results


def test_no_other_package_and_no_late_room_is_loaded_with_the_pack(loadings: list[Loading]) -> None:
    others = {name.split(".")[0] for name in loadings[0].others}
    assert others <= sys.stdlib_module_names, "import these in the functions that use them"
    ours = loadings[0].ours
    late = {name for name in ours if name.startswith(tuple(f"likeness.{room}." for room in LATE_ROOMS))}
    assert not late, "look into these in execute only; see likeness/late.py"
    assert "likeness.values" in ours and len(ours) <= MOST_MODULES, f"{len(ours)} modules come with the pack"


def test_loading_the_pack_takes_little_of_the_processor(loadings: list[Loading]) -> None:
    """Processor time, the best of three, against what the same process takes for other work of the kind.

    So neither a slow nor a busy machine fails it, and half as many classes again do.
    """
    took = [loading.seconds * UNIT / loading.unit for loading in loadings[1:]]
    assert min(took) <= LONGEST_IMPORT, f"{took} s where a unit takes {UNIT} s"


def test_every_node_is_registered(host: ModuleType, pack: Any) -> None:
    ids = node_ids(pack)
    assert len(ids) == len(set(ids)) and ids
    for node_id in ids:
        assert node_id.startswith("Likeness")
        assert node_id in host.NODE_CLASS_MAPPINGS


def test_the_pack_was_loaded_from_its_oddly_named_folder(pack: Any) -> None:
    assert "any name-1" in pack.name
    assert Path(pack.module("likeness.values").__file__).is_relative_to(pack.name.replace("_x_", "."))


def test_every_node_says_what_it_does(schemas: dict[str, Any]) -> None:
    for node_id, schema in schemas.items():
        assert schema.display_name and schema.description and schema.search_aliases, node_id
        assert schema.category.startswith("Likeness/"), node_id


def test_every_socket_and_widget_has_a_tooltip(schemas: dict[str, Any]) -> None:
    """A sentence, not the name once more."""
    for node_id, schema in schemas.items():
        for slot in (*schema.inputs, *schema.outputs):
            told = slot.tooltip or ""
            assert len(told) > 8 and told[-1] in ".?", f"{node_id}.{slot.id}: {told}"
            assert told.rstrip(".").lower() != slot.id.replace("_", " "), f"{node_id}.{slot.id}"
        for result in schema.outputs:
            assert result.display_name, f"{node_id}: output {result.id}"


def test_every_node_is_found_under_other_words(schemas: dict[str, Any]) -> None:
    for node_id, schema in schemas.items():
        aliases = [alias.lower() for alias in schema.search_aliases]
        assert len(set(aliases)) == len(aliases) >= 3, node_id
        assert schema.display_name.lower() not in aliases, f"{node_id}: the page finds the name by itself"


def test_every_category_is_a_room_of_several_nodes(schemas: dict[str, Any]) -> None:
    rooms: dict[str, list[str]] = {}
    for node_id, schema in schemas.items():
        pack, room = schema.category.split("/")
        assert pack == "Likeness" and room[0].isupper()
        rooms.setdefault(room, []).append(node_id)
    assert not [nodes for nodes in rooms.values() if len(nodes) < 2]
    compatible = {node_id for node_id in schemas if node_id.startswith("LikenessCompat")}
    assert set(rooms["Compatibility"]) == compatible
    assert {node_id for node_id, schema in schemas.items() if schema.is_deprecated} == compatible


def test_every_node_has_a_help_page(schemas: dict[str, Any]) -> None:
    for node_id in schemas:
        page = REPOSITORY / "web" / "docs" / f"{node_id}.md"
        assert page.is_file(), f"web/docs/{node_id}.md"
        assert len(page.read_text(encoding="utf-8")) > 200, f"web/docs/{node_id}.md"


def test_help_pages_belong_to_nodes(schemas: dict[str, Any]) -> None:
    pages = {page.stem for page in (REPOSITORY / "web" / "docs").glob("*.md")}
    assert pages <= set(schemas)
