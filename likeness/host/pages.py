"""Pages that the server shows without any node."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any


def show_text(path: str, make: Callable[[], str]) -> bool:
    """Serve make() as plain text to GET `path`, made anew for every visit. Call while the pack loads.

    False when the host runs without a server, as a library.
    """
    # Not imported: where nobody has, there is no server, and importing it takes long.
    module = sys.modules.get("server")
    server = getattr(module.PromptServer, "instance", None) if module else None
    if server is None:
        return False
    from aiohttp import web

    async def answer(request: Any) -> Any:
        # Looking at files may take long on a network drive, and the server has one thread.
        return web.Response(text=await asyncio.to_thread(make) + "\n")

    server.routes.get(path)(answer)
    return True
