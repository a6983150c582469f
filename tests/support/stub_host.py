"""A host that speaks ComfyUI's protocol and draws nothing: it answers at once, and misbehaves on request.

python stub_host.py --port PORT --base-directory DIR [--output-directory DIR ...] [--marks DIR]

A picture is a small PNG made of a hash of all inputs, so that equal prompts give equal bytes. Words in any
text input of a prompt make it misbehave: !hang, !die, !die-after (the picture is written, then it dies),
!forget, !damage, !error, !oom, !full, !refuse and !slow=SECONDS. `!die~3` happens the first 3 times only,
over all hosts that share --marks. --silent: its sockets never say a word; --stuck: it never answers at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import stub_nodes
from aiohttp import WSMsgType, web
from stub_work import Work

Answer = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


class StubHost:
    """The state of one host; `app` is what serves it."""

    def __init__(self, options: argparse.Namespace) -> None:
        base = Path(options.base_directory or ".")
        given = vars(options)
        self.folders = {
            kind: Path(given[f"{kind}_directory"] or base / kind) for kind in ("input", "output", "temp")
        }
        for folder in self.folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        self.number = 0
        self.work = Work(self.folders, Path(options.marks) if options.marks else None, bool(options.silent))

    def app(self) -> web.Application:
        app = web.Application(client_max_size=256 * 2**20)
        routes: list[tuple[str, str, Answer]] = [
            ("GET", "/ws", self.socket),
            ("GET", "/system_stats", self.system_stats),
            ("GET", "/object_info", self.object_info),
            ("GET", "/object_info/{node}", self.object_info),
            ("POST", "/prompt", self.prompt),
            ("GET", "/prompt", self.remaining),
            ("GET", "/history", self.get_history),
            ("GET", "/history/{id}", self.get_history),
            ("POST", "/history", self.change_history),
            ("GET", "/queue", self.get_queue),
            ("POST", "/queue", self.change_queue),
            ("GET", "/jobs/{id}", self.job),
            ("GET", "/view", self.view),
            ("POST", "/upload/image", self.upload),
            ("POST", "/interrupt", self.interrupt),
            ("POST", "/free", self.free),
            ("GET", "/internal/folder_paths", self.folder_paths),
        ]
        for method, path, answer in routes:
            app.router.add_route(method, "/api" + path, answer)
            if not path.startswith("/jobs"):
                app.router.add_route(method, path, answer)
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, app: web.Application) -> None:
        app["work"] = asyncio.create_task(self.work.go_on())

    # What is asked and told.

    async def system_stats(self, _: web.Request) -> web.Response:
        system = {"os": sys.platform, "comfyui_version": "0.30.0", "python_version": sys.version}
        system |= {"pytorch_version": "stub", "ram_total": 2**34, "ram_free": 2**33, "argv": sys.argv}
        return web.json_response(
            {"system": system, "devices": [{"name": "stub", "type": "cpu", "index": None}]}
        )

    async def object_info(self, request: web.Request) -> web.Response:
        known = stub_nodes.object_info(self.folders["input"])
        node = request.match_info.get("node")
        return web.json_response(known if node is None else {k: v for k, v in known.items() if k == node})

    async def prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        prompt_id = body.get("prompt_id") or str(uuid.uuid4())
        try:
            if str(uuid.UUID(prompt_id)) != prompt_id:
                raise ValueError
        except ValueError:
            wrong = {"type": "invalid_prompt_id", "message": "prompt_id must be a valid UUID"}
            return web.json_response({"error": wrong, "node_errors": {}}, status=400)
        prompt = body["prompt"]
        refused = stub_nodes.faults(prompt, self.folders["input"])
        if refused is None and self.work.faults.asked("refuse", prompt) is not None:
            refused = {"type": "invalid_prompt", "message": "The stub was told to refuse"}, {}
        if refused is not None:
            return web.json_response({"error": refused[0], "node_errors": refused[1]}, status=400)
        self.number += 1
        outputs = [node for node, content in prompt.items() if stub_nodes.is_output(content["class_type"])]
        extra = {"client_id": body.get("client_id"), "create_time": int(time.time() * 1000)}
        if self.work.faults.asked("forget", prompt) is None:
            self.work.add([self.number, prompt_id, prompt, extra, outputs])
        return web.json_response({"prompt_id": prompt_id, "number": self.number, "node_errors": {}})

    async def remaining(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"exec_info": {"queue_remaining": len(self.work.queue) + (self.work.running is not None)}}
        )

    async def get_history(self, request: web.Request) -> web.Response:
        wanted = request.match_info.get("id")
        if wanted is None:
            return web.json_response(self.work.history)
        return web.json_response({wanted: self.work.history[wanted]} if wanted in self.work.history else {})

    async def change_history(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            self.work.history.clear()
        for gone in body.get("delete", ()):
            self.work.history.pop(gone, None)
        return web.Response()

    async def get_queue(self, _: web.Request) -> web.Response:
        running = [self.work.running] if self.work.running is not None else []
        return web.json_response({"queue_running": running, "queue_pending": list(self.work.queue)})

    async def change_queue(self, request: web.Request) -> web.Response:
        body = await request.json()
        gone = set(body.get("delete", ()))
        kept = [] if body.get("clear") else [item for item in self.work.queue if item[1] not in gone]
        self.work.queue = deque(kept)
        return web.Response()

    async def job(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        if self.work.running is not None and self.work.running[1] == wanted:
            return web.json_response({"id": wanted, "status": "in_progress"})
        if any(item[1] == wanted for item in self.work.queue):
            return web.json_response({"id": wanted, "status": "pending"})
        if wanted not in self.work.history:
            return web.json_response({"error": "Job not found"}, status=404)
        entry = self.work.history[wanted]
        failed = entry["status"]["status_str"] != "success"
        state = {"id": wanted, "status": "failed" if failed else "completed"}
        return web.json_response({**state, "outputs": entry["outputs"]})

    async def view(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        folder = self.folders[query.get("type", "output")] / query.get("subfolder", "")
        file = folder / Path(query["filename"]).name
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    async def upload(self, request: web.Request) -> web.Response:
        post = await request.post()
        image = post["image"]
        assert isinstance(image, web.FileField)
        subfolder = str(post.get("subfolder", ""))
        folder = self.folders[str(post.get("type", "input"))] / subfolder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / image.filename).write_bytes(image.file.read())
        return web.json_response({"name": image.filename, "subfolder": subfolder, "type": "input"})

    async def interrupt(self, request: web.Request) -> web.Response:
        text = await request.text()
        wanted = json.loads(text).get("prompt_id") if text else None
        if self.work.running is not None and wanted in (None, self.work.running[1]):
            self.work.interrupted.set()
        return web.Response()

    async def free(self, _: web.Request) -> web.Response:
        self.work.drawing.forget()
        return web.Response()

    async def folder_paths(self, _: web.Request) -> web.Response:
        return web.json_response({"checkpoints": [str(self.folders["input"].parent / "models")]})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = request.query.get("clientId") or uuid.uuid4().hex
        self.work.sockets[name] = socket
        try:
            await self.work.tell(
                name, "status", {"status": {"exec_info": {"queue_remaining": len(self.work.queue)}}}
            )
            async for message in socket:
                if message.type == WSMsgType.ERROR:
                    break
        finally:
            self.work.sockets.pop(name, None)
        return socket


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8188)
    for name in ("base", "input", "output", "temp", "user"):
        parser.add_argument(f"--{name}-directory")
    parser.add_argument("--marks")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--stuck", action="store_true")
    options, _ = parser.parse_known_args()
    if options.stuck:
        time.sleep(1e6)
    web.run_app(StubHost(options).app(), host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
