"""Other files for some stages: as they were before packing, and of other seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.report_shots import shots

from proof import packing
from proof.report import claims, rows, seeds, variants
from proof.training import running
from proof.training.stages import Rooms, stage


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path / "models", tmp_path / "cache")


def finish(name: str, rooms: Rooms, value: float, seed: int = 0) -> None:
    one = replace(stage(name), seed=stage(name).seed + seed)
    numbers = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    running._write(one, rooms, {"weight": value * numbers}, {"steps": 1.0})


def weight(file: Path) -> torch.Tensor:
    return packing.read(file)["weight"]


def test_a_stage_is_kept_as_it_was_before_packing(rooms: Rooms) -> None:
    finish("sdxl", rooms, 1.0)
    kept = variants.unpacked(rooms)
    packed, whole = weight(rooms.models / "sdxl.safetensors"), weight(kept["sdxl"])
    assert set(kept) == {"sdxl"} and not torch.equal(packed, whole)
    assert torch.allclose(packed, whole, atol=0.02)
    # Packed, it is the file of models.
    assert torch.equal(packing.as_read({"weight": whole})["weight"], packed)


def test_what_was_kept_of_another_training_is_not_taken(rooms: Rooms) -> None:
    finish("sdxl", rooms, 1.0)
    finish("sdxl", Rooms(rooms.models, rooms.cache / "elsewhere"), 2.0)
    assert variants.unpacked(rooms) == {}


def test_another_seed_leaves_what_was_kept_alone(rooms: Rooms) -> None:
    finish("sdxl", rooms, 1.0)
    finish("sdxl", Rooms(rooms.cache / "seeds" / "1", rooms.cache), 2.0, seed=1000)
    assert torch.equal(weight(variants.unpacked(rooms)["sdxl"]) * 2, 2 * weight_of(1.0))


def weight_of(value: float) -> torch.Tensor:
    return value * torch.randn(16, 16, generator=torch.Generator().manual_seed(0))


def test_variants_replace_some_files_and_leave_the_others(rooms: Rooms, tmp_path: Path) -> None:
    for name in ("sdxl", "instantid"):
        finish(name, rooms, 1.0)
    other = Rooms(tmp_path / "other", tmp_path / "other_cache")
    finish("instantid", other, 3.0)
    made = variants.with_files(rooms, "try", {"instantid": other.models / "instantid.safetensors"})
    for name, source in (("sdxl", rooms), ("instantid", other)):
        file = f"{name}.safetensors"
        assert (made.models / file).read_bytes() == (source.models / file).read_bytes()
    assert made.cache != rooms.cache


def test_what_packing_costs_is_drawn_when_what_learnt_was_kept(rooms: Rooms) -> None:
    row = rows.row("unpacked")
    for name in ("autoencoder", "recogniser", "sdxl", "instantid", "identitynet"):
        finish(name, rooms, 1.0)
    assert row.lacks(rooms) == []
    # Where not all were trained anew, the row is of what was.
    for name in ("autoencoder", "recogniser", "sdxl", "instantid"):
        (rooms.cache / "unpacked" / f"{name}.of").unlink()
    assert row.lacks(rooms) == []
    (rooms.cache / "unpacked" / "identitynet.of").unlink()
    assert row.lacks(rooms) == ["weights as they were before packing"]
    packed = {"instantid_identitynet": shots(likeness=0.5)}
    verdict = claims.verdicts({**packed, "unpacked": shots(likeness=0.52)})
    assert verdict["packing"].state == claims.FAILS and verdict["packing"].evidence.startswith("0.020")
    verdict = claims.verdicts({**packed, "unpacked": shots(likeness=0.5)})
    assert verdict["packing"].state == claims.HOLDS


def test_a_seed_borrows_what_it_needs_and_is_refused_when_that_has_changed(rooms: Rooms) -> None:
    for name in stage("instantid").needs:
        finish(name, rooms, 1.0)
    seed = Rooms(rooms.cache / "seeds" / "7", rooms.cache)
    running.borrow(["instantid"], rooms, seed)
    finish("instantid", seed, 1.0, seed=7000)
    assert set(seeds.trained(seed.models, rooms)) == {"instantid"}
    finish("sdxl", rooms, 2.0)
    with pytest.raises(ValueError, match="trained beside another sdxl"):
        seeds.trained(seed.models, rooms)


def test_only_rows_that_a_seed_changes_are_drawn_again() -> None:
    drawn = ["ceiling", "sdxl", "instantid", "instantid_identitynet", "mix"]
    assert seeds.touched(["instantid"], drawn) == ["instantid", "instantid_identitynet"]
    assert seeds.touched(["identitynet"], drawn) == ["instantid_identitynet"]
    assert seeds.touched(["pva"], drawn) == []


def test_a_direction_must_be_the_same_for_every_seed() -> None:
    usual = {"sdxl": shots(likeness=0.1), "instantid": shots(likeness=0.4, points=0.3)}
    usual["instantid_identitynet"] = shots(points=0.1)
    again = {"instantid": shots(likeness=0.3, points=0.05), "instantid_identitynet": shots(points=0.1)}
    first, second = seeds.directions(usual, {"1": again})
    assert first.gains == {"": pytest.approx(0.3), "1": pytest.approx(0.2)} and first.same
    # Points must fall, against the same seed's own adapter.
    assert second.gains == {"": pytest.approx(-0.2), "1": pytest.approx(0.05)} and not second.same
    more = {"sdxl": shots(20, likeness=0.1), "instantid": shots(20, likeness=0.4)}
    more["sdxl"].likeness[12:] = 0.9  # people whom the other seed has not drawn
    assert seeds.directions(more, {"1": {"instantid": again["instantid"]}})[0].gains["1"] == pytest.approx(
        0.2
    )
    page = seeds.section([first, second], 200)
    assert page[0].startswith("## ") and "| +0.300 | +0.200 | yes |" in page[-3] and "**no**" in page[-2]
    assert seeds.section([], 200) == []


def test_what_holds_differences_brings_its_trunk(rooms: Rooms, tmp_path: Path) -> None:
    finish("sd15", rooms, 1.0)
    finish("sd2_inpaint", rooms, 1.1)
    other = Rooms(tmp_path / "other", rooms.cache)
    running.borrow(["pva"], rooms, other)
    assert {file.stem for file in other.models.glob("*.safetensors")} == {"sd15", "sd2_inpaint"}
    borrowed, own = (running.results(["sd2_inpaint"], some)["sd2_inpaint"] for some in (other, rooms))
    assert torch.equal(borrowed["weight"], own["weight"])
