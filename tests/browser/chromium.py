"""A page in a headless Chromium, driven over its debugging port with aiohttp, which ComfyUI has."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str:
    """The browser: LIKENESS_CHROMIUM, else the first of the usual names on the path."""
    found = os.environ.get("LIKENESS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise FileNotFoundError("No Chromium on the path. Install one, or name it in LIKENESS_CHROMIUM.")
    return found


class Page:
    """`async with Page(url) as page:` opens the page in a browser with an empty profile; leaving ends it."""

    def __init__(self, url: str, width: int = 1920, height: int = 1080) -> None:
        self._url = url
        self._size = f"{width},{height}"
        self._number = 0

    async def __aenter__(self) -> Page:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        options += [f"--window-size={self._size}", f"--user-data-dir={self._profile.name}", "--no-first-run"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses its sandbox to root, as in a container
        command = [find_chromium(), *options, self._url]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._session = aiohttp.ClientSession(trust_env=False)
        self._socket = await self._session.ws_connect(await self._address(), max_msg_size=0)
        await self._call("Page.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._session.close()
        self._process.terminate()
        self._process.wait(15)
        self._profile.cleanup()

    async def _address(self) -> str:
        for _ in range(300):
            port = Path(self._profile.name) / "DevToolsActivePort"
            if port.exists() and (match := re.match(r"\d+", port.read_text())):
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
            message = json.loads((await self._socket.receive(timeout=120)).data)
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

    async def wait_for(self, condition: str, seconds: float = 60) -> None:
        for _ in range(int(seconds * 5)):
            if await self.run(condition):
                return
            await asyncio.sleep(0.2)
        raise TimeoutError(f"The page never came to: {condition}")

    async def drag(self, *places: tuple[float, float]) -> None:
        """Presses the left button at the first place, in page pixels, and lets go at the last."""
        where = [{"x": x, "y": y, "button": "left"} for x, y in places]
        await self._call("Input.dispatchMouseEvent", type="mouseMoved", x=places[0][0], y=places[0][1])
        await self._call("Input.dispatchMouseEvent", type="mousePressed", clickCount=1, **where[0])
        for step in where[1:]:
            await self._call("Input.dispatchMouseEvent", type="mouseMoved", buttons=1, **step)
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

    async def screenshot(self, path: Path) -> None:
        shot = await self._call("Page.captureScreenshot", format="png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))
