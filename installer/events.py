"""Listens to a ComfyUI server's websocket: just enough of RFC 6455 to read what a local server says."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
#: Bytes of one message (a preview has some hundred thousand); bytes and seconds of the answer that opens
#: the line.
_LONGEST, _LONGEST_HEAD, _OPENING = 64_000_000, 65_536, 30.0
_LAST = ("execution_success", "execution_error", "execution_interrupted")


def listen(
    url: str,
    client: str,
    prompt_id: str,
    begin: Callable[[], None],
    on_event: Callable[[str, dict[str, Any]], None],
    timeout: float,
) -> None:
    """Connect, call begin(), then on_event(type, data) for each message about the prompt until its end.

    Raises TimeoutError after `timeout` seconds, ConnectionError when the server hangs up.
    """
    end = time.monotonic() + timeout
    with _connect(url, f"/ws?clientId={client}") as connection:
        begin()
        while True:
            kind, payload = _read_message(connection, end)
            if kind == _CLOSE:
                raise ConnectionError("ComfyUI closed the connection before the prompt had ended.")
            if kind != _TEXT:
                continue
            name, data = _told(payload)
            if data.get("prompt_id") != prompt_id:
                continue
            on_event(name, data)
            if name in _LAST:
                return


def messages(url: str, client: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, data) of every message the server sends to this client, until it says goodbye.

    Raises OSError when it is not there or hangs up.
    """
    with _connect(url, f"/ws?clientId={client}") as connection:
        while True:
            kind, payload = _read_message(connection, None)
            if kind == _CLOSE:
                return
            if kind == _TEXT:
                yield _told(payload)


def _told(payload: bytes) -> tuple[str, dict[str, Any]]:
    """A message's type and data. Raises ConnectionError when it is no message of ComfyUI's."""
    begin = payload[:80].decode(errors="replace")
    try:
        message = json.loads(payload)
    except ValueError as error:
        raise ConnectionError(f"ComfyUI sent a message that is not JSON ({error}): {begin!r}") from error
    data = (message.get("data") or {}) if isinstance(message, dict) else None
    if not isinstance(data, dict):
        raise ConnectionError(f"ComfyUI sent a message of another form: {begin!r}")
    return str(message.get("type")), data


def _connect(url: str, path: str) -> socket.socket:
    address = urllib.parse.urlsplit(url)
    connection = socket.create_connection((address.hostname or "", address.port or 80), timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    try:
        _await_opening(connection)
    except OSError:
        connection.close()
        raise
    return connection


def _await_opening(connection: socket.socket) -> None:
    head, end = b"", time.monotonic() + _OPENING
    while not head.endswith(b"\r\n\r\n") and len(head) < _LONGEST_HEAD:
        head += _read(connection, 1, end)
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        said = head[:500].decode(errors="replace").strip()
        raise ConnectionError(f"ComfyUI did not open a websocket: {said}")


def _read_message(connection: socket.socket, end: float | None) -> tuple[int, bytes]:
    """One whole message, its fragments joined; pings are answered on the way.

    Raises ConnectionError for one that is longer than any of ComfyUI's, or no websocket's.
    """
    kind, parts = 0, bytearray()
    while True:
        first, second = _read(connection, 2, end)
        if first & 0x70 or second & 0x80:
            raise ConnectionError("ComfyUI sent what no websocket sends.")
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", _read(connection, 2, end))[0]
        elif length == 127:
            length = struct.unpack("!Q", _read(connection, 8, end))[0]
        if length + len(parts) > _LONGEST:
            raise ConnectionError(
                f"ComfyUI sent a message of {length + len(parts)} bytes, {_LONGEST} is most."
            )
        payload = _read(connection, length, end)
        code = first & 0x0F
        if code == _PING:
            _send(connection, _PONG, payload)
            continue
        if code == _PONG:
            continue
        kind = code or kind
        parts += payload
        if first & 0x80:
            return kind, bytes(parts)


def _send(connection: socket.socket, code: int, payload: bytes) -> None:
    # A client must mask what it sends; control frames are shorter than 126 bytes.
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    connection.sendall(bytes([0x80 | code, 0x80 | len(payload)]) + mask + masked)


def _read(connection: socket.socket, length: int, end: float | None) -> bytes:
    """Exactly that many bytes. Raises TimeoutError when they have not come at `end`, however they drip."""
    data = bytearray()
    while len(data) < length:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("ComfyUI said no more in time.")
        connection.settimeout(left)
        piece = connection.recv(min(length - len(data), 1 << 20))
        if not piece:
            raise ConnectionError("ComfyUI hung up.")
        data += piece
    return bytes(data)
