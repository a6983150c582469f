"""A method is a graph: an API file whose nodes have our templates' titles, on any checkpoint."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installer.paths import REPOSITORY

from .prompts import Prompt
from .titles import Nodes, node_names, set_inputs, settable

#: What the nodes are called that a run sets, as in workflows/api.
PHOTO = ("Photo of the Person", "Who: Photo of the Person", "A Photo of the Person", "Another Photo")
PHOTO_OF_TWO = (
    ("Left Person", "Photo of the Left Person", "New Left Person"),
    ("Right Person", "Photo of the Right Person", "New Right Person"),
)
TEXT = ("Prompt", "ConsistentID Prompt", "Prompt with the Person's Word")
NOISE = ("Sample", "Noise", "KSampler")
SAVE = ("Save Picture", "Repaired", "Save the Best")
_SEEDS = ("seed", "noise_seed")
#: A word that stands for a person, as PVA's <new1>: it takes the place of what people are called.
_OWN_WORD = re.compile(r"<[^<>\s]+>")
_NAME = re.compile(r"[A-Za-z0-9_-]+")

#: Recognisers of nodes that have no input to choose one by; of other packs as their projects have them.
_RECOGNISERS = {
    "LikenessEncodePVA": "ms1mv3_r50",
    "LikenessConsistentIDPrompt": "w600k_r50",
    "InstantIDFaceAnalysis": "glintr100",
    "PulidInsightFaceLoader": "glintr100",
    "PulidFluxInsightFaceLoader": "glintr100",
    "IPAdapterInsightFaceLoader": "w600k_r50",
    "IPAdapterUnifiedLoaderFaceID": "w600k_r50",
}


@dataclass(frozen=True, eq=False)
class Graph:
    """nodes: only those that the saved picture needs. photos: for each person the nodes that load them.

    text, seeds, save: ids of nodes; text may be None, for methods without words. people: how many it shows.
    conditioners: the recognisers that it draws by.
    """

    name: str
    nodes: Nodes
    photos: tuple[tuple[str, ...], ...]
    text: tuple[str, str] | None
    seeds: tuple[tuple[str, str], ...]
    save: str
    people: int = 1
    conditioners: frozenset[str] = field(default_factory=frozenset)

    def asks(self, prompt: Prompt) -> bool:
        """Whether it shows as many people, and takes words if the prompt is more than a plain one."""
        return self.people == prompt.people and (self.text is not None or prompt.group == "plain")

    def filled(self, photos: Sequence[str], words: Sequence[str], prompt: Prompt, seed: int) -> Nodes:
        """For the server. photos: names in its input folder, one a person; words: what they are called."""
        nodes = copy.deepcopy(self.nodes)
        for places, name in zip(self.photos, photos, strict=False):
            for place in places:
                nodes[place]["inputs"]["image"] = name
        if self.text:
            place, what = self.text
            own = _OWN_WORD.search(str(nodes[place]["inputs"][what]))
            called = [f"{own[0]} person"] * len(words) if own else words
            nodes[place]["inputs"][what] = prompt.said(called)
        for place, what in self.seeds:
            nodes[place]["inputs"][what] = seed
        nodes[self.save]["inputs"].update({"filename_prefix": f"likeness_proof/{self.name}"})
        return nodes

    @property
    def checkpoint(self) -> str:
        """The base model by its file, for the report; several are joined."""
        named = [
            str(node["inputs"][key])
            for node in self.nodes.values()
            for key in ("ckpt_name", "unet_name")
            if isinstance(node["inputs"].get(key), str)
        ]
        return " + ".join(dict.fromkeys(named)) or "a model of its own"


def read(where: str, settings: Mapping[str, Any] | None = None) -> Graph:
    """A template's name or the path of an API file. settings: {title: {input: value}}, of titles that it has.

    Raises ValueError that says what is missing.
    """
    path = Path(where)
    if not path.suffix:
        path = REPOSITORY / "workflows" / "api" / f"{where}.json"
    try:
        nodes: Nodes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The method {where} can't be read: {error}. Give a name of workflows/api or the path of a "
            "workflow in API form (Workflow > Export (API))."
        ) from error
    if not isinstance(nodes, dict) or not all("class_type" in node for node in nodes.values()):
        raise ValueError(f"{path} is not in API form: export it with Workflow > Export (API).")
    if not _NAME.fullmatch(path.stem):
        raise ValueError(f"The method's file name {path.stem!r} may hold letters, digits, - and _ only.")
    names = set(node_names(nodes).values())
    nodes = set_inputs(nodes, {title: told for title, told in (settings or {}).items() if title in names})
    return of(path.stem, nodes)


def of(name: str, nodes: Nodes) -> Graph:
    """A graph by its titles. Raises ValueError that names the title it lacks."""
    titles = {place: node.get("_meta", {}).get("title", "") for place, node in nodes.items()}

    def titled(wanted: Sequence[str], what: str) -> list[str]:
        return [
            place
            for one in wanted
            for place, title in titles.items()
            if title == one and what in settable(nodes[place]["inputs"])
        ]

    save = titled(SAVE, "filename_prefix") or [p for p, n in nodes.items() if n["class_type"] == "SaveImage"]
    if len(save) != 1 and not titled(SAVE, "filename_prefix"):
        raise ValueError(_lacks(name, SAVE, "saves the picture (SaveImage)"))
    nodes = needed(nodes, save[0])
    two = tuple(tuple(p for p in titled(side, "image") if p in nodes) for side in PHOTO_OF_TWO)
    one = tuple(place for place in titled(PHOTO, "image") if place in nodes)
    photos = two if all(two) else (one,) if one else ()
    texts = [(p, what) for what in ("text", "prompt") for p in titled(TEXT, what) if p in nodes]
    seeds = [(p, what) for what in _SEEDS for p in titled(NOISE, what) if p in nodes]
    if not photos:
        raise ValueError(_lacks(name, (*PHOTO[:1], *(side[0] for side in PHOTO_OF_TWO)), "loads the photo"))
    if not seeds:
        raise ValueError(_lacks(name, NOISE, "has the seed"))
    text = texts[0] if texts else None
    return Graph(name, nodes, photos, text, tuple(seeds), save[0], len(photos), conditioners(nodes))


def _lacks(name: str, titles: Sequence[str], what: str) -> str:
    called = " or ".join(repr(title) for title in titles)
    return f"The method {name} has no node called {called} that {what}. Title it so in ComfyUI, and export."


def needed(nodes: Nodes, save: str) -> Nodes:
    """The nodes that one depends on, and itself: previews take time and are nobody's."""
    wanted, open_ = {save}, [save]
    while open_:
        for source, _ in links(nodes[open_.pop()]):
            if source in nodes and source not in wanted:
                wanted.add(source)
                open_.append(source)
    return {place: copy.deepcopy(node) for place, node in nodes.items() if place in wanted}


def links(node: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(node, output) of each wire that comes in, in the inputs' order."""
    return [(value[0], value[1]) for value in node["inputs"].values() if is_link(value)]


def is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def conditioners(nodes: Nodes) -> frozenset[str]:
    """The recognisers that a graph draws by: they may not judge it."""
    chosen = {
        node["inputs"].get("recogniser") or _RECOGNISERS.get(node["class_type"]) for node in nodes.values()
    }
    return frozenset(name for name in chosen if isinstance(name, str))
