"""The host's protocol over HTTP: queue a prompt, ask what became of it, fetch what it left."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from .values import Prompt


class HostGone(ConnectionError):
    """The host doesn't answer: its process is gone or hangs."""


class NotThere(LookupError):
    """The host has nothing at that path (404)."""


@dataclass
class Refused(Exception):
    """The host won't run the prompt. faults: its own words, with the node each is about ("" for none)."""

    faults: list[Fault]

    def __str__(self) -> str:
        return "; ".join(fault.sentence for fault in self.faults)


@dataclass(frozen=True)
class Fault:
    """node: its id. kind: the host's name for it, such as value_not_in_list. value: what it got."""

    node: str
    kind: str
    sentence: str
    value: Any = None


class Client:
    """One connection, kept open; for one thread at a time. timeout: seconds without an answer."""

    def __init__(self, url: str, timeout: float = 120.0) -> None:
        address = urllib.parse.urlsplit(url)
        self.url = url
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        """Raises HostGone, NotThere."""
        status, content = self._request("GET", path)
        if status == 404:
            raise NotThere(path)
        if status >= 400:
            raise HostGone(f"GET {path} was answered with HTTP {status}.")
        return content

    def post(self, path: str, values: dict[str, Any]) -> bytes:
        """Raises HostGone."""
        status, content = self._request("POST", path, json.dumps(values).encode())
        if status >= 400:
            raise HostGone(f"POST {path} was answered with HTTP {status}.")
        return content

    def queue(self, prompt: Prompt, prompt_id: str, client: str) -> None:
        """Raises HostGone, and Refused for a prompt that the host finds faults in."""
        body = json.dumps({"prompt": prompt, "prompt_id": prompt_id, "client_id": client}).encode()
        status, content = self._request("POST", "/prompt", body)
        if status >= 500:
            raise HostGone(f"The host answered a prompt with HTTP {status}.")
        if status >= 400:
            raise Refused(_faults(content))

    def entry(self, prompt_id: str) -> dict[str, Any] | None:
        """What its history says about a prompt that ended; None while there is nothing."""
        found: dict[str, Any] | None = json.loads(self.get(f"/history/{prompt_id}")).get(prompt_id)
        return found

    def knows(self, prompt_id: str) -> bool:
        """Whether the prompt is in its queue, runs, or ended. Older hosts have no list of jobs: the queue."""
        try:
            self.get(f"/api/jobs/{prompt_id}")
            return True
        except NotThere:
            queue = json.loads(self.get("/queue"))
            waiting = [*queue.get("queue_running", ()), *queue.get("queue_pending", ())]
            return any(item[1] == prompt_id for item in waiting) or self.entry(prompt_id) is not None

    def view(self, reference: dict[str, str]) -> bytes:
        """A file named in a history entry. Raises HostGone, NotThere."""
        names = {key: reference.get(key, "") for key in ("filename", "subfolder", "type")}
        return self.get("/view?" + urllib.parse.urlencode(names))

    def forget(self, prompt_id: str) -> None:
        """Take a prompt out of its history, which else grows with every row."""
        self.post("/history", {"delete": [prompt_id]})

    def _request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for last in (False, True):
            try:
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError) as error:
                self._connection.close()
                # A host may close a connection that was idle; only a second failure means something.
                if last or isinstance(error, TimeoutError):
                    raise HostGone(f"The host doesn't answer ({error or type(error).__name__}).") from error
        raise AssertionError


def _faults(content: bytes) -> list[Fault]:
    text = content.decode(errors="replace")
    try:
        answer = json.loads(text)
        found = [
            Fault(node, str(fault["type"]), f"{fault['message']}: {fault['details']}", _received(fault))
            for node, faults in answer.get("node_errors", {}).items()
            for fault in faults["errors"]
        ]
        error = answer["error"]
        named = error.get("extra_info", {}).get("node_id", "") if isinstance(error, dict) else ""
        words = error["message"] + (f": {error['details']}" if error.get("details") else "")
        return found or [Fault(str(named), str(error["type"]), words)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Fault("", "unknown", text.strip() or "no reason given")]


def _received(fault: dict[str, Any]) -> Any:
    return (fault.get("extra_info") or {}).get("received_value")
