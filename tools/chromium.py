"""A page in a headless Chromium, driven over its debugging port with aiohttp, which ComfyUI has."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from installer.browser import MISSING, find_browser

#: Seconds until the page is taken for hung. A busy machine must not come near.
PATIENCE = 300.0
KEY_CODES = {"Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
#: No window, no card, and nothing that speaks to the network by itself.
OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
#: What the browser says of a script that a page left behind when it was loaded anew.
LEFT = "Inspected target navigated or closed"
READY = "!!(window.app && app.graph && app.extensionManager && window.LiteGraph)"
#: The page has opened the graph it begins with, which would else replace a test's.
SETTLED = "!app.extensionManager.spinner && !!app.extensionManager.workflow.activeWorkflow"
#: The first visit would open the template browser, and missing gigabytes a dialog, over the graph. Texts
#: are drawn at every zoom. The tabs of all that was opened would fill the page.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Workflow.WorkflowTabsPosition": "Sidebar",
    "Comfy.Minimap.Visible": False,
    "Comfy.NodeSearchBoxImpl.FollowCursor": False,
    "Comfy.VueNodes.Enabled": False,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,
}


class Page:
    """`async with Page(url) as page:` opens the page in a browser with an empty profile; leaving ends it."""

    def __init__(self, url: str, width: int = 1920, height: int = 1080) -> None:
        self._url = url
        self._size = f"{width},{height}"
        self._number = 0

    async def __aenter__(self) -> Page:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = [*OPTIONS, f"--window-size={self._size}", f"--user-data-dir={self._profile.name}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses its sandbox to root, as in a container
        program = find_browser()
        if program is None:
            raise FileNotFoundError(MISSING)
        command = [program, *options, self._url]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._session = aiohttp.ClientSession(trust_env=False)
        self._socket = await self._session.ws_connect(await self._address(), max_msg_size=0)
        await self._call("Page.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._session.close()
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._profile.cleanup()

    async def _address(self) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            port = Path(self._profile.name) / "DevToolsActivePort"
            if port.exists() and (match := re.match(r"\d+", port.read_text(encoding="utf-8"))):
                async with self._session.get(f"http://127.0.0.1:{match[0]}/json/list") as answer:
                    for target in json.loads(await answer.text()):
                        if target["type"] == "page":
                            return str(target["webSocketDebuggerUrl"])
            await asyncio.sleep(0.1)
        raise TimeoutError("Chromium did not open the page.")

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(timeout=PATIENCE)).data)
            if message.get("method") == "Page.javascriptDialogOpening":  # leave this page? yes
                answer = {"method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
                await self._socket.send_json({"id": 0, **answer})
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    async def run(self, script: str) -> Any:
        """The value of a piece of JavaScript, promises awaited. Raises RuntimeError for what it throws."""
        result = await self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(
                result["exceptionDetails"].get("exception", {}).get("description", str(result))
            )
        return result["result"].get("value")

    async def wait_for(self, condition: str) -> None:
        """Until a piece of JavaScript is true. Raises TimeoutError, saying what the page never came to."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if await self.run(condition):
                    return
            except RuntimeError as error:
                if LEFT not in str(error):
                    raise
            await asyncio.sleep(0.2)
        raise TimeoutError(f"The page never came to: {condition}")

    async def rest(self, seconds: float = 0.3) -> None:
        """Until the page has done and drawn what it put off for up to so many seconds, and has nothing to do.

        By its own timers, which on a busy machine are as late as what is waited for.
        """
        await self.run(f"new Promise((then) => setTimeout(then, {seconds * 1000}))")
        await self.drawn()
        await self.run("new Promise((then) => requestIdleCallback(() => then(1)))")

    async def drag(self, *places: tuple[float, float], held: float = 0) -> None:
        """Presses the left button at the first place, in page pixels, and lets go at the last. held: seconds
        that it stays down there."""
        where = [{"x": x, "y": y, "button": "left"} for x, y in places]
        await self._call("Input.dispatchMouseEvent", type="mouseMoved", x=places[0][0], y=places[0][1])
        await self._call("Input.dispatchMouseEvent", type="mousePressed", clickCount=1, **where[0])
        for step in where[1:]:
            await self._call("Input.dispatchMouseEvent", type="mouseMoved", buttons=1, **step)
        await asyncio.sleep(held)
        await self._call("Input.dispatchMouseEvent", type="mouseReleased", clickCount=1, **where[-1])

    async def press(self, key: str, modifiers: Sequence[str] = ()) -> None:
        """A key by its DOM name: "ArrowLeft", "z"; modifiers of Alt, Control, Meta, Shift."""
        held = sum(1 << ("Alt", "Control", "Meta", "Shift").index(name) for name in modifiers)
        code = ord(key.upper()) if len(key) == 1 else KEY_CODES[key]
        for kind in ("rawKeyDown", "keyUp"):
            await self._call(
                "Input.dispatchKeyEvent", type=kind, key=key, modifiers=held, windowsVirtualKeyCode=code
            )

    async def type(self, text: str) -> None:
        """Text into what has the focus."""
        await self._call("Input.insertText", text=text)

    async def wheel(self, x: float, y: float, down: float) -> None:
        await self._call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down)

    async def allow(self, *permissions: str) -> None:
        """Gives the page a permission by its name in the debugging protocol: "clipboardReadWrite"."""
        await self._call("Browser.grantPermissions", permissions=list(permissions))

    async def settle(self, known: str, settings: Mapping[str, Any]) -> None:
        """The page with these of its settings, empty of what it showed; it knows the node `known`."""
        await self.wait_for(READY)
        body = json.dumps(json.dumps(dict(settings)))
        await self.run(f"fetch('/api/settings', {{method: 'POST', body: {body}}}).then(() => 1)")
        await self.reload(known)

    async def reload(self, known: str) -> None:
        await self.run("(window.leaving = true, location.reload())")
        await self.wait_for(f"!window.leaving && {READY}")
        await self.wait_for(f"{json.dumps(known)} in LiteGraph.registered_node_types")
        await self.wait_for(SETTLED)

    async def drawn(self) -> None:
        """Waits until the page has drawn what was changed."""
        await self.run(
            "new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => then(1))))"
        )

    async def picture(self, clip: Mapping[str, float] | None = None) -> bytes:
        """A PNG of the page, or of clip: x, y, width, height in page pixels, and scale."""
        more = {"clip": dict(clip)} if clip else {}
        # Packing a large page as small as it gets takes three times as long as all the rest.
        shot = await self._call("Page.captureScreenshot", format="png", optimizeForSpeed=True, **more)
        return base64.b64decode(shot["data"])

    async def screenshot(self, path: Path) -> bytes:
        shot = await self.picture()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shot)
        return shot
