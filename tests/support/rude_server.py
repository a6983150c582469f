"""A server on this machine that answers byte for byte as a test says: what no HTTP library would send."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

#: What is done with a connection whose request's head has come; True goes on to the connection's next one.
Behaviour = Callable[["Connection"], object]


class Connection:
    """One request: its head, and ways to answer it."""

    def __init__(self, peer: socket.socket, head: str, over: threading.Event) -> None:
        self.peer, self.head, self._over = peer, head, over

    @property
    def path(self) -> str:
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str:
        for line in self.head.splitlines()[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""

    def send(self, *parts: str | bytes) -> None:
        for part in parts:
            self.peer.sendall(part.encode() if isinstance(part, str) else part)

    def answer(self, body: bytes = b"", status: str = "200 OK", **headers: str | int) -> None:
        """A whole answer; Content_Length="" leaves that header out, and so on."""
        told = {"Content_Length": len(body), "Content_Type": "application/octet-stream", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items() if value != ""]
        self.send("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]), body)

    def wait(self, seconds: float = 60.0) -> bool:
        """Say nothing until the client hangs up, the test is over or the time is up; True at the last."""
        self.peer.settimeout(0.01)
        try:
            turns = range(int(seconds / 0.01) + 1)
            return not any(self._over.is_set() or self._hung_up() for _ in turns)
        finally:
            self.peer.settimeout(None)

    def _hung_up(self) -> bool:
        try:
            return not self.peer.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            return True

    def drip(self, body: bytes, pause: float) -> None:
        """A byte at a time, as long as the client listens."""
        for byte in body:
            self.send(bytes([byte]))
            if not self.wait(pause):
                return


class RudeServer:
    """behaviours are used up one a request; the last stays. heads has the requests."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours, self.heads = list(behaviours), list[str]()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        self._listener.settimeout(0.05)  # not every system wakes who waits when the socket is closed
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                peer, _ = self._listener.accept()
                peer.settimeout(None)
                thread = threading.Thread(target=self._talk, args=(peer,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _talk(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                came = peer.recv(1 << 16)
                if not came:
                    return
                head += came
            text, _, body = head.partition(b"\r\n\r\n")
            connection = Connection(peer, text.decode("latin-1"), self._over)
            missing = int(connection.header("Content-Length") or 0) - len(body)
            while missing > 0:
                missing -= len(peer.recv(1 << 16)) or missing
            self.heads.append(connection.head)
            behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            behaviour(connection)

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()


@contextlib.contextmanager
def rude(*behaviours: Behaviour) -> Iterator[RudeServer]:
    server = RudeServer(*behaviours)
    try:
        yield server
    finally:
        server.close()


def endless(connection: Connection) -> None:
    """A body without end, in chunks."""
    connection.answer(Transfer_Encoding="chunked", Content_Length="")
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with contextlib.suppress(OSError):
        for _ in range(100_000):
            connection.send(piece)


def silent(connection: Connection) -> None:
    connection.wait()


def silent_after(count: int, body: bytes) -> Behaviour:
    """Announces the whole body, sends its first bytes and no more."""

    def behave(connection: Connection) -> None:
        connection.answer(body[:count], Content_Length=len(body))
        connection.wait()

    return behave


def opened(*frames: bytes, then: Behaviour = silent) -> Behaviour:
    """Opens a websocket, sends these frames, and does that."""

    def behave(connection: Connection) -> None:
        key = connection.header("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.send(head, f"Sec-WebSocket-Accept: {accept}\r\n\r\n", *frames)
        then(connection)

    return behave


def frame(payload: bytes, code: int = 1, last: bool = True) -> bytes:
    """A frame of a websocket."""
    first = bytes([(0x80 if last else 0) | code])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    return first + bytes([127]) + struct.pack("!Q", len(payload)) + payload
