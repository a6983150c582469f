"""The stub host's queue: one prompt after the other, what its sockets are told, what is remembered."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from stub_faults import Faults
from stub_pictures import Drawing

#: As many finished prompts as ComfyUI remembers.
REMEMBERED = 10000


class Work:
    """queue and running hold [number, id, prompt, extra, outputs]; history is that of /history."""

    def __init__(self, folders: Mapping[str, Path], marks: Path | None, silent: bool) -> None:
        self.queue: deque[list[Any]] = deque()
        self.running: list[Any] | None = None
        self.history: dict[str, dict[str, Any]] = {}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.interrupted = asyncio.Event()
        self.faults = Faults(marks)
        self._arrived = asyncio.Event()
        self.drawing = Drawing(folders)
        self._silent = silent

    def add(self, item: list[Any]) -> None:
        self.queue.append(item)
        self._arrived.set()

    async def tell(self, client: str | None, kind: str, data: Mapping[str, Any]) -> None:
        socket = self.sockets.get(client or "")
        if socket is not None and not self._silent and not socket.closed:
            await socket.send_json({"type": kind, "data": data})

    async def go_on(self) -> None:
        while True:
            while not self.queue:
                self._arrived.clear()
                await self._arrived.wait()
            self.running = self.queue.popleft()
            self.interrupted.clear()
            entry = await self._run(*self.running[1:4])
            prompt_id = self.running[1]
            if len(self.history) >= REMEMBERED:
                self.history.pop(next(iter(self.history)))
            self.history[prompt_id] = {"prompt": self.running, **entry}
            client, self.running = self.running[3]["client_id"], None
            await self.tell(client, "executing", {"node": None, "prompt_id": prompt_id})

    async def _run(self, prompt_id: str, prompt: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        messages: list[tuple[str, dict[str, Any]]] = []

        async def tell(kind: str, data: Mapping[str, Any]) -> None:
            told = {**data, "prompt_id": prompt_id, "timestamp": int(time.time() * 1000)}
            if kind.startswith("execution_"):
                messages.append((kind, told))
            await self.tell(extra["client_id"], kind, told)

        await tell("execution_start", {})
        await tell("execution_cached", {"nodes": []})
        outputs: dict[str, Any] = {}
        for node in prompt:
            await tell("executing", {"node": node, "display_node": node})
        failure = await self.faults.failure(prompt, self.interrupted)
        if failure is None:
            outputs = self.drawing.draw(prompt, self.faults.asked("damage", prompt) is not None)
            for node, output in outputs.items():
                await tell("executed", {"node": node, "display_node": node, "output": output})
            if self.faults.asked("die-after", prompt) is not None:
                os.kill(os.getpid(), signal.SIGKILL)
            await tell("execution_success", {})
        else:
            await tell(*failure)
        status = "success" if failure is None else "error"
        told = {"status_str": status, "completed": failure is None, "messages": messages}
        return {"outputs": outputs, "status": told, "meta": {}}
