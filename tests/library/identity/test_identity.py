"""Combining vectors and identity files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from likeness.identity import Person, combine, load_people, save_people
from likeness.values import Identity

VECTORS = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 5.0]])


def test_mean_is_the_raw_mean() -> None:
    assert combine(VECTORS, "mean").tolist() == [[1.0, 2.0]]


def test_unit_mean_gives_every_face_the_same_say_and_keeps_the_length() -> None:
    # units: (1,0) (0,1) (0,1); mean (1/3, 2/3); mean norm 3
    assert combine(VECTORS, "unit mean")[0].tolist() == pytest.approx([1.0, 2.0])
    louder = VECTORS * torch.tensor([[10.0], [1.0], [1.0]])
    direction = torch.nn.functional.normalize(combine(louder, "unit mean"))
    assert torch.allclose(direction, torch.nn.functional.normalize(combine(VECTORS, "unit mean")))
    one = torch.tensor([[3.0, 4.0]])
    assert torch.allclose(combine(one, "unit mean"), one)


def test_median_is_not_moved_by_an_outlier() -> None:
    assert combine(VECTORS, "median").tolist() == [[0.0, 1.0]]
    assert combine(VECTORS[:2], "median").tolist() == [[1.5, 0.5]]


def test_none_keeps_the_vectors_apart() -> None:
    kept = combine(VECTORS, "none")
    assert torch.equal(kept, VECTORS)
    assert kept.data_ptr() != VECTORS.data_ptr()


def test_bad_combinations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'norm average'.*mean, unit mean, median, none"):
        combine(VECTORS, "norm average")
    with pytest.raises(ValueError, match="describes nobody"):
        combine(torch.zeros(2, 4), "unit mean")
    with pytest.raises(ValueError, match="describes nobody"):
        Identity(combine(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), "mean"), "sface")
    with pytest.raises(ValueError, match="NaN"):
        Identity(torch.tensor([[float("nan"), 1.0]]), "sface")


def test_a_file_gives_back_the_identity(tmp_path: Path) -> None:
    raw = torch.randn(3, 512, generator=torch.Generator().manual_seed(1)) * 20
    file = tmp_path / "anna.safetensors"
    given = Identity(raw, "glintr100", torch.tensor([1.0, 2.0, 0.5]), "faces of picture 0: 3; none")
    save_people([Person(given)], file)
    again = load_people(file)[0][0].identity
    assert torch.equal(again.embeddings, raw)
    assert again.weights is not None
    assert again.weights.tolist() == [1.0, 2.0, 0.5]
    assert (again.recogniser, again.source) == ("glintr100", "faces of picture 0: 3; none")
    assert [path.name for path in tmp_path.iterdir()] == ["anna.safetensors"]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(OSError):
        save_people([Person(Identity(torch.ones(1, 4), "sface"))], tmp_path / "taken.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.safetensors"]


def test_half_precision_files_are_read(tmp_path: Path) -> None:
    metadata = {"format": "likeness-identity/1", "recogniser": "sface"}
    save_file({"embeddings": torch.ones(1, 4, dtype=torch.float16)}, tmp_path / "h.safetensors", metadata)
    people, _ = load_people(tmp_path / "h.safetensors")
    assert people[0].identity.embeddings.dtype == torch.float32


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "anna.safetensors"
    save_people([Person(Identity(torch.ones(1, 512), "sface"))], file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"anna\.safetensors is damaged or incomplete"):
        load_people(file)
    for length in (0, 5, 40):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"anna\.safetensors is no identity file"):
            load_people(file)


@pytest.mark.parametrize("content", [b"GIF89a not weights at all", b"\x05\0\0\0\0\0\0\0[1,2]", b"\xff" * 64])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.safetensors is no identity file"):
        load_people(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("tensors", "metadata", "says"),
    [
        ({"embeddings": torch.ones(1, 4)}, None, "is no identity file"),
        ({"embeddings": torch.ones(1, 4)}, {"format": "likeness-identity/9"}, "is no identity file"),
        ({"weights": torch.ones(4)}, {"recogniser": "sface"}, "lacks its embeddings"),
        ({"embeddings": torch.ones(1, 4)}, {}, "the recogniser's name"),
        ({"embeddings": torch.ones(4)}, {"recogniser": "sface"}, "must have shape"),
        ({"embeddings": torch.full((1, 4), float("nan"))}, {"recogniser": "sface"}, "NaN"),
        ({"embeddings": torch.zeros(1, 4)}, {"recogniser": "sface"}, "describes nobody"),
        (
            {"embeddings": torch.ones(2, 4), "weights": torch.ones(3)},
            {"recogniser": "sface"},
            "weights must have shape",
        ),
    ],
)
def test_what_is_wrong_inside_is_said(
    tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None, says: str
) -> None:
    written = None if metadata is None else {"format": "likeness-identity/1", **metadata}
    save_file(tensors, tmp_path / "x.safetensors", written)
    with pytest.raises(ValueError, match=rf"x\.safetensors.*{says}"):
        load_people(tmp_path / "x.safetensors")
