"""The example client against a server that is no ComfyUI, or a broken one: a sentence each, in time."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.patience import PATIENCE
from support.rude_server import Behaviour, Connection, endless, frame, opened, rude, silent, silent_after

from installer.paths import REPOSITORY

EXAMPLES = REPOSITORY / "workflows" / "examples"
WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "none.png"}, "_meta": {"title": "Photo"}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}, "_meta": {"title": "Preview"}},
}
QUEUED = {"prompt_id": "mine", "node_errors": {}}
BOMB = gzip.compress(bytes(50_000_000))
PICTURE = {"filename": "a.png", "subfolder": "", "type": "output"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.import_module("client")
    monkeypatch.setattr(module, "SILENCE", 0.3)
    monkeypatch.setattr(module, "HEARTBEAT", 0.4)
    monkeypatch.setattr(module, "LONGEST_JSON", 1_000_000)
    monkeypatch.setattr(module, "LONGEST_PICTURE", 2_000_000)
    return module


def event(kind: str, **data: Any) -> bytes:
    return frame(json.dumps({"type": kind, "data": {"prompt_id": "mine", **data}}).encode())


def done_with(*pictures: dict[str, str]) -> Behaviour:
    """Tells that the workflow made these pictures and ended."""
    time_to_queue = 0.2  # the events may come before the answer to /prompt: they wait in the line
    made = event("executed", node="2", output={"images": list(pictures)})

    def behave(connection: Connection) -> None:
        connection.wait(time_to_queue)
        connection.send(made, event("execution_success"))
        connection.wait()

    return opened(then=behave)


def comfyui(line: Behaviour = silent, queue: Behaviour | None = None, view: Behaviour = silent) -> Behaviour:
    """A server that does one thing for each of the client's addresses."""
    ways = {"/ws": line, "/prompt": queue or (lambda c: c.answer(json.dumps(QUEUED).encode())), "/view": view}

    def behave(connection: Connection) -> None:
        ways[connection.path.partition("?")[0]](connection)

    return behave


@pytest.fixture
def workflow(tmp_path: Path) -> str:
    (tmp_path / "workflow.json").write_text(json.dumps(WORKFLOW), encoding="utf-8")
    return str(tmp_path / "workflow.json")


def run(client: ModuleType, workflow: str, folder: Path, behaviour: Behaviour) -> str:
    begin = time.monotonic()
    with rude(behaviour) as server:
        said = client.main(workflow, "{}", server.url, str(folder))
    assert time.monotonic() - begin < PATIENCE
    return said


def test_a_good_server_gives_its_picture(client: ModuleType, workflow: str, tmp_path: Path) -> None:
    good = comfyui(done_with(PICTURE), view=lambda c: c.answer(b"a picture"))
    assert run(client, workflow, tmp_path / "out", good) == ""
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a.png": b"a picture"}


@pytest.mark.parametrize(
    "queue, says",
    [
        (lambda c: c.answer(b"<html>Log in"), r"answered b'<html>Log in', which is not what ComfyUI answers"),
        (lambda c: c.answer(b"[1]"), "which is not what ComfyUI answers"),
        (lambda c: c.answer(b"{}"), r"The workflow was refused \(HTTP 200\)"),
        (lambda c: c.answer(b'{"error": 5}', "400 Bad Request"), "said what ComfyUI does not say"),
        (lambda c: c.answer(b'{"prompt_id": ', Content_Length=99), "[Pp]ayload is not completed|not enough"),
        (lambda c: c.answer(status="302 Found", Location="http://evil.example/"), "sends on to http://evil"),
        (endless, "sends more than 1000000 bytes"),
        (
            lambda c: c.answer(BOMB, Content_Encoding="gzip"),
            "sends more than 1000000 bytes|larger than|Decompress",
        ),
        (silent, r"said nothing for 0 s|[Tt]imeout"),
        (silent_after(3, b"12345678"), r"said nothing for 0 s|[Tt]imeout"),
        (lambda c: c.send("SSH-2.0-OpenSSH\r\n\r\n"), "Bad status line|Expected HTTP"),
        (lambda c: None, "[Dd]isconnected"),
    ],
    ids=[
        *("page", "list", "nothing", "odd error", "cut", "redirect", "endless", "bomb", "silent", "stuck"),
        *("other protocol", "hang up"),
    ],
)
def test_an_answer_that_is_none_ends_by_a_sentence(
    client: ModuleType, workflow: str, tmp_path: Path, queue: Behaviour, says: str
) -> None:
    said = run(client, workflow, tmp_path / "out", comfyui(opened(), queue))
    assert re.search(says, said), said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line, says",
    [
        (opened(frame(b"hello")), "answered 'hello', which is not what ComfyUI answers"),
        (opened(event("executing", node="77", display_node="77")), "said what ComfyUI does not say: .*77"),
        (opened(bytes([0x81, 127]) + struct.pack("!Q", 1 << 40)), "hung up before|no more to be heard"),
        (opened(), "no more to be heard"),
        (opened(then=lambda c: None), "hung up before the workflow had ended|no more to be heard"),
        (lambda c: c.answer(b"<html>"), "200|Invalid response status"),
    ],
    ids=["no JSON", "unknown node", "huge", "silent", "hang up", "no websocket"],
)
def test_a_line_that_says_nonsense_or_nothing_ends(
    client: ModuleType, workflow: str, tmp_path: Path, line: Behaviour, says: str
) -> None:
    said = run(client, workflow, tmp_path / "out", comfyui(line))
    assert re.search(says, said), said


def drip(connection: Connection) -> None:
    connection.answer(Content_Length=1000)
    connection.drip(b"a" * 1000, 0.05)


@pytest.mark.parametrize(
    "view, says",
    [
        (endless, "sends more than 2000000 bytes"),
        (silent_after(10, bytes(100)), r"said nothing for 0 s|[Tt]imeout"),
        (drip, "sent only .* bytes in 0 s"),
        (lambda c: c.answer(b"123", Content_Length=10), "[Pp]ayload is not completed|not enough"),
        (lambda c: c.answer(status="404 Not Found"), r"a\.png could not be fetched \(HTTP 404\)"),
        (
            lambda c: c.answer(status="302 Found", Location="http://evil.example"),
            r"could not be fetched \(HTTP 302\)",
        ),
    ],
    ids=["endless", "stuck", "drip", "cut", "gone", "redirect"],
)
def test_no_half_picture_is_left(
    client: ModuleType, workflow: str, tmp_path: Path, view: Behaviour, says: str
) -> None:
    said = run(client, workflow, tmp_path / "out", comfyui(done_with(PICTURE), view=view))
    assert re.search(says, said), said
    assert list((tmp_path / "out").iterdir()) == []


def test_a_picture_stays_in_the_folder_whatever_it_is_called(
    client: ModuleType, workflow: str, tmp_path: Path
) -> None:
    names = ["../../up.png", "/tmp/root.png", "..\\..\\back.png"]
    pictures = [{**PICTURE, "filename": name} for name in names]
    good = comfyui(done_with(*pictures), view=lambda c: c.answer(b"x"))
    assert run(client, workflow, tmp_path / "deep" / "out", good) == ""
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert made == [f"deep/out/{name}.png" for name in ("back", "root", "up")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_leaves_no_half_picture(workflow: str, tmp_path: Path) -> None:
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1)); "
    limit += "sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
    limit += "runpy.run_path(sys.argv[0], run_name='__main__')"
    with rude(comfyui(done_with(PICTURE), view=lambda c: c.answer(bytes(500_000)))) as server:
        command = [
            sys.executable,
            "-c",
            limit,
            str(EXAMPLES / "client.py"),
            workflow,
            "{}",
            server.url,
            "out",
        ]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=PATIENCE
        )
    assert done.returncode == 1 and "File too large" in done.stderr and "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


# ---- curl.sh


def curled(workflow: str, folder: Path, **ways: Behaviour) -> subprocess.CompletedProcess:
    """curl.sh against a server that does one of `ways` where a good one would answer."""
    entry = {"status": {"messages": []}, "outputs": {"2": {"images": [PICTURE]}}}
    good = {"prompt": QUEUED, "history": {"mine": entry}}

    def behave(connection: Connection) -> None:
        place = connection.path.split("/")[1].partition("?")[0]
        if place in ways:
            ways[place](connection)
        else:
            connection.answer(json.dumps(good[place]).encode() if place in good else b"a picture")

    with rude(behave) as server:
        settings = {"SERVER": server.url, "PYTHON": sys.executable, "NO_PROXY": "127.0.0.1", "FOLDER": "out"}
        return subprocess.run(
            ["sh", str(EXAMPLES / "curl.sh"), workflow],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **settings},
            timeout=PATIENCE,
        )


@pytest.mark.skipif(sys.platform == "win32", reason="A script for sh")
@pytest.mark.parametrize(
    "ways, says",
    [
        ({"prompt": lambda c: c.answer(b"<html>Log in")}, "answered '<html>Log in', which is not what"),
        ({"history": lambda c: c.answer(b"<html>Log in")}, "answered '<html>Log in', which is not what"),
        ({"history": lambda c: c.answer(status="500 Oh")}, "500"),
        ({"view": lambda c: c.answer(b"123", Content_Length=10)}, "curl: "),
        ({"view": lambda c: c.answer(status="404 Not Found")}, "404"),
    ],
    ids=["page", "page as history", "refused history", "cut picture", "no picture"],
)
def test_curl_ends_by_a_sentence_and_leaves_no_half_picture(
    workflow: str, tmp_path: Path, ways: dict[str, Behaviour], says: str
) -> None:
    assert curled(workflow, tmp_path).returncode == 0
    assert (tmp_path / "out" / "a.png").read_bytes() == b"a picture"
    (tmp_path / "out" / "a.png").unlink()
    done = curled(workflow, tmp_path, **ways)
    assert done.returncode and says in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert list((tmp_path / "out").iterdir()) == []
