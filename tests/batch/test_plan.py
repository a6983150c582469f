"""Keys, seeds, the order of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.batches import SMALLEST

from batch.checks import Checked, InputFile
from batch.inputs import Spec
from batch.keys import SEED_BITS, digest, row_key, seed
from batch.ledger import Ledger, Source
from batch.plan import FileChanged, Plan, all_models
from batch.values import Row, WorldError
from batch.waiting import Waiting

SEEDS = {"Sampler.seed": Spec("INT", settings={"min": 0, "max": 2**64 - 1})}


def plan(*rows: dict[str, Any], repeats: int = 1, seeds: Any = SEEDS, **changes: Any) -> Plan:
    checked = [Checked(number, row) for number, row in enumerate(rows, 1)]
    facts = {"models": {"tiny_sd15.safetensors": "aa"}, "versions": {"host": "1"}, **changes}
    return Plan(SMALLEST, checked, {}, seeds, repeats, facts["models"], facts["versions"])


def keys(*rows: dict[str, Any], **changes: Any) -> list[str]:
    return list(plan(*rows, **changes).places)


def test_a_key_is_of_all_that_decides_the_picture() -> None:
    same = keys({"Prompt.text": "a"})
    assert keys({"Prompt.text": "a"}) == same
    assert keys({"Prompt.text": "b"}) != same
    assert keys({"Prompt.text": "a"}, models={"tiny_sd15.safetensors": "bb"}) != same
    assert keys({"Prompt.text": "a"}, models={"tiny_sd15.safetensors": "aa", "other.pt": "cc"}) == same
    assert keys({"Prompt.text": "a"}, versions={"host": "2"}) != same
    assert row_key("another", {"Prompt.text": "a"}, {"tiny_sd15.safetensors": "aa"}, {"host": "1"}) != same[0]


def test_a_key_does_not_depend_on_the_rows_above() -> None:
    assert keys({"Prompt.text": "x"}, {"Prompt.text": "a"})[1:] == keys({"Prompt.text": "a"})


def test_equal_rows_have_keys_of_their_own() -> None:
    found = keys({"Prompt.text": "a"}, {"Prompt.text": "b"}, {"Prompt.text": "a"})
    assert len(set(found)) == 3
    assert found[:2] == keys({"Prompt.text": "a"}, {"Prompt.text": "b"})


def test_the_order_of_names_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_seeds_are_of_key_repeat_and_attempt_alone() -> None:
    found = {seed(key, repeat, attempt) for key in "ab" for repeat in range(3) for attempt in range(3)}
    assert len(found) == 18
    assert all(0 <= number < 2**SEED_BITS for number in found)
    # Never another: batches that were begun must go on. The first 50 bits of `printf a/1/2 | sha256sum`.
    assert seed("a", 1, 2) == 1079185645568875


def test_a_seed_is_brought_into_its_input_s_range() -> None:
    small = {"Sampler.seed": Spec("INT", settings={"min": 10, "max": 19})}
    made = plan({"Prompt.text": "a"}, seeds=small)
    for attempt in range(20):
        job = made.job(next(iter(made.places)), 0, attempt)
        assert 10 <= job.prompt["5"]["inputs"]["seed"] <= 19


def test_a_row_s_own_seed_is_for_its_first_drawing() -> None:
    made = plan({"Sampler.seed": 7}, repeats=2)
    key = next(iter(made.places))
    assert [job[3] for job in made.first_jobs()] == [7, seed(key, 1, 0)]
    assert made.job(key, 0, 0).prompt["5"]["inputs"]["seed"] == 7
    assert made.job(key, 0, 1).prompt["5"]["inputs"]["seed"] == seed(key, 0, 1)


def test_a_graph_without_seeds_has_none() -> None:
    made = plan({"Prompt.text": "a"}, seeds={})
    assert next(made.first_jobs())[3] is None


def test_files_that_changed_since_the_check(tmp_path: Path) -> None:
    photo = tmp_path / "p.png"
    photo.write_bytes(b"new")
    made = plan({"Prompt.text": InputFile(str(photo), "00" * 32)})
    job = made.job(next(iter(made.places)), 0, 0)
    with pytest.raises(FileChanged, match="is another file than when the run began"):
        made.files(job)
    photo.unlink()
    with pytest.raises(FileChanged, match="can't be read any more"):
        made.files(job)
    photo.parent.rename(tmp_path.with_name("elsewhere"))
    with pytest.raises(WorldError, match="which holds pictures of the table, is gone"):
        made.files(job)


def test_every_model_that_a_row_uses() -> None:
    rows = [Checked(1, {}), Checked(2, {"Model.ckpt_name": "other.ckpt"})]
    assert all_models(SMALLEST, rows) == ["other.ckpt", "tiny_sd15.safetensors"]
    assert all_models(SMALLEST, rows[1:]) == ["other.ckpt"]


def test_files_of_a_face_pack_that_is_chosen_by_name_are_models_too() -> None:
    graph: dict[str, dict[str, Any]] = {
        "1": {"class_type": "LikenessLoadFaceModels", "inputs": {"pack": "antelopev2"}},
        "2": {"class_type": "LikenessEmbedFaces", "inputs": {"recogniser": "antelopev2"}},
    }
    graph["1"]["_meta"] = {"title": "Faces"}
    own, other = Checked(1, {}), Checked(2, {"Faces.pack": "embedded"})
    there = [f"models/antelopev2/{name}.onnx" for name in ("glintr100", "scrfd_10g_bnkps")]
    assert all_models(graph, [own]) == there
    (embedded,) = all_models(graph, [other])
    assert embedded.startswith("models/likeness/")

    def key(digest: str) -> str:
        return next(iter(Plan(graph, [own], {}, {}, 1, {there[0]: digest}, {}).places))

    assert key("aa") != key("bb")


def test_a_worker_stays_with_the_models_it_has() -> None:
    waiting = Waiting()
    for number in range(8):
        waiting.put((f"{number}", 0, 0), ("a",) if number % 2 else ("b",))
    turns: dict[str, list[str]] = {"1": [], "2": []}
    for _ in range(4):
        for worker in turns:
            job = waiting.take(worker, ["1", "2"])
            assert job is not None
            turns[worker].append(job[0])
    assert sorted(turns.values()) == [["0", "2", "4", "6"], ["1", "3", "5", "7"]]
    assert not len(waiting)


def test_a_job_goes_to_another_worker_where_there_is_one() -> None:
    waiting = Waiting()
    waiting.put(("x", 0, 0), (), avoid="1")
    assert waiting.take("1", ["2"]) is None
    assert waiting.take("2", ["1"]) == ("x", 0, 0)
    waiting.put(("x", 0, 0), (), avoid="1")
    assert waiting.take("1", []) == ("x", 0, 0)


def test_the_ledger_takes_a_plan_as_it_is(tmp_path: Path) -> None:
    made = plan({"Prompt.text": "a"}, {"Prompt.text": "b"}, repeats=2)
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(
            made.sources([Row(1, {"Prompt.text": "a"}), Row(2, {"Prompt.text": "b"})]), made.first_jobs()
        )
        assert [(r.row, r.repeat, r.state) for r in ledger.records()] == [
            (1, 0, "waiting"), (1, 1, "waiting"), (2, 0, "waiting"), (2, 1, "waiting")
        ]  # fmt: skip
        assert ledger.source(next(iter(made.places))) == Source(
            next(iter(made.places)), 1, {"Prompt.text": "a"}, {}
        )
