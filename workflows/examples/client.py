"""Runs a workflow on a ComfyUI: python client.py WORKFLOW.json [PARAMETERS [SERVER [FOLDER]]]

PARAMETERS is JSON or a file of it, see parameters.py: '{"Photo of the Person": {"image": "me.jpg"}}'. Photos
that lie here are uploaded; pictures come into FOLDER. Needs aiohttp, which ComfyUI's Python has.
"""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from parameters import Prompt, node_names, read, set_inputs

SERVER = "http://127.0.0.1:8188"
#: Seconds without a byte of an answer, bytes in so many seconds that count as progress, and how often a
#: silent line is asked whether it is still there: a ComfyUI that loads gigabytes may be long about it.
SILENCE, SLOWEST, HEARTBEAT = 60.0, 60_000, 120.0
#: Bytes of an answer in JSON or an event, and of a picture.
LONGEST_JSON, LONGEST_PICTURE = 64_000_000, 1_000_000_000


async def run(prompt: Prompt, server: str, folder: Path) -> str:
    """Upload, queue, tell what happens, download. Returns what went wrong, or nothing."""
    names, me = node_names(prompt), uuid.uuid4().hex
    patience = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE)
    async with aiohttp.ClientSession(server, timeout=patience) as http:
        await upload_photos(prompt, http)
        async with http.ws_connect(
            "/ws",
            params={"clientId": me},
            max_msg_size=LONGEST_JSON,
            heartbeat=HEARTBEAT,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        ) as line:
            body = {"prompt": prompt, "client_id": me}
            async with http.post("/prompt", json=body, allow_redirects=False) as answer:
                said = await json_of(answer)
            refused = faults(said, names)  # with HTTP 200, too: of parts that will not run
            print(*refused, sep="\n", end="\n" if refused else "", file=sys.stderr)
            if not answer.ok or "prompt_id" not in said:
                return f"The workflow was refused (HTTP {answer.status})."
            async for event in line:
                message = parsed(event.data, server) if event.type == aiohttp.WSMsgType.TEXT else {}
                kind, data = message.get("type"), message.get("data") or {}
                if data.get("prompt_id") != said["prompt_id"]:
                    continue
                if kind == "executing" and data["node"]:
                    print(names[data["display_node"]], flush=True)
                elif kind == "progress":
                    print(f"  step {data['value']} of {data['max']}", flush=True)
                elif kind == "executed":
                    await download_pictures(data["output"] or {}, folder, http)
                elif kind == "execution_error":
                    name, reason = names[data["node_id"]], data["exception_message"].strip()
                    return f"{name} ({data['node_type']}) failed: {reason}"
                elif kind == "execution_interrupted":
                    return "The workflow was interrupted."
                elif kind == "execution_success":
                    return "The parts named above were refused; the others ran." if refused else ""
            if line.exception():
                return f"ComfyUI was no more to be heard: {line.exception()}"
    return "ComfyUI hung up before the workflow had ended."


async def upload_photos(prompt: Prompt, http: aiohttp.ClientSession) -> None:
    for node in prompt.values():
        photo = Path(str(node["inputs"].get("image", "")))
        if node["class_type"] == "LoadImage" and photo.is_file():
            with photo.open("rb") as content:
                form = aiohttp.FormData(quote_fields=False)  # or spaces in the name would arrive as %20
                form.add_field("image", content, filename=photo.name)
                async with http.post("/upload/image", data=form, allow_redirects=False) as answer:
                    if not answer.ok:
                        raise ValueError(f"{photo} was not taken (HTTP {answer.status}).")
                    said = await json_of(answer)
                    node["inputs"]["image"] = said.get("name", photo.name)  # another, if that was taken


async def download_pictures(output: dict[str, Any], folder: Path, http: aiohttp.ClientSession) -> None:
    for picture in output.get("images", []):
        target = folder / Path(picture["filename"].replace("\\", "/")).name
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        try:
            async with http.get("/view", params=picture, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise ValueError(f"{target.name} could not be fetched (HTTP {answer.status}).")
                with part.open("wb") as file:
                    async for piece in pieces(answer, LONGEST_PICTURE):
                        file.write(piece)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)  # nothing half written is left, whatever went wrong
        print(f"  {target}", flush=True)


async def pieces(answer: aiohttp.ClientResponse, limit: int) -> AsyncIterator[bytes]:
    """The body, as it comes. Raises ValueError when it is longer than `limit` bytes or hardly moves."""
    length, moved, since = 0, 0, time.monotonic()
    async for piece in answer.content.iter_any():
        length, moved = length + len(piece), moved + len(piece)
        if length > limit:
            raise ValueError(f"{answer.url} sends more than {limit} bytes: that is no answer of ComfyUI's.")
        if time.monotonic() - since >= SILENCE:
            if moved < SLOWEST:
                raise ValueError(f"{answer.url} sent only {moved} bytes in {SILENCE:.0f} s.")
            moved, since = 0, time.monotonic()
        yield piece


async def json_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The object of JSON that was answered. Raises ValueError with its beginning when it is none."""
    if "Location" in answer.headers:
        there = answer.headers["Location"]
        raise ValueError(f"{answer.url} sends on to {there}: if that is your ComfyUI, name it as SERVER.")
    return parsed(b"".join([piece async for piece in pieces(answer, LONGEST_JSON)]), str(answer.url))


def parsed(text: str | bytes, who: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ValueError(f"{who} answered {text[:80]!r}, which is not what ComfyUI answers.")
    return said


def faults(said: dict[str, Any], names: dict[str, str]) -> list[str]:
    """What ComfyUI found wrong before it began, a line each."""
    whole = said.get("error") or {}
    lines = [f"{whole['message']} {whole['details']}".strip()] if whole else []
    for node, found in (said.get("node_errors") or {}).items():
        lines += [f"{names[node]}: {fault['message']}: {fault['details']}" for fault in found["errors"]]
    return lines


def main(workflow: str, parameters: str = "{}", server: str = SERVER, folder: str = "pictures") -> str:
    """What went wrong, or nothing."""
    try:
        chosen = set_inputs(read(workflow), read(parameters))
    except (ValueError, OSError) as error:
        return str(error)
    try:
        return asyncio.run(run(chosen, server, Path(folder)))
    except (KeyError, TypeError, AttributeError) as error:
        return f"{server} said what ComfyUI does not say: {error!r} was not understood."
    except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
        return f"{server} said nothing for {SILENCE:.0f} s."
    except (ValueError, OSError, aiohttp.ClientError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) or 0 if 2 <= len(sys.argv) <= 5 else __doc__)
