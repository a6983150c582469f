"""Cases, claims, bars and pages of the report, on made-up numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.report_shots import shots

from proof.report import bars, claims, plots, readme, rows, selftest, sheets
from proof.report.cases import FIRST, Case, cases, grouped, several, together
from proof.report.measures import Estimate
from proof.report.rows import weights
from proof.report.shots import Shots
from proof.report.write import Report, write
from proof.training.pictures import STREAMS
from proof.world.captions import read, said
from proof.world.people import Person


def test_nobody_of_a_report_was_seen_in_training() -> None:
    people = {Case(n).person for n in range(50)}
    assert len(people) == 50
    for first in STREAMS.values():
        assert abs(FIRST - first) > 500_000
        assert not people & {Person.of(first + n) for n in range(50)}


def test_a_case_is_one_person_in_two_pictures() -> None:
    case = Case(3)
    assert case.reference.person == case.truth.person == case.person
    assert case.stranger.person != case.person
    assert case.stranger.attributes == case.truth.attributes
    assert read(case.prompt) == (said(case.truth),) == (case.asked,)
    again = Case(3, seed_shift=1)
    assert again.prompt == case.prompt and again.draw_seed != case.draw_seed
    assert (case.truth_drawing.picture != case.reference_drawing.picture).any()


def test_groups_are_disjoint_or_go_around() -> None:
    people = cases(5)
    apart = grouped(people, 2, apart=True)
    assert [[case.number for case in pair] for pair in apart] == [[0, 1], [2, 3]]
    around = grouped(people, 2, apart=False)
    assert [[case.number for case in pair] for pair in around] == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]


def test_two_in_one_picture_share_its_background_and_light() -> None:
    first, second = together((Case(0), Case(1)))
    assert second.person == Case(1).person and second.truth.expression == Case(1).truth.expression
    assert second.asked.background == first.asked.background == Case(0).asked.background
    assert second.truth.attributes.hair_style == Case(1).truth.attributes.hair_style
    assert {first, Case(0)} == {first, Case(0)} and second != Case(1)


def test_several_pictures_of_a_person_are_of_one_person_who_looks_otherwise_in_each() -> None:
    made = several(Case(4), 3)
    assert made[0] == Case(4) and {case.person for case in made} == {Case(4).person}
    assert {case.reference for case in made} == {Case(4).reference}
    assert len({case.truth for case in made}) == len({case.draw_seed for case in made}) == 3
    assert len({case.number for case in made}) == 1


def test_rows_have_names_of_their_own_and_say_what_they_lack() -> None:
    names = [row.name for row in rows.rows()]
    assert len(names) == len(set(names))
    from proof.training.stages import Rooms

    nowhere = Rooms(Path("nowhere"), Path("nowhere"))
    assert rows.row("floor").lacks(nowhere) == []
    assert rows.row("autoencoder").lacks(nowhere) == ["autoencoder"]
    with pytest.raises(ValueError, match="ceiling, autoencoder"):
        rows.row("flux")


def test_every_claim_asks_rows_that_there_are() -> None:
    names = {row.name for row in rows.rows()}
    for claim in claims.CLAIMS:
        assert set(claim.needs) <= names
    assert {claim.verdict({}).state for claim in claims.CLAIMS} == {claims.OPEN}


def verdict(name: str, there: dict[str, Shots]) -> str:
    return claims.verdicts(there)[name].state


def test_instantid_must_reach_a_part_of_the_ceiling() -> None:
    there = {"ceiling": shots(likeness=0.9), "floor": shots(likeness=0.0)}
    assert verdict("instantid", {**there, "instantid": shots(likeness=0.55)}) == claims.HOLDS
    assert verdict("instantid", {**there, "instantid": shots(likeness=0.53)}) == claims.FAILS
    high = {**there, "floor": shots(likeness=0.6)}
    assert verdict("instantid", {**high, "instantid": shots(likeness=0.55)}) == claims.FAILS


def test_each_of_two_people_must_be_themselves() -> None:
    likeness = np.array([0.9] * 9 + [0.1])
    assert verdict("two_people", {"two_people": shots(10, second=0.3, likeness=0.9)}) == claims.HOLDS
    wrong = shots(10, second=0.3)
    for part, state in ((likeness, claims.HOLDS), (likeness - 0.7 * (np.arange(10) > 7), claims.FAILS)):
        object.__setattr__(wrong, "likeness", part)
        assert verdict("two_people", {"two_people": wrong}) == state


def test_freecure_is_asked_only_where_the_identity_took_something() -> None:
    plain, taken, back = (np.ones((10, 6), bool) for _ in range(3))
    taken[:, 0] = False  # taken, and nothing else
    plain[:5, 0] = False  # these five had nothing to be taken
    back[:, 0] = False
    back[5, 0] = True  # 1 of 5 is back
    there = {"sdxl": shots(10, right=plain), "instantid_copying": shots(10, right=taken, likeness=0.6)}
    there["instantid_copying_again"] = shots(10, right=taken)
    held = {**there, "freecure": shots(10, right=back, likeness=0.56)}
    assert verdict("freecure", held) == claims.HOLDS
    assert "20% of the 5 attributes" in claims.verdicts(held)["freecure"].evidence
    dear = {**there, "freecure": shots(10, right=back, likeness=0.5)}
    assert verdict("freecure", dear) == claims.FAILS
    few = {**there, "sdxl": shots(10, right=plain & (np.arange(10) < 7)[:, None] | taken)}
    few["freecure"] = shots(10)
    assert "took 2 of 60 attributes: too few" in claims.verdicts(few)["freecure"].evidence
    assert verdict("freecure", few) == claims.FAILS
    chance = {**held, "instantid_copying_again": shots(10, right=taken | (np.arange(10) < 6)[:, None])}
    assert "(20% in other noise without it)" in claims.verdicts(chance)["freecure"].evidence
    assert verdict("freecure", chance) == claims.FAILS
    lost = {**held, "freecure": shots(10, right=back & (np.arange(6) < 5))}
    assert verdict("freecure", lost) == claims.FAILS
    part = {**there, "freecure": shots(8, right=back[:8], likeness=0.56)}
    assert "took 3 of 48 attributes" in claims.verdicts(part)["freecure"].evidence
    nothing = {**there, "sdxl": shots(10, right=taken), "freecure": shots(10)}
    assert verdict("freecure", nothing) == claims.FAILS


def test_an_expression_adapter_must_halve_what_can_fall() -> None:
    there = {"ceiling": shots(expression=0.1), "arc2face": shots(expression=0.5)}
    for error, state in ((0.29, claims.HOLDS), (0.31, claims.FAILS)):
        changed = {**there, "arc2face_expression": shots(expression=error)}
        assert verdict("expression", changed) == state


def test_mixed_people_lie_between() -> None:
    there = {
        name: shots(likeness=value) for name, value in (("instantid", 0.6), ("ceiling", 0.9), ("floor", 0.0))
    }
    assert verdict("mix", {**there, "mix": shots(likeness=0.3, second=0.4)}) == claims.HOLDS
    assert verdict("mix", {**there, "mix": shots(likeness=0.3, second=0.7)}) == claims.FAILS


def test_likeness_must_rise_with_the_weight() -> None:
    rising = {weights.name(w): shots(likeness=w / 2) for w in weights.WEIGHTS}
    assert verdict("weights", rising) == claims.HOLDS
    assert verdict("weights", {**rising, weights.name(0.4): shots(likeness=0.05)}) == claims.FAILS


def test_points_are_told_beside_what_a_perfect_answer_gets() -> None:
    there = {"instantid": shots(points=0.3), "in_place": shots(points=0.08)}
    for error, state in ((0.09, claims.HOLDS), (0.11, claims.FAILS)):
        posed = {**there, "instantid_identitynet": shots(points=error)}
        assert verdict("identitynet", posed) == state
    assert "through the autoencoder, 0.080" in claims.verdicts(posed)["identitynet"].evidence
    assert verdict("identitynet", {"instantid": there["instantid"]}) == claims.OPEN


def test_bars_fall_with_a_sentence() -> None:
    there = {"a": shots(likeness=0.5), "b": shots(likeness=0.2)}
    high = bars.Bar("gain", "a", "likeness", minus="b", at_least=0.4)
    assert bars.fallen([high], there) == [
        "The bar gain fell: likeness of the row a less that of b is 0.300, at least 0.4 is asked."
    ]
    assert bars.fallen([bars.Bar("gain", "a", "likeness", minus="b", at_least=0.2)], there) == []
    assert bars.fallen([bars.Bar("low", "b", "likeness", at_most=0.1)], there)
    assert "was not drawn" in bars.fallen([bars.Bar("x", "c", "likeness", at_least=0.1)], there)[0]
    # What could not be measured clears no bar.
    empty = {"a": shots(points=np.nan)}
    assert bars.fallen([bars.Bar("points", "a", "points", at_most=9.0)], empty)


def test_the_stored_bars_are_of_rows_and_measures_that_there_are() -> None:
    names = {row.name for row in rows.rows()}
    for kind in ("quick", "full"):
        stored = bars.read(bars.FILE, kind)
        assert stored and {bar.row for bar in stored} | {bar.minus for bar in stored} - {""} <= names


def test_a_bar_that_asks_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bars.json"
    file.write_text(json.dumps({"quick": [{"name": "x", "row": "a", "measure": "beauty", "at_least": 1}]}))
    with pytest.raises(ValueError, match="the bar x needs a measure"):
        bars.read(file, "quick")


def test_two_runs_from_other_noise_are_compared_person_by_person() -> None:
    chance = np.random.default_rng(0)
    first, noise = chance.normal(0.6, 0.2, 200), chance.normal(0, 0.05, 200)
    there = {"instantid": shots(200, likeness=0.5), "instantid_again": shots(200)}
    object.__setattr__(there["instantid"], "likeness", first)
    object.__setattr__(there["instantid_again"], "likeness", first + noise)
    same, power = selftest._chance(there)
    assert same.right and power.right
    # (2.8016 * 0.05 / 0.02)^2 = 49, however different the people are.
    assert 40 <= int(power.found.split(";")[0]) <= 60
    object.__setattr__(there["instantid_again"], "likeness", first + noise + 0.05)
    assert selftest._chance(there)[0].right is False


def test_a_page_is_written_whole_and_the_same_again(tmp_path: Path) -> None:
    there = {"ceiling": shots(likeness=0.9), "floor": shots(likeness=0.0), "instantid": shots(likeness=0.7)}
    there["instantid"].whole[:3] = False
    chosen = [rows.row(name) for name in ("ceiling", "floor", "instantid", "pva")]
    lacking = {"pva": ["sd2_inpaint", "pva"]}
    answers = [selftest.Answer("noise", "does it?", "0.1", None)]
    networks = {"judge": {"megabytes": 2.7, "figures": {"auc": 0.99}}}
    told = ("full", 12, 10, chosen, there, lacking, answers, claims.verdicts(there), [], networks)
    report = Report(*told, demo={"instantid": shots(4, pictures=np.zeros((4, 128, 128, 3), np.uint8))})
    pages = []
    for name in ("one", "two"):
        (tmp_path / name / "shown").mkdir(parents=True)
        (tmp_path / name / "shown" / "pva_0.jpg").write_bytes(b"of last time")
        write(report, tmp_path / name)
        pages.append({file.name: file.read_bytes() for file in (tmp_path / name).glob("*.*")})
        assert (tmp_path / name / "shown" / "instantid_3.jpg").is_file()
        assert not (tmp_path / name / "shown" / "pva_0.jpg").exists()
    assert pages[0] == pages[1]
    page = pages[0]["README.md"].decode()
    # Nine of twelve faces whole; where nobody was told where to stand, points say nothing.
    line = next(line for line in page.splitlines() if line.startswith("| InstantID, adapter |"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:5] == ["12", "12 of 12", "0.75 (0.50 to 1.00)", "0.70 (0.70 to 0.70)"]
    assert cells[-2:] == ["", "1.0"]
    assert json.loads(pages[0]["report.json"])["rows"]["instantid"]["whole"]["mean"] == 0.75
    assert "not trained: sd2_inpaint, pva" in page
    assert "Nothing here is a photograph" in page
    numbers = json.loads(pages[0]["report.json"])
    assert numbers["rows"]["instantid"]["likeness"]["mean"] == 0.7
    assert numbers["claims"]["instantid"]["state"] == claims.HOLDS
    for name in [*pages[0]]:
        assert name == "README.md" or name.endswith(".json") or f"({name})" in page


def test_a_picture_without_a_face_counts_as_nobody(tmp_path: Path) -> None:
    found = np.array([True] * 11 + [False])
    there = shots(found=found, copy_paste=np.nan)
    assert there.estimate("faces").mean == pytest.approx(11 / 12)
    assert there.estimate("likeness").count == 12


def test_plots_and_sheets_hold_what_they_are_given() -> None:
    one = Estimate(0.5, 0.25, 0.75, 9)
    drawn = plots.dots("A & B", [("first <row>", one)], 0.0, 1.0, [0.9])
    assert "A &amp; B" in drawn and "first &lt;row&gt;" in drawn
    # 250 at 0 and 730 at 1: the mean in the middle.
    assert "cx='490.0'" in drawn
    picture = np.zeros((128, 256, 3), np.uint8)
    assert sheets.sheet("t", [("a", "b", [picture, picture])])[:2] == b"\xff\xd8"


def test_the_readme_gets_its_table_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{readme.FIRST}\nLAST TIME\n{readme.LAST}\nafter\n", encoding="utf-8")
    there = {"ceiling": shots(likeness=0.9), "floor": shots(likeness=0.0), "instantid": shots(likeness=0.7)}
    text = readme.block(there, claims.verdicts(there), 12)
    for _ in range(2):
        readme.put(text, file)
    written = file.read_text(encoding="utf-8")
    assert written.startswith("before\n") and written.endswith("after\n") and "LAST TIME" not in written
    assert "| InstantID, adapter | 0.70 (0.70 to 0.70) | 50% |" in written
    # InstantID and copy-paste could be asked: .7 of .9 holds, .5 is no less than .5.
    assert "**Holds:** InstantID reaches 0.6 of the ceiling, clear of the floor's interval." in written
    assert "**Does not hold yet:** InstantID draws the person and not the reference" in written
    assert f"{len(claims.CLAIMS) - 2} of the {len(claims.CLAIMS)} claims" in written
    assert "nothing about photographs" in " ".join(written.split()) and written.count(readme.FIRST) == 1
