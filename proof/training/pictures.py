"""Pictures to learn from, drawn once into the cache and read from there without being loaded whole."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..world.captions import Said, caption, said
from ..world.draw import draw
from ..world.people import SKIN, Person
from ..world.scene import USUAL_SIZE, Figure, Scene, figure

log = logging.getLogger(__name__)

SIZE = 128
#: Where the stages' people begin: no two of them, nor what is measured on, share a person.
STREAMS = {"train": 1_000_000, "judge": 2_000_000, "unseen": 3_000_000, "second": 4_000_000}


@dataclass(frozen=True)
class Album:
    """pictures uint8 [n, SIZE, SIZE, 3]; labels uint8 [n, SIZE, SIZE]; points float32 [n, 5, 2];
    people int [n]; figures: how each was drawn."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    points: NDArray[np.float32]
    people: NDArray[np.int64]
    figures: Callable[[int], Figure]

    def __len__(self) -> int:
        return len(self.people)

    def batch(self, places: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, SIZE, SIZE], 0..1."""
        chosen = np.stack([self.pictures[int(place)] for place in places])
        return torch.from_numpy(chosen).permute(0, 3, 1, 2).float().div_(255)


def figure_of(stream: str, place: int, each: int, group: int = 1) -> Figure:
    """The figure at a place of an album: `each` pictures of a person follow each other.

    group: so many people after each other share a skin, so that nothing but geometry tells them apart.
    """
    number = place // each
    person = Person.of(STREAMS[stream] + number)
    if group > 1:
        shared = Person.of(STREAMS[stream] + 500_000 + number // group)
        numbers = person.numbers.copy()
        numbers[SKIN] = shared.numbers[SKIN]
        person = Person(numbers)
    return figure(STREAMS[stream] + place, person)


@dataclass(frozen=True)
class Couples:
    """Two people side by side: pictures uint8 [n, SIZE, 2 * SIZE, 3]; scenes: how each was drawn."""

    pictures: NDArray[np.uint8]
    scenes: Callable[[int], Scene]

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, places: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, SIZE, 2 * SIZE], 0..1."""
        chosen = np.stack([self.pictures[int(place)] for place in places])
        return torch.from_numpy(chosen).permute(0, 3, 1, 2).float().div_(255)


def couple(first: Figure, second: Figure) -> Scene:
    """Two people of the size of a portrait, for a picture twice as wide as high."""
    placed = [
        replace(one, pose=replace(one.pose, shift=(across, 0.0), size=USUAL_SIZE))
        for one, across in ((first, -0.25), (second, 0.25))
    ]
    return Scene(tuple(placed))


def couples(cache: Path, count: int, stream: str = "train") -> Couples:
    """Draws them when the cache does not have them."""
    file = cache / "pictures" / f"couples-{stream}-{count}-{world()}.npy"

    def scene(place: int) -> Scene:
        seeds = (STREAMS[stream] + 700_000 + 2 * place + n for n in (0, 1))
        first, second = (figure(seed) for seed in seeds)
        return couple(first, second)

    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        drawn = np.stack([draw(scene(place), (SIZE, 2 * SIZE)).picture for place in range(count)])
        part = file.with_suffix(".part.npy")
        np.save(part, drawn)
        os.replace(part, file)
    return Couples(np.load(file, mmap_mode="r"), scene)


def held_back(cache: Path, count: int) -> Album:
    """What is measured on; count: of the pictures learnt from, which says how large a run it is."""
    return album(cache, "unseen", min(400, max(16, count // 4)))


def album(cache: Path, stream: str, count: int, each: int = 2, group: int = 1) -> Album:
    """Draws it when the cache does not have it."""
    folder = cache / "pictures" / f"{stream}-{count}-{each}-{group}-{world()}"
    if not (folder / "done.json").is_file():
        _draw(folder, stream, count, each, group)
    loaded = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pictures", "labels", "points")
    }
    people = np.arange(count) // each
    return Album(**loaded, people=people, figures=lambda place: figure_of(stream, place, each, group))


@lru_cache(maxsize=1)
def world() -> str:
    """Names the world as it is drawn now: pictures of an older one are of no use."""
    digest = hashlib.sha256()
    for file in sorted((Path(__file__).resolve().parents[1] / "world").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _draw(folder: Path, stream: str, count: int, each: int, group: int) -> None:
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shape = (count, SIZE, SIZE)
    pictures = np.lib.format.open_memmap(part / "pictures.npy", "w+", np.uint8, (*shape, 3))
    labels = np.lib.format.open_memmap(part / "labels.npy", "w+", np.uint8, shape)
    points = np.zeros((count, 5, 2), np.float32)
    for place in range(count):
        drawing = draw(figure_of(stream, place, each, group), SIZE)
        pictures[place], labels[place], points[place] = drawing.picture, drawing.labels, drawing.points[0]
        if (place + 1) % 2000 == 0:
            log.info("Drawn: %d of %d", place + 1, count)
    pictures.flush()
    labels.flush()
    np.save(part / "points.npy", points)
    (part / "done.json").write_text(json.dumps({"count": count}), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)


def words(figure: Figure | Scene, seed: int) -> str:
    """A caption with parts left out by chance."""
    return caption(figure, seed=seed, left_out=0.15)


def told(album: Album) -> Iterator[Said]:
    """What there is to be said of each picture."""
    return (said(album.figures(place)) for place in range(len(album)))
