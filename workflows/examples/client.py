"""Runs a workflow on a ComfyUI: python client.py WORKFLOW.json [PARAMETERS [SERVER [FOLDER]]]

PARAMETERS is JSON or a file of it, see parameters.py: '{"Photo of the Person": {"image": "me.jpg"}}'. Photos
that lie here are uploaded; pictures come into FOLDER. Needs aiohttp, which ComfyUI's Python has.
"""

import asyncio
import sys
import uuid
from pathlib import Path
from typing import Any

import aiohttp
from parameters import Prompt, node_names, read, set_inputs


async def run(prompt: Prompt, server: str, folder: Path) -> str:
    """Upload, queue, tell what happens, download. Returns what went wrong, or nothing."""
    names, me = node_names(prompt), uuid.uuid4().hex
    async with aiohttp.ClientSession(server) as http:
        await upload_photos(prompt, http)
        async with http.ws_connect("/ws", params={"clientId": me}, max_msg_size=0) as events:
            async with http.post("/prompt", json={"prompt": prompt, "client_id": me}) as answer:
                said = await answer.json()
            refused = faults(said, names)  # with HTTP 200, too: of parts that will not run
            print(*refused, sep="\n", end="\n" if refused else "", file=sys.stderr)
            if not answer.ok:
                return f"The workflow was refused (HTTP {answer.status})."
            async for event in events:
                message = event.json() if event.type == aiohttp.WSMsgType.TEXT else {}
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
    return "ComfyUI hung up before the workflow had ended."


async def upload_photos(prompt: Prompt, http: aiohttp.ClientSession) -> None:
    for node in prompt.values():
        photo = Path(str(node["inputs"].get("image", "")))
        if node["class_type"] == "LoadImage" and photo.is_file():
            with photo.open("rb") as content:
                form = aiohttp.FormData(quote_fields=False)  # or spaces in the name would arrive as %20
                form.add_field("image", content, filename=photo.name)
                async with http.post("/upload/image", data=form, raise_for_status=True) as answer:
                    node["inputs"]["image"] = (await answer.json())["name"]  # another, if that one was taken


async def download_pictures(output: dict[str, Any], folder: Path, http: aiohttp.ClientSession) -> None:
    for picture in output.get("images", []):
        async with http.get("/view", params=picture, raise_for_status=True) as answer:
            target = folder / Path(picture["filename"]).name
            folder.mkdir(parents=True, exist_ok=True)
            target.write_bytes(await answer.read())
            print(f"  {target}", flush=True)


def faults(said: dict[str, Any], names: dict[str, str]) -> list[str]:
    """What ComfyUI found wrong before it began, a line each."""
    whole = said.get("error") or {}
    lines = [f"{whole['message']} {whole['details']}".strip()] if whole else []
    for node, found in (said.get("node_errors") or {}).items():
        lines += [f"{names[node]}: {fault['message']}: {fault['details']}" for fault in found["errors"]]
    return lines


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    defaults = ("", "{}", "http://127.0.0.1:8188", "pictures")
    workflow, parameters, server, folder = (*sys.argv[1:], *defaults[len(sys.argv) - 1 :])
    try:
        chosen = set_inputs(read(workflow), read(parameters))
        sys.exit(asyncio.run(run(chosen, server, Path(folder))) or 0)
    except (ValueError, OSError, aiohttp.ClientError) as error:
        sys.exit(str(error))
