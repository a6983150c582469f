"""What the installer takes from a server that is no ComfyUI, or a broken one: a sentence each, in time."""

from __future__ import annotations

import gzip
import json
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.patience import PATIENCE
from support.rude_server import Behaviour, Connection, endless, frame, opened, rude, silent, silent_after

from installer import events, wire
from installer.server import Server, ServerError
from likeness.weights import answers


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SILENCE", 0.3)
    monkeypatch.setattr("installer.server.PATIENCE", 0.3)


def asked(
    tmp_path: Path,
    behaviour: Behaviour,
    ask: Callable[[Server], object],
    error: type[Exception] = ServerError,
) -> str:
    """What asking a server that answers so ends with."""
    begin = time.monotonic()
    server = Server("python", tmp_path, tmp_path, [])
    with rude(behaviour) as there:
        server.url = there.url
        with pytest.raises(error) as raised:
            ask(server)
    assert time.monotonic() - begin < PATIENCE and len(there.heads) == 1
    return str(raised.value)


def info(server: Server) -> object:
    return server.object_info()


# ---- answers


@pytest.mark.parametrize(
    "body, says",
    [
        (b"<html>Log in</html>", "is not JSON .*<html>Log in</html>.*Is that ComfyUI's address"),
        (b'{"a": ', "is not JSON"),
        (b"[1, 2]", "is no object of JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (gzip.compress(b"{}"), "is not JSON"),
        (b"", "is not JSON"),
    ],
    ids=["page", "cut", "list", "nested", "bytes", "packed", "empty"],
)
def test_what_is_not_json_is_told_with_its_beginning(tmp_path: Path, body: bytes, says: str) -> None:
    said = asked(tmp_path, lambda c: c.answer(body), info)
    assert said.startswith("The answer to /object_info ") and len(said) < 400
    with pytest.raises(wire.WireError, match=says):
        wire.parsed(body)


def test_json_that_is_too_long_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LONGEST_JSON", 1_000_000)
    monkeypatch.setattr(wire, "LONGEST_FILE", 2_000_000)
    for behaviour in (endless, lambda c: c.answer(bytes(3_000_000))):
        assert "sends more than 1 MB: that is no answer of ComfyUI's" in asked(tmp_path, behaviour, info)
        picture = asked(tmp_path, behaviour, lambda s: s.image({"filename": "a.png"}))
        assert "The answer to /view?filename=a.png sends more than 2 MB" in picture


@pytest.mark.parametrize("announced", ["50", "99999999"])
def test_a_body_that_ends_early_is_no_answer(tmp_path: Path, announced: str) -> None:
    said = asked(tmp_path, lambda c: c.answer(b'{"a": 1}', Content_Length=announced), info)
    assert f"ended after 8 of {announced} bytes" in said


def test_a_length_that_is_too_short_cuts_the_answer(tmp_path: Path) -> None:
    assert "is not JSON" in asked(tmp_path, lambda c: c.answer(b'{"a": 1}', Content_Length=5), info)


def test_silence_and_a_drip_end(tmp_path: Path) -> None:
    def drip(connection: Connection) -> None:
        connection.answer(Content_Length=1000)
        connection.drip(b"a" * 1000, 0.05)

    assert "timed out" in asked(tmp_path, silent, info, OSError)
    assert "stopped in the middle: timed out" in asked(tmp_path, silent_after(3, b"12345678"), info)
    assert "stopped in the middle: only " in asked(tmp_path, drip, info)


def test_no_redirect_is_followed(tmp_path: Path) -> None:
    """Whoever follows takes the prompt along."""

    def sent_to(where: str) -> Behaviour:
        return lambda c: c.answer(status="302 Found", Location=where)

    with rude(lambda c: c.answer(b"{}")) as elsewhere:
        said = asked(tmp_path, sent_to(elsewhere.url + "/there"), info)
        assert f"sends on to {elsewhere.url}/there, which is not followed" in said
        assert "which is not followed" in asked(tmp_path, sent_to("/object_info"), info)
        assert "not allowed" in asked(tmp_path, sent_to("file:///etc/passwd"), info, OSError)
    assert elsewhere.heads == []


def test_an_answer_that_is_not_http(tmp_path: Path) -> None:
    assert "is not HTTP" in asked(tmp_path, lambda c: c.send("SSH-2.0-OpenSSH_9.2\r\n\r\n"), info)


def test_a_refusal_that_is_no_refusal_of_comfyuis_is_told_and_cut(tmp_path: Path) -> None:
    for body in (b"<html>" + b"x" * 5_000_000, b"[1]", b'{"error": 3}', b'{"error": null}'):
        behaviour = lambda c, body=body: c.answer(body, "500 Internal Server Error")  # noqa: E731
        said = asked(tmp_path, behaviour, lambda s: s.run({}))
        assert said.startswith("ComfyUI refused the prompt (HTTP 500): ") and len(said) < 2100


def test_an_upload_that_is_not_confirmed_is_said(tmp_path: Path) -> None:
    said = asked(tmp_path, lambda c: c.answer(b'{"names": []}'), lambda s: s.upload(b"x"))
    assert "did not say under what name" in said


# ---- events


def listened(behaviour: Behaviour, timeout: float = 0.4) -> str:
    begin, told = time.monotonic(), []
    with rude(behaviour) as server, pytest.raises(OSError) as raised:
        events.listen(server.url, "me", "mine", lambda: None, lambda *event: told.append(event), timeout)
    assert time.monotonic() - begin < PATIENCE and told == []
    return str(raised.value)


def test_a_message_that_is_no_message_is_told() -> None:
    for payload in (b"hello", b"[1]", b'{"type": "x", "data": 3}', b"\xff"):
        said = listened(opened(frame(payload)))
        assert ("ComfyUI sent a message" in said and "that is not JSON" in said) or "of another form" in said


def test_a_message_that_announces_too_much_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = bytes([0x81, 127]) + struct.pack("!Q", 1 << 62)
    assert f"a message of {1 << 62} bytes" in listened(opened(huge), PATIENCE)
    monkeypatch.setattr(events, "_LONGEST", 1000)
    pieces = [frame(bytes(400), 2, False), *(frame(bytes(400), 0, False) for _ in range(5))]
    assert "a message of 1200 bytes, 1000 is most" in listened(opened(*pieces), PATIENCE)


def test_what_is_no_websocket_is_told() -> None:
    assert "what no websocket sends" in listened(opened(b"HTTP"))
    assert "what no websocket sends" in listened(opened(bytes([0x81, 0x83]) + b"maskabc"))
    page = lambda c: c.answer(b"<html>")  # noqa: E731
    assert "did not open a websocket: HTTP/1.1 200 OK" in listened(page)
    long = lambda c: c.send("HTTP/1.1 200 OK\r\nX: " + "a" * 1_000_000)  # noqa: E731
    assert len(listened(long)) < 700


def test_a_silent_line_ends_when_the_time_is_up() -> None:
    assert "no more in time" in listened(opened()) or "timed out" in listened(opened())


def test_a_dripping_message_does_not_stretch_the_time() -> None:
    drip = opened(frame(b"x" * 100)[:2], then=lambda c: c.drip(b"x" * 1000, 0.05))
    said = listened(drip)
    assert "no more in time" in said or "timed out" in said


def test_an_opening_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_OPENING", 0.3)
    said = listened(lambda c: c.drip(b"HTTP/1.1 101 Switching" * 100, 0.05), PATIENCE)
    assert "no more in time" in said or "timed out" in said


def test_a_hang_up_is_told() -> None:
    assert "hung up" in listened(opened(then=lambda c: None))
    assert "closed the connection before" in listened(opened(frame(b"", 8)))


def test_messages_in_pieces_and_pings_between_them_are_read() -> None:
    text = json.dumps({"type": "execution_success", "data": {"prompt_id": "mine"}}).encode()
    sent = [frame(text[:9], 1, False), frame(b"ping", 9), frame(text[9:], 0)]
    told: list[tuple] = []
    with rude(opened(*sent)) as server:
        events.listen(server.url, "me", "mine", lambda: None, lambda *event: told.append(event), PATIENCE)
    assert told == [("execution_success", {"prompt_id": "mine"})]
