"""A ComfyUI server without a window: start it, give it prompts, fetch its pictures, stop it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from . import wire
from .comfyui import knows as comfyui_knows
from .events import listen
from .paths import link_models

#: Seconds until it is taken for hung. A busy machine must not come near.
PATIENCE = 600.0

Event = Callable[[str, dict[str, Any]], None]
# Only this machine is spoken to: a proxy from the environment must not get in between.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), wire.NoRedirects())


class ServerError(RuntimeError):
    """The server did not start, refused a prompt, or a node failed; the message says which."""


class Server:
    """`with Server(...) as server:` boots; leaving ends it.

    base is ComfyUI's base directory (custom_nodes, input, output, models); packs names the folders
    in its custom_nodes to load, and no others are.
    """

    def __init__(
        self,
        python: str | Path,
        comfyui: Path,
        base: Path,
        packs: Sequence[str],
        *,
        models: Path | None = None,
        extra_paths: Path | None = None,
        cpu: bool = True,
        one_thread: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.base = base
        self.log_path = base / "server.log"
        self.url = ""
        self._comfyui = comfyui
        # Tiny networks spend their time handing work to threads; real ones need them all.
        self._one_thread = one_thread
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [str(python), str(comfyui / "main.py"), *(["--cpu"] if cpu else [])]
        self._command += ["--listen", "127.0.0.1", "--base-directory", str(base)]
        self._command += [
            "--database-url",
            "sqlite:///:memory:",
            "--disable-api-nodes",
            "--disable-auto-launch",
        ]
        self._command += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", *packs]
        # Hosts before 0.27 have no such option: there the models folder is a link.
        self._linked = models if models and not comfyui_knows(comfyui, "--models-directory") else None
        if models is not None and self._linked is None:
            self._command += ["--models-directory", str(models)]
        if extra_paths is not None:
            self._command += ["--extra-model-paths-config", str(extra_paths)]
        self._command += arguments

    @property
    def pid(self) -> int | None:
        """The number of the running process; None when there is none."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process is not None else None

    def interrupt(self) -> None:
        """Stop the prompt that is being worked on."""
        self._post("/interrupt", b"{}", "application/json")

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = PATIENCE) -> None:
        for name in ("input", "output", "temp", "user", "custom_nodes", "models"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        if self._linked is not None:
            link_models(self._linked, self.base / "models")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        if self._one_thread:
            environment["OMP_NUM_THREADS"] = "1"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "--port", str(port)],
                cwd=self._comfyui,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        try:
            self._wait_until_it_answers(time.monotonic() + timeout)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self, end: float) -> None:
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                raise ServerError(f"ComfyUI stopped while starting. The end of its log:\n{self.log_tail()}")
            try:
                self._get("/system_stats")
                return
            except OSError:
                time.sleep(0.2)
        raise ServerError(f"ComfyUI did not answer in time. The end of its log:\n{self.log_tail()}")

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def log_tail(self, lines: int = 40) -> str:
        text = self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def run(
        self, prompt: dict[str, Any], timeout: float = PATIENCE, on_event: Event | None = None
    ) -> dict[str, Any]:
        """Queue an API prompt, wait for it, and return its history entry.

        on_event(type, data) is told every message the server sends about it. Raises ServerError with
        what the server or the failing node said.
        """
        prompt_id, client = str(uuid.uuid4()), uuid.uuid4().hex
        body = {"prompt": prompt, "prompt_id": prompt_id, "client_id": client}
        end = time.monotonic() + timeout
        if on_event is None:
            self._queue(body)
        else:
            listen(self.url, client, prompt_id, lambda: self._queue(body), on_event, timeout)
        while time.monotonic() < end:
            entry: dict[str, Any] | None = self._json(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                _raise_failure(entry)
                return entry
            if self._process is not None and self._process.poll() is not None:
                raise ServerError(f"ComfyUI stopped while working. The end of its log:\n{self.log_tail()}")
            time.sleep(0.05)
        raise ServerError(f"The prompt was not done after {timeout:.0f} s.")

    def _queue(self, body: dict[str, Any]) -> None:
        self._post("/prompt", json.dumps(body).encode(), "application/json")

    def image(self, ref: dict[str, str]) -> bytes:
        """The bytes of a picture named in a history entry's outputs."""
        return self._get("/view?" + urllib.parse.urlencode(ref))

    def upload(self, picture: bytes | str | Path, name: str | None = None) -> str:
        """Put a picture into the input folder; returns the name that LoadImage takes."""
        if not isinstance(picture, bytes):
            name = name or Path(picture).name
            picture = Path(picture).read_bytes()
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="%s"'
        parts = (head % "overwrite") + "\r\n\r\ntrue\r\n"
        parts += (head % "image") + f'; filename="{name or "picture.png"}"\r\n'
        parts += "Content-Type: application/octet-stream\r\n\r\n"
        body = parts.encode() + picture + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        answer = _parsed(self._post("/upload/image", body, kind), "/upload/image")
        if not isinstance(answer.get("name"), str):
            raise ServerError(f"ComfyUI took the picture and did not say under what name: {answer}")
        return "/".join(part for part in (answer.get("subfolder"), answer["name"]) if part)

    def object_info(self, node: str = "") -> dict[str, Any]:
        return self._json("/object_info" + (f"/{node}" if node else ""))

    def get(self, path: str) -> bytes:
        return self._get(path)

    def _json(self, path: str) -> dict[str, Any]:
        return _parsed(self._ask(self.url + path, path, wire.LONGEST_JSON), path)

    def _get(self, path: str) -> bytes:
        return self._ask(self.url + path, path, wire.LONGEST_FILE)

    def _post(self, path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        try:
            return self._ask(request, path, wire.LONGEST_JSON)
        except urllib.error.HTTPError as error:
            raise ServerError(wire.refusal(error)) from error

    def _ask(self, request: str | urllib.request.Request, path: str, limit: int) -> bytes:
        try:
            with _OPENER.open(request, timeout=PATIENCE) as answer:
                return wire.whole(answer, limit)
        except HTTPException as error:
            raise ServerError(f"The answer to {path} is not HTTP: {error}") from error
        except wire.WireError as error:
            raise ServerError(f"The answer to {path} {error}") from error


def _parsed(body: bytes, path: str) -> dict[str, Any]:
    try:
        return wire.parsed(body)
    except wire.WireError as error:
        raise ServerError(f"The answer to {path} {error}") from error


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _raise_failure(entry: dict[str, Any]) -> None:
    for kind, data in entry["status"]["messages"]:
        if kind == "execution_error":
            place = f"node {data['node_id']} ({data['node_type']})"
            raise ServerError(f"{place} failed: {data['exception_type']}: {data['exception_message']}")
        if kind == "execution_interrupted":
            raise ServerError("The prompt was interrupted.")
