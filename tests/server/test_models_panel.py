"""What the page's panel of models asks the server, and whom that hears."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from installer.server import Server
from tools.ui_workflow import api_files, read

GRAPH = {"prompt": read(api_files()["instantid_basic"])}


def ask(server: Server, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """As a page of the server asks; headers in place of its own, '' for none."""
    whole = {"Origin": server.url, "Content-Type": "application/json"}
    whole |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in whole.items() if value}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/likeness/models/{path}", data=data, headers=sent)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if content.startswith(b"{") else {"error": ""}


def test_a_graph_lacks_what_is_not_there(server: Server) -> None:
    status, told = ask(server, "lacks", GRAPH)
    assert status == 200 and told["why_not"] == ""
    # The tiny antelopev2 has the names of the real one.
    assert [file["key"] for file in told["files"]] == [
        "sdxl/base",
        "instantid/controlnet",
        "instantid/ip-adapter",
    ]
    adapter = told["files"][-1]
    assert adapter["licence"] == "Apache-2.0" and adapter["size_text"] == "1.69 GB"
    assert not adapter["not_commercial"] and not adapter["by_hand"]
    assert adapter["target"].replace("\\", "/").endswith("models/instantid/ip-adapter.bin")
    assert told["command"] == "python install.py --models instantid"
    assert ask(server, "lacks", {"prompt": {}})[1]["files"] == []


def test_what_is_put_by_hand_is_told_with_its_source(server: Server) -> None:
    graph = {"1": {"class_type": "LikenessLoadWPlus", "inputs": {"file": "wplus_adapter.bin"}}}
    _, told = ask(server, "lacks", {"prompt": graph})
    (file,) = told["files"]
    assert file["by_hand"] and file["not_commercial"] and "w-plus-adapter" in file["source"]
    assert told["command"] == ""


@pytest.mark.parametrize(
    "body", [b"{", b"[]", {}, {"prompt": []}, {"prompt": {"1": 2}}, {"prompt": {"1": {}}}]
)
def test_what_is_no_graph_is_refused(server: Server, body: Any) -> None:
    status, told = ask(server, "lacks", body)
    assert status == 400 and told["error"]


@pytest.mark.parametrize("path", ["get", "stop"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Content_Type": "text/plain"},
        {"X_Forwarded_For": "192.168.1.7"},
        {"Host": "evil.example:8188", "Origin": "http://evil.example:8188"},
    ],
)
def test_others_may_not_start_or_stop_downloads(server: Server, path: str, headers: dict[str, str]) -> None:
    status, _ = ask(server, path, {"keys": ["instantid/ip-adapter"]}, **headers)
    assert status == 403
    assert ask(server, "progress", {})[1] == {"running": False, "files": []}


def test_others_are_told_why_and_get_the_command(server: Server) -> None:
    status, told = ask(server, "lacks", GRAPH, X_Forwarded_For="192.168.1.7")
    assert status == 200 and "proxy" in told["why_not"] and told["command"] and told["files"]


@pytest.mark.parametrize(
    "question, sentence",
    [
        ({}, "keys is no list of names"),
        ({"keys": "instantid/ip-adapter"}, "keys is no list of names"),
        ({"keys": [1]}, "keys is no list of names"),
        ({"keys": []}, "No file was named"),
        ({"keys": ["../../etc/passwd"]}, "No file of the list is called"),
        ({"keys": ["antelopev2/glintr100"]}, "Not for commerce"),
        ({"keys": ["antelopev2/glintr100"], "not_commercial": "yes"}, "Not for commerce"),
    ],
)
def test_what_can_t_be_got_is_refused(server: Server, question: dict[str, Any], sentence: str) -> None:
    status, told = ask(server, "get", question)
    assert status == 400 and sentence in told["error"]
    assert ask(server, "progress", {})[1]["files"] == []
