"""install.py: what it says without arguments, the environment's key, and how workflows are turned tiny."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from itertools import chain
from pathlib import Path

import pytest
from support.patience import PATIENCE

from installer import browser, checks, comfyui, environment, paths, tiny
from installer.hosts import Host
from installer.output import Progress, SetupError
from installer.paths import REPOSITORY
from installer.stages import MATRIX, NOT_IN_NEWEST_PAGE, Choice, Stage, on_the_newest_page, on_the_oldest
from installer.stages import stages as stages_of
from likeness.weights import catalogue as catalogue_module

#: Hides every installed package; Python 3.10 has to find pip's TOML reader, so there it stays out.
ALONE = ["-S"] if sys.version_info >= (3, 11) else []


def run_install(
    *arguments: str, script: Path = REPOSITORY / "install.py", **settings: str
) -> subprocess.CompletedProcess:
    """install.py as a user's Python runs it: isolated from this environment's packages."""
    command = [sys.executable, *ALONE, str(script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **settings}, timeout=PATIENCE
    )


def fake_comfyui(folder: Path) -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "custom_nodes").mkdir()
    (folder / "main.py").touch()
    return folder


# ---- without arguments


def test_without_arguments_it_reports_quickly_and_succeeds(tmp_path: Path) -> None:
    begin = sum(os.times()[2:4])  # processor time of our children; nothing on Windows
    done = run_install(LIKENESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert sum(os.times()[2:4]) - begin < 5
    for command in ("python install.py --demo", "python install.py --comfyui DIR"):
        assert command in done.stdout
    if ALONE:
        assert "insightface" in done.stdout and "pip install -r requirements.txt" in done.stdout
    assert not (tmp_path / "cache").exists(), "it must not make or fetch anything"


def test_inside_a_comfyui_it_names_the_missing_models(tmp_path: Path) -> None:
    host = fake_comfyui(tmp_path / "My ComfyUI")
    link = host / "custom_nodes" / "some name"
    paths.link_folder(REPOSITORY, link)
    done = run_install(script=link / "install.py", LIKENESS_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert str(host) in done.stdout
    assert (
        "rec_sface_512d_int8bq.onnx" in done.stdout and "python install.py --models embedded" in done.stdout
    )
    assert "ip-adapter.bin" in done.stdout and "python install.py --models instantid" in done.stdout


def test_models_that_are_there_are_not_called_missing(tmp_path: Path) -> None:
    host = fake_comfyui(tmp_path / "ComfyUI")
    place = host / "models" / "insightface" / "models" / "likeness"
    place.mkdir(parents=True)
    (place / "rec_sface_512d_int8bq.onnx").touch()
    link = host / "custom_nodes" / "likeness"
    paths.link_folder(REPOSITORY, link)
    done = run_install(script=link / "install.py")
    assert "Models for embedded: all there." in done.stdout


def test_an_existing_comfyui_gets_the_pack_and_the_next_commands(tmp_path: Path) -> None:
    host = fake_comfyui(tmp_path / "ComfyUI")
    done = run_install("--comfyui", str(host))
    assert done.returncode == 0, done.stderr
    assert (host / "custom_nodes" / "likeness" / "install.py").samefile(REPOSITORY / "install.py")
    assert "--models embedded,instantid" in done.stdout


def test_a_full_folder_without_comfyui_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = run_install("--comfyui", str(tmp_path))
    assert done.returncode == 1
    assert "not empty and holds no ComfyUI" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_unknown_method_is_refused_by_name(tmp_path: Path) -> None:
    done = run_install("--models", "instant", LIKENESS_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert "'instant'" in done.stderr and "instantid" in done.stderr


def test_without_a_network_fetching_says_what_to_do(tmp_path: Path) -> None:
    done = run_install(
        "--models", "instantid", LIKENESS_CACHE=str(tmp_path), LIKENESS_MIRROR="http://127.0.0.1:9"
    )
    assert done.returncode == 1
    assert "could not be fetched" in done.stderr and "LIKENESS_MIRROR" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_catalogue_is_read_without_any_package() -> None:
    done = run_install("--list", LIKENESS_CACHE=str(REPOSITORY / "nowhere"))
    assert done.returncode == 0, done.stderr
    for file in catalogue_module.catalogue().values():
        assert file.name in done.stdout


# ---- links


def test_a_link_is_renewed_and_a_real_folder_never_replaced(tmp_path: Path) -> None:
    for name in ("old", "new", "real"):
        (tmp_path / name).mkdir()
    link = tmp_path / "sub" / "link"
    for name in ("old", "new", "new"):
        paths.link_folder(tmp_path / name, link)
        assert link.resolve() == (tmp_path / name).resolve()
    with pytest.raises(FileExistsError, match="in the way"):
        paths.link_folder(tmp_path / "new", tmp_path / "real")


# ---- the environment


def test_the_environments_key_follows_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    first = environment.current()
    assert first.folder.parent == tmp_path / "cache" and not first.complete
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("requirements.txt", *environment.ALSO_NEEDED):
        shutil.copy(REPOSITORY / name, clone / name)
    monkeypatch.setattr(environment, "REPOSITORY", clone)
    assert environment.current() == first, "another clone with the same requirements shares the environment"
    (clone / "requirements.txt").write_text("insightface>=3\n")
    assert environment.current() != first
    for name in environment.ALSO_NEEDED:
        (clone / name).unlink()
    assert environment.current() != first, "the published pack, which comes without some, asks too"


def test_an_unfinished_environment_does_not_count(tmp_path: Path) -> None:
    unfinished = environment.Environment(tmp_path)
    unfinished.python.parent.mkdir(parents=True)
    unfinished.python.touch()
    assert not unfinished.complete
    (tmp_path / "complete.json").touch()
    assert unfinished.complete


def test_one_set_up_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path))
    with environment.lock(Progress()), (tmp_path / "lock").open("a+b") as other:
        assert not environment._try_lock(other.fileno())
    with (tmp_path / "lock").open("a+b") as other:
        assert environment._try_lock(other.fileno())


def test_too_little_space_is_said_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SPACE", 10**18)
    with pytest.raises(SetupError, match="LIKENESS_CACHE"):
        environment._ensure_space(tmp_path)


def test_a_failing_command_is_told_with_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('all is lost'); raise SystemExit(3)"]
    with pytest.raises(SetupError, match=r"(?s)Trying failed.*all is lost.*Do better") as caught:
        Progress().run("Trying", command, tmp_path / "log", advice="Do better.")
    assert str(tmp_path / "log") in str(caught.value)


def test_an_archive_cannot_write_outside(tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("x")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(tmp_path / "evil", arcname="../outside")
    (tmp_path / "inside").mkdir()
    with tarfile.open(tmp_path / "bad.tar") as tar, pytest.raises((tarfile.TarError, SetupError)):
        comfyui.extract(tar, tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


# ---- the browser


def test_the_whole_test_command_looks_first_and_can_be_told_to_leave_out_the_browser(tmp_path: Path) -> None:
    def names(expression: str, browser: bool) -> list[list[str]]:
        choice = Choice(expression=expression, browser=browser)
        return [[s.name for s in stages] for stages in stages_of(choice, tmp_path)]

    looks, tests = names("", True)
    assert len(looks) == 4 and tests[:2] == ["types (mypy)", "host tests"] and "browser tests" in tests
    assert tests[-1].startswith("drawn world (")
    assert names("", False) == [looks, [name for name in tests if name != "browser tests"]]
    assert names("parity", True) == [[], [name for name in tests if name.endswith(" tests")]]
    for stage in chain(*stages_of(Choice(expression="parity"), tmp_path)):
        assert "-k parity" in " ".join(stage.command)
    elsewhere = stages_of(Choice(host="oldest"), tmp_path)
    assert [[s.name for s in stages] for stages in elsewhere] == names("parity", True)
    page = stages_of(Choice(frontend="newest"), tmp_path)
    assert [[s.name for s in stages] for stages in page] == [[], ["browser tests"]]


def test_every_room_of_tests_is_run_once(tmp_path: Path) -> None:
    _, stages = stages_of(Choice(), tmp_path)
    places = [part for stage in stages for part in stage.command if part.startswith(("tests/", "--ignore="))]
    rooms = {f"tests/{path.name}" for path in (REPOSITORY / "tests").iterdir() if [*path.rglob("test_*.py")]}
    apart = {place.removeprefix("--ignore=") for place in places if place.startswith("--ignore=")}
    assert sorted(places) == sorted([*rooms, *apart, *(f"--ignore={place}" for place in apart)])
    assert len(apart) == 2 and all((REPOSITORY / place).exists() for place in apart)


def test_a_part_runs_on_the_oldest_host_and_in_the_newest_page(tmp_path: Path) -> None:
    oldest = Host("0.1.0", tmp_path / "ComfyUI", tmp_path / "python")
    stages = on_the_oldest(oldest, tmp_path)
    assert all(stage.host == oldest and "(0.1.0)" in stage.name for stage in stages)
    page = on_the_newest_page(tmp_path, tmp_path)
    assert page.host is None and page.settings == {"LIKENESS_FRONTEND": str(tmp_path)}
    assert {"tests/browser/test_templates.py", "tests/browser/test_keypoints.py"} <= set(page.command)
    assert all((REPOSITORY / "tests" / "browser" / name).exists() for name in NOT_IN_NEWEST_PAGE)
    places = [part for stage in (*stages, page) for part in stage.command if part.startswith("tests/")]
    assert all((REPOSITORY / place).exists() for place in places) and len(set(places)) == len(places)
    for room in ("tests/host/instantid/test_parity.py", "tests/server/test_workflows.py", MATRIX):
        assert room in places


def test_a_stage_can_run_on_another_host_with_settings_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "test_where.py"
    asked = "os.environ['LIKENESS_COMFYUI'], os.environ.get('SAID')"
    file.write_text(f"import os\n\ndef test_where():\n    assert 0, ({asked})\n", encoding="utf-8")
    options = ["-q", "--rootdir", str(tmp_path), "-c", os.devnull, "-p", "no:cacheprovider", str(file)]
    here, there = (Host(name, tmp_path / name, Path(sys.executable)) for name in ("here", "there"))
    for stage, expected in (
        (Stage("plain", ["pytest", *options]), (str(tmp_path / "here"), None)),
        (Stage("moved", ["pytest", *options], there, {"SAID": "so"}), (str(tmp_path / "there"), "so")),
    ):
        assert not checks._run_stages([], [stage], here, Progress())
        assert repr(expected) in capsys.readouterr().out


def test_stages_stop_at_a_failure_and_count_what_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Host("here", tmp_path, Path(sys.executable))
    (tmp_path / "test_good.py").write_text("def test_a(): pass\ndef test_b(): pass\n", encoding="utf-8")
    (tmp_path / "test_bad.py").write_text("def test_c(): assert 0\n", encoding="utf-8")

    def stage(name: str, file: str) -> checks.Stage:
        options = ["-q", "--rootdir", str(tmp_path), "-c", os.devnull, "-p", "no:cacheprovider"]
        return Stage(name, ["pytest", *options, str(tmp_path / file)])

    good, bad, after = (
        stage("good", "test_good.py"),
        stage("bad", "test_bad.py"),
        stage("after", "test_good.py"),
    )
    assert checks._run_stages([], [good, after], here, Progress())
    assert capsys.readouterr().out.endswith("4 passed, 0 failed\n")
    monkeypatch.setattr(checks, "_AT_ONCE", 1)
    assert not checks._run_stages([], [good, bad, after], here, Progress())
    said = capsys.readouterr().out
    assert "Stopped at: bad\n2 passed, 1 failed\n" in said and "assert 0" in said and "after" not in said
    assert not checks._run_stages([bad], [good], here, Progress())
    assert capsys.readouterr().out.endswith("0 passed, 1 failed\n")


#: Passes when the other of two is running, too.
_MEETING = """
import time
from pathlib import Path

def test_both_are_here():
    here = Path(__file__).parent
    (here / "{own} came").touch()
    for _ in range(1200):
        if (here / "{other} came").exists():
            return
        time.sleep(0.05)
    raise TimeoutError("The other stage did not begin.")
"""


def test_two_stages_run_at_a_time(tmp_path: Path) -> None:
    stages = []
    for own, other in (("one", "two"), ("two", "one")):
        file = tmp_path / f"test_{own}.py"
        file.write_text(_MEETING.format(own=own, other=other), encoding="utf-8")
        options = ["-q", "--rootdir", str(tmp_path), "-c", os.devnull, "-p", "no:cacheprovider"]
        stages.append(Stage(own, ["pytest", *options, str(file)]))
    assert checks._run_stages([], stages, Host("here", tmp_path, Path(sys.executable)), Progress())


def test_a_machine_without_a_browser_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_CHROMIUM", str(REPOSITORY / "no such browser"))
    assert browser.find_browser() is None
    with pytest.raises(SetupError, match=r"(?s)Install one.*LIKENESS_CHROMIUM.*--no-browser"):
        browser.ensure_browser(Progress())


def test_a_browser_that_does_not_start_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho requires the snap >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("LIKENESS_CHROMIUM", str(program))
    with pytest.raises(SetupError, match="requires the snap"):
        browser.ensure_browser(Progress())
    program.write_text("#!/bin/sh\necho Chromium 1.0\n")
    assert browser.ensure_browser(Progress()) == str(program)


# ---- the tiny stand-ins


def test_a_workflow_turned_tiny_keeps_its_graph() -> None:
    prompt = json.loads(
        (REPOSITORY / "workflows" / "api" / "instantid_basic.json").read_text(encoding="utf-8")
    )
    before = json.dumps(prompt)
    small = tiny.for_tiny(prompt)
    assert json.dumps(prompt) == before, "the original must not change"
    assert {key: node["class_type"] for key, node in small.items()} == {
        k: n["class_type"] for k, n in prompt.items()
    }
    for key, node in prompt.items():
        links = {name: value for name, value in node["inputs"].items() if isinstance(value, list)}
        assert {name: small[key]["inputs"][name] for name in links} == links
    files = [
        v for node in small.values() for v in node["inputs"].values() if isinstance(v, str) and "tiny_" in v
    ]
    assert sorted(files) == sorted([tiny.CHECKPOINT, tiny.CHECKPOINT, tiny.INSTANTID])


def test_the_demos_workflow_names_the_files_that_are_fetched() -> None:
    prompt = json.loads(
        (REPOSITORY / "workflows" / "api" / "instantid_basic.json").read_text(encoding="utf-8")
    )
    named = {v for node in prompt.values() for v in node["inputs"].values() if isinstance(v, str)}
    for key in ("instantid/ip-adapter", "instantid/controlnet", "sdxl/base"):
        place = catalogue_module.catalogue()[key].place
        assert place.split("/", 1)[1] in named, "with the real weights the demo would not find its files"


def test_sizes_shrink_by_one_factor_and_zero_stays() -> None:
    prompt = {
        "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 1024, "height": 768, "batch_size": 1}},
        "2": {
            "class_type": "LikenessFaceKeypoints",
            "inputs": {"width": 512, "height": 0, "faces": ["9", 0]},
        },
        "3": {"class_type": "KSampler", "inputs": {"steps": 30, "cfg": 4.5, "seed": 7}},
    }
    small = tiny.for_tiny(prompt)
    assert (small["1"]["inputs"]["width"], small["1"]["inputs"]["height"]) == (256, 192)
    assert (small["2"]["inputs"]["width"], small["2"]["inputs"]["height"]) == (128, 0)
    assert small["3"]["inputs"] == {"steps": tiny.STEPS, "cfg": 4.5, "seed": 7}
    assert tiny.for_tiny(small) == small


# ---- the closing line and the project file


@pytest.mark.parametrize(
    "last, expected",
    [
        ("12 passed in 3.1s", {"passed": 12, "failed": 0}),
        ("== 2 failed, 10 passed, 1 warning in 3.1s ==", {"passed": 10, "failed": 2}),
        ("1 error in 0.2s", {"passed": 0, "failed": 1}),
        ("1 failed, 3 passed, 2 errors in 1s", {"passed": 3, "failed": 3}),
        ("", {"passed": 0, "failed": 0}),
    ],
)
def test_pytests_counts_are_read(last: str, expected: dict[str, int]) -> None:
    assert checks._counts(f"something 7 failed earlier\n{last}\n" if last else "") == expected


def project() -> dict:
    return catalogue_module._toml_reader().loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_project_file_lists_the_same_requirements() -> None:
    listed = [line.replace('"', "'") for line in environment.requirement_lines()]
    assert sorted(project()["project"]["dependencies"]) == sorted(listed)


def test_the_project_file_has_what_the_registry_asks_for() -> None:
    described = project()
    assert described["project"]["license"] == {"file": "LICENSE"} and (REPOSITORY / "LICENSE").is_file()
    assert described["project"]["urls"]["Repository"].startswith("https://")
    assert described["tool"]["comfy"]["PublisherId"] and described["tool"]["comfy"]["DisplayName"]
    assert described["tool"]["comfy"]["requires-comfyui"] == f">={comfyui.RELEASES[0].version}"
    assert described["project"]["requires-python"] == ">=3.10"


def test_ci_calls_the_test_command() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().endswith("python3 install.py --test")
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
