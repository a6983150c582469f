from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from proof import packing


def _tensors(seed: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn(24, 12, 3, 3, generator=chance)
        * torch.logspace(-4, 2, 24)[:, None, None, None],
        "norm.weight": 1 + 0.1 * torch.randn(24, generator=chance),
        "small.weight": torch.randn(3, 3, generator=chance),
        "nothing.weight": torch.zeros(64, 64),
        "count": torch.tensor(7),
    }


def test_each_row_is_off_by_at_most_half_a_step_of_its_own(tmp_path: Path) -> None:
    tensors = _tensors(0)
    packing.write(tmp_path / "a.safetensors", tensors)
    read = packing.read(tmp_path / "a.safetensors")
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape
    flat, found = tensors["conv.weight"].flatten(1), read["conv.weight"].flatten(1)
    # Half of a 127th, and the scale is rounded upwards by up to two thousandths.
    assert ((flat - found).abs().amax(1) <= flat.abs().amax(1) / 254 * 1.003).all()
    assert (flat - found).abs().max() > 0
    assert torch.equal(read["nothing.weight"], tensors["nothing.weight"])
    assert torch.equal(read["count"], tensors["count"])


def test_what_was_read_packs_to_the_same_numbers(tmp_path: Path) -> None:
    packing.write(tmp_path / "a.safetensors", _tensors(0))
    once = packing.read(tmp_path / "a.safetensors")
    packing.write(tmp_path / "b.safetensors", once)
    first, second = load_file(tmp_path / "a.safetensors"), load_file(tmp_path / "b.safetensors")
    assert set(first) == set(second)
    whole = first["conv.weight"].int() - second["conv.weight"].int()
    assert whole.abs().max() <= 1
    again = packing.read(tmp_path / "b.safetensors")
    assert torch.equal(again["norm.weight"], once["norm.weight"])


def test_int8_is_what_the_file_holds_and_zeros_take_no_room(tmp_path: Path) -> None:
    packing.write(tmp_path / "a.safetensors", _tensors(0))
    stored = load_file(tmp_path / "a.safetensors")
    whole = packing.from_code(stored["conv.weight"], [24, 12, 3, 3])
    assert whole.dtype == torch.int8 and (whole.abs().amax((1, 2, 3)) > 120).all()
    read = packing.read(tmp_path / "a.safetensors")["conv.weight"]
    assert torch.equal(packing.unpacked(whole, stored["conv.weight.scale"]), read)
    assert "nothing.weight" not in stored


def test_a_small_difference_from_a_trunk_is_kept_more_exactly_in_half_the_room(tmp_path: Path) -> None:
    trunk = _tensors(0)
    near = {
        name: tensor + 0.01 * tensor if tensor.is_floating_point() else tensor
        for name, tensor in trunk.items()
    }
    packing.write(tmp_path / "own.safetensors", near)
    packing.write(tmp_path / "from.safetensors", near, trunk=trunk, trunk_name="sd15")
    own = packing.read(tmp_path / "own.safetensors")
    restored = packing.read(tmp_path / "from.safetensors", trunk={"sd15": trunk}.__getitem__)

    def error(read: dict[str, torch.Tensor]) -> float:
        return float((read["conv.weight"] - near["conv.weight"]).square().mean())

    assert error(restored) < error(own) / 10
    stored = load_file(tmp_path / "from.safetensors")["conv.weight"]
    assert 2 * stored.nbytes < load_file(tmp_path / "own.safetensors")["conv.weight"].nbytes
    with pytest.raises(ValueError, match="differences from sd15"):
        packing.read(tmp_path / "from.safetensors")


def test_differences_from_another_trunk_are_refused(tmp_path: Path) -> None:
    trunk = _tensors(0)
    packing.write(tmp_path / "a.safetensors", _tensors(1), trunk=trunk, trunk_name="sd15")
    with pytest.raises(ValueError, match="another sd15 than the one that is here"):
        packing.read(tmp_path / "a.safetensors", trunk={"sd15": _tensors(2)}.__getitem__)


def test_differences_are_moved_onto_a_trunk_that_learnt_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trunk, now = _tensors(0), _tensors(2)
    near = {name: tensor * 1.01 if tensor.is_floating_point() else tensor for name, tensor in trunk.items()}
    packing.write(tmp_path / "a.safetensors", near, trunk=trunk, trunk_name="sd15")
    known = packing.read(tmp_path / "a.safetensors", trunk={"sd15": trunk}.__getitem__)["conv.weight"]
    moved = packing.read(tmp_path / "a.safetensors", trunk={"sd15": now}.__getitem__, moved=True)
    wanted = known - trunk["conv.weight"] + now["conv.weight"]
    assert torch.allclose(moved["conv.weight"], wanted, atol=1e-6)
    assert "from another sd15: they go onto this one" in caplog.text


def test_unpacked_files_keep_every_bit(tmp_path: Path) -> None:
    tensors = _tensors(0)
    packing.write(tmp_path / "a.safetensors", tensors, packed=False)
    read = packing.read(tmp_path / "a.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_broken_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NaN"):
        packing.write(tmp_path / "a.safetensors", {"x": torch.tensor([[float("nan")]])})
    assert not list(tmp_path.iterdir())


def test_another_file_is_told_from_ours(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="not packed"):
        packing.read(tmp_path / "a.safetensors")


def test_delicate_tensors_are_kept_in_half_precision(tmp_path: Path) -> None:
    chance = torch.Generator().manual_seed(3)
    whole = {name: torch.randn(8, 16, generator=chance) for name in ("fine.weight", "rough.weight")}
    packing.write(tmp_path / "file", whole, delicate=("fine.",))
    restored = packing.read(tmp_path / "file")
    assert torch.equal(restored["fine.weight"], whole["fine.weight"].half().float())
    assert not torch.equal(restored["rough.weight"], whole["rough.weight"].half().float())


def test_what_is_mostly_zeros_takes_little_room_and_loses_nothing(tmp_path: Path) -> None:
    tensors = {"by_hand.weight": 0.3 * torch.eye(64).roll(5, 0)}
    packing.write(tmp_path / "a.safetensors", tensors)
    assert sum(tensor.nbytes for tensor in load_file(tmp_path / "a.safetensors").values()) == 64 * 8
    assert torch.equal(packing.read(tmp_path / "a.safetensors")["by_hand.weight"], tensors["by_hand.weight"])


def test_a_file_of_an_older_packing_is_named(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "old.safetensors", {"packing": '{"format": 1, "trunk": ""}'})
    with pytest.raises(ValueError, match=r"old\.safetensors was packed in an older way"):
        packing.read(tmp_path / "old.safetensors")


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (6, 31), (4, 7)])
def test_fewer_bits_take_less_and_err_by_half_a_scale(bits: int, most: int, tmp_path: Path) -> None:
    tensor = torch.randn(64, 50, generator=torch.Generator().manual_seed(1))
    packing.write(tmp_path / "made.safetensors", {"one": tensor}, bits=bits)
    error = (packing.read(tmp_path / "made.safetensors")["one"] - tensor).abs().amax(1)
    assert (error <= tensor.abs().amax(1) / most * 0.51).all() and error.max() > 0
    assert (tmp_path / "made.safetensors").stat().st_size < tensor.numel() * bits / 8 + 1500


def test_bytes_that_are_mostly_alike_come_back_from_a_shorter_code() -> None:
    whole = (torch.randn(64, 64, generator=torch.Generator().manual_seed(2)) * 9).to(torch.int8)
    code = packing.in_code(whole)
    assert len(code) < 0.75 * whole.numel()
    assert torch.equal(packing.from_code(code, [64, 64]), whole)
