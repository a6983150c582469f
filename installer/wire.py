"""What a server sends, read within limits: its bytes, and the JSON in them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from typing import Any

from likeness.weights import answers
from likeness.weights.catalogue import readable_size

#: Bytes of an answer. /object_info with many packs has some ten million; a picture of 16k with its graph 300.
LONGEST_JSON, LONGEST_FILE, LONGEST_REFUSAL = 100_000_000, 1_000_000_000, 1_000_000


class WireError(RuntimeError):
    """What came is not what was asked for; the message goes on after what it is an answer to."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """ComfyUI sends nobody elsewhere: what does would get the pictures of whoever follows."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        raise WireError(f"sends on to {newurl}, which is not followed: ComfyUI sends nobody elsewhere")


def whole(answer: HTTPResponse, limit: int) -> bytes:
    """The body. Raises WireError when it is longer than `limit` bytes, ends early or hardly moves."""
    body, announced = bytearray(), answer.length
    try:
        for piece in answers.pieces(answer, limit if announced is None else min(limit, announced)):
            body += piece
            if len(body) > limit:
                raise WireError(f"sends more than {readable_size(limit)}: that is no answer of ComfyUI's")
    except (OSError, HTTPException) as error:
        raise WireError(f"stopped in the middle: {error}") from error
    if announced is not None and len(body) < announced:
        raise WireError(f"ended after {len(body)} of {announced} bytes")
    return bytes(body[:announced])


def parsed(body: bytes) -> dict[str, Any]:
    """The object of JSON that a body is. Raises WireError with its beginning when it is none."""
    begin = body[:80].decode(errors="replace")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"is not JSON ({error}): {begin!r}. Is that ComfyUI's address?") from error
    if not isinstance(answer, dict):
        raise WireError(f"is no object of JSON: {begin!r}. Is that ComfyUI's address?")
    return answer


def refusal(error: urllib.error.HTTPError) -> str:
    """What ComfyUI says about a prompt it will not run, one line per fault."""
    text = error.read(LONGEST_REFUSAL).decode(errors="replace")
    try:
        answer = json.loads(text)
        lines = [str(answer["error"]["message"])]
        for node, faults in answer.get("node_errors", {}).items():
            for fault in faults["errors"]:
                lines.append(f"node {node} ({faults['class_type']}): {fault['message']}: {fault['details']}")
    except (ValueError, KeyError, TypeError, AttributeError):
        lines = [text[:2000]]
    return f"ComfyUI refused the prompt (HTTP {error.code}): " + "\n".join(lines)
