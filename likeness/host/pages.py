"""Pages that the server shows without any node, and what the page may ask it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .callers import why_not_here, why_not_ours

#: Answers a question, the body of a POST. why_not: why this caller may change nothing here, or nothing.
#: Raises ValueError, whose sentence the page gets.
Answer = Callable[[Mapping[str, Any], str], Any]


def show_text(path: str, make: Callable[[], str]) -> bool:
    """Serve make() as plain text to GET `path`, made anew for every visit. Call while the pack loads.

    False when the host runs without a server, as a library.
    """
    server = _server()
    if server is None:
        return False
    from aiohttp import web

    async def answer(request: Any) -> Any:
        # Looking at files may take long on a network drive, and the server has one thread.
        return web.Response(text=await asyncio.to_thread(make) + "\n")

    server.routes.get(path)(answer)
    return True


def answer_json(path: str, make: Answer, changes: bool) -> bool:
    """Serve make() to POST `path`, JSON both ways. Call while the pack loads. False as show_text.

    changes: only pages of this server that are open on this machine are heard; others get a 403.
    """
    server = _server()
    if server is None:
        return False
    from aiohttp import web

    async def answer(request: Any) -> Any:
        here = why_not_here(request.remote, request.headers)
        why_not = here or why_not_ours(request.scheme, request.headers)
        if changes and why_not:
            return web.json_response({"error": why_not}, status=403)
        try:
            question = json.loads(await request.text())
            if not isinstance(question, dict):
                raise ValueError("That is no JSON object.")
            return web.json_response(await asyncio.to_thread(make, question, why_not))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    server.routes.post(path)(answer)
    return True


def _server() -> Any:
    # Not imported: where nobody has, there is no server, and importing it takes long.
    module = sys.modules.get("server")
    return getattr(module.PromptServer, "instance", None) if module else None
