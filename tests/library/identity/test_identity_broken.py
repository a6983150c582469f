"""Identity files that are broken, cut or something else: each is named, none runs code."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from likeness.identity import SIDE, Person, load_people, save_people
from likeness.values import Identity

FAMILY = [
    Person(Identity(torch.full((1, 512), n), "sface"), name) for n, name in ((1.0, "anna"), (2.0, "ben"))
]
PICTURES = torch.linspace(0, 1, 2)[:, None, None, None].expand(-1, SIDE, SIDE, 3)


class Harmful:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def test_a_pickle_is_told_and_never_opened(tmp_path: Path) -> None:
    trace, file = tmp_path / "trace", tmp_path / "x.safetensors"
    for protocol in range(2, 6):
        file.write_bytes(pickle.dumps(Harmful(trace), protocol))
        with pytest.raises(
            ValueError, match=r"x\.safetensors is no identity file but a pickle.*was not opened"
        ):
            load_people(file)
    torch.save({"embeddings": Harmful(trace)}, file)
    with pytest.raises(ValueError, match=r"pickle or an archive of torch\.save"):
        load_people(file)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Harmful(trace)))
    assert trace.exists(), "the pickle would have done harm"


def test_a_newer_format_and_a_huge_foreign_file_are_told_without_reading_on(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    save_file({"embeddings": torch.ones(1, 4)}, file, {"format": "likeness-identity/9"})
    with pytest.raises(
        ValueError, match=r"likeness-identity/2; its format is likeness-identity/9, maybe of a newer"
    ):
        load_people(file)
    with file.open("wb") as sparse:  # a header of 1 GB in a file of 100 GB
        sparse.write((1 << 30).to_bytes(8, "little"))
        sparse.truncate(100 << 30)
    with pytest.raises(ValueError, match="is no identity file"):
        load_people(file)


def test_a_huge_file_that_says_it_is_an_identity_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    save_people(FAMILY, file)
    with file.open("r+b") as sparse:
        sparse.truncate(100 << 30)
    with pytest.raises(ValueError, match=r"x\.safetensors is damaged: it has 107,374,182,400 bytes"):
        load_people(file)


@pytest.mark.parametrize(
    "people", ["", "[]", "{}", "[1]", '["anna"]', '[{"recogniser": 3}]', "[" * 100_000, "not json"]
)
def test_a_broken_list_of_people_is_damage(tmp_path: Path, people: str) -> None:
    facts = {"format": "likeness-identity/2", "people": people}
    save_file({"embeddings.0": torch.ones(1, 4)}, tmp_path / "x.safetensors", facts)
    with pytest.raises(ValueError, match=r"x\.safetensors is damaged or incomplete"):
        load_people(tmp_path / "x.safetensors")


def test_a_person_without_vectors_is_told(tmp_path: Path) -> None:
    facts = {"format": "likeness-identity/2", "people": json.dumps([{"recogniser": "sface"}] * 2)}
    save_file({"embeddings.0": torch.ones(1, 4)}, tmp_path / "x.safetensors", facts)
    with pytest.raises(ValueError, match=r"x\.safetensors lacks its embeddings"):
        load_people(tmp_path / "x.safetensors")


def test_a_file_cut_anywhere_is_named(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    save_people(FAMILY, whole, PICTURES)
    content = whole.read_bytes()
    for length in [*range(0, 200), *range(200, len(content), 97), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"^cut\.safetensors "):
            load_people(cut)


def test_flipped_bytes_are_read_or_named(tmp_path: Path) -> None:
    """Whatever a byte becomes: people come out, or a ValueError that names the file; never anything else."""
    whole, flipped = tmp_path / "whole.safetensors", tmp_path / "flipped.safetensors"
    save_people(FAMILY, whole, PICTURES[:, :8, :8])
    content, draw, named = whole.read_bytes(), random.Random(7), 0
    header = int.from_bytes(content[:8], "little") + 8
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 1, 4))):
            changed[draw.randrange(header)] = draw.randrange(256)
        flipped.write_bytes(changed)
        try:
            people, _ = load_people(flipped)
        except ValueError as error:
            assert str(error).startswith("flipped.safetensors ")
            named += 1
        else:
            assert people
    assert named > 120
