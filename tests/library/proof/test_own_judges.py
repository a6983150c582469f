"""Who judges in `proof run`, on real photos with the recogniser that everybody has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from installer.paths import link_folder, shared_models
from proof.own import people, selftest, shots
from proof.own.judges import Judges
from proof.own.looks import Looks
from proof.report.measures import cosine


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges(shared_models())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """Two people with two photos each; of the second one there is one, and it in another light."""
    made = tmp_path_factory.mktemp("people")
    other = Image.fromarray(photos["biden"])
    shown = {
        "first": (Image.fromarray(photos["obama"]), Image.fromarray(photos["obama2"])),
        "second": (other, ImageEnhance.Brightness(other.rotate(8)).enhance(0.8)),
    }
    for name, pictures in shown.items():
        (made / name).mkdir()
        for number, picture in enumerate(pictures):
            picture.thumbnail((640, 640))
            picture.save(made / name / f"{number}.png")
    return made


def test_every_measure_measures_on_real_photos(judges: Judges, folder: Path, tmp_path: Path) -> None:
    everybody = people.read(folder)
    known = shots.known(everybody, Looks(judges, tmp_path))
    answers = {answer.name: answer for answer in selftest.asked(judges, everybody, known)}
    wrong = {name: answer.found for name, answer in answers.items() if answer.right is False}
    assert not wrong
    kinds = {name.split(":")[0] for name in answers}
    assert kinds >= {"identical", "mirrored", "blurred", "other", "pasted", "truth", "faces", "expression"}
    assert kinds >= {"sharpness", "attributes"}
    assert answers["attributes"].right is None or judges.parser_file, "without a parser it is not asked"
    top = shots.ceiling(known, judges.names).estimate("truth:sface").mean
    floor = shots.wrong_person(known, judges.names).estimate("truth:sface").mean
    assert top > floor + 0.2


def test_an_instrument_that_is_broken_is_found_out(judges: Judges, folder: Path, tmp_path: Path) -> None:
    """Whoever takes everybody for the same one fails."""

    class Blind(Judges):
        def look(self, picture: people.Picture):
            seen = super().look(picture)
            seen.vectors["sface"][:] = 1.0
            return seen

    blind = Blind(shared_models())
    everybody = people.read(folder)
    known = shots.known(everybody, Looks(blind, tmp_path))
    answers = {answer.name: answer for answer in selftest.asked(blind, everybody, known)}
    for name in ("mirrored:sface", "blurred:sface", "other:sface", "pasted:sface"):
        assert answers[name].right is False


def test_what_was_seen_is_kept_and_comes_back_the_same(judges: Judges, folder: Path, tmp_path: Path) -> None:
    path = folder / "first" / "0.png"
    first = Looks(judges, tmp_path).look(path)
    (kept,) = tmp_path.glob("*.npz")
    when = kept.stat().st_mtime_ns
    again = Looks(judges, tmp_path).look(path)
    assert kept.stat().st_mtime_ns == when and (first.count, first.width) == (again.count, again.width)
    assert np.array_equal(first.vectors["sface"], again.vectors["sface"])
    assert np.array_equal(first.ratios, again.ratios) and first.sharpness[0] == again.sharpness[0] > 0
    assert float(cosine(first.vectors["sface"][0], again.vectors["sface"][0])) == pytest.approx(1, abs=1e-6)


def test_a_photo_without_a_face_is_named(
    judges: Judges, folder: Path, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    Image.fromarray(photos["coffee"]).save(tmp_path / "coffee.png")
    one = people.Person("anna", folder / "first" / "0.png", (tmp_path / "coffee.png",))
    with pytest.raises(ValueError, match=r"coffee\.png shows no face: take another photo of anna"):
        shots.known([one], Looks(judges, tmp_path / "seen"))


def test_several_parsers_are_one_too_many(tmp_path: Path) -> None:
    link_folder(shared_models() / "insightface", tmp_path / "insightface")
    (tmp_path / "face_parsing").mkdir()
    (tmp_path / "face_parsing" / "a.pth").touch()
    assert Judges(tmp_path).parser_file == tmp_path / "face_parsing" / "a.pth"
    (tmp_path / "face_parsing" / "b.safetensors").touch()
    with pytest.raises(ValueError, match=r"holds several parsers: leave one of a\.pth, b\.safetensors"):
        Judges(tmp_path)


def test_who_draws_may_not_judge(judges: Judges) -> None:
    names = shots.may_judge(judges, ["glintr100"])
    assert names == ("sface",) and shots.may_judge(judges, ["sface"]) == ()
