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
            connection.settimeout(max(0.01, end - time.monotonic()))
            kind, payload = _read_message(connection)
            if kind == _CLOSE:
                raise ConnectionError("ComfyUI closed the connection before the prompt had ended.")
            if kind != _TEXT:
                continue
            message = json.loads(payload)
            data = message.get("data") or {}
            if data.get("prompt_id") != prompt_id:
                continue
            on_event(message["type"], data)
            if message["type"] in _LAST:
                return


def messages(url: str, client: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, data) of every message the server sends to this client, until it says goodbye.

    Raises OSError when it is not there or hangs up.
    """
    with _connect(url, f"/ws?clientId={client}") as connection:
        connection.settimeout(None)
        while True:
            kind, payload = _read_message(connection)
            if kind == _CLOSE:
                return
            if kind == _TEXT:
                message = json.loads(payload)
                yield str(message.get("type")), message.get("data") or {}


def _connect(url: str, path: str) -> socket.socket:
    address = urllib.parse.urlsplit(url)
    connection = socket.create_connection((address.hostname or "", address.port or 80), timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _read(connection, 1)
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        connection.close()
        raise ConnectionError(f"ComfyUI did not open a websocket: {head.decode(errors='replace').strip()}")
    return connection


def _read_message(connection: socket.socket) -> tuple[int, bytes]:
    """One whole message, its fragments joined; pings are answered on the way."""
    kind, parts = 0, []
    while True:
        first, second = _read(connection, 2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", _read(connection, 2))[0]
        elif length == 127:
            length = struct.unpack("!Q", _read(connection, 8))[0]
        payload = _read(connection, length)
        code = first & 0x0F
        if code == _PING:
            _send(connection, _PONG, payload)
            continue
        if code == _PONG:
            continue
        kind = code or kind
        parts.append(payload)
        if first & 0x80:
            return kind, b"".join(parts)


def _send(connection: socket.socket, code: int, payload: bytes) -> None:
    # A client must mask what it sends; control frames are shorter than 126 bytes.
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    connection.sendall(bytes([0x80 | code, 0x80 | len(payload)]) + mask + masked)


def _read(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionError("ComfyUI hung up.")
        data += piece
    return bytes(data)
