"""The stub host of tests/batch says what the real one says, where the batches listen."""

from __future__ import annotations

import copy
import json
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.batches import SMALLEST
from support.stub_comfyui import command

from batch.client import Client, HostGone
from installer.server import Server, free_port


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stub host."""
    port, folder = free_port(), tmp_path_factory.mktemp("stub")
    words = [*command(), "--port", str(port), "--base-directory", str(folder)]
    process = subprocess.Popen(words)
    try:
        while True:
            assert process.poll() is None, "The stub did not start."
            try:
                Client(f"http://127.0.0.1:{port}").get("/system_stats")
                break
            except HostGone:
                continue
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=600) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_its_nodes_are_the_real_ones(stub: str, server: Server) -> None:
    told = ask(stub, "/object_info")[1]
    for name, node in told.items():
        real = server.object_info(name)[name]
        wanted, there = node["input"]["required"], real["input"]["required"]
        assert set(wanted) == set(there), name
        for socket, (kind, *_) in wanted.items():
            assert isinstance(kind, list) or there[socket][0] == kind, f"{name}.{socket}"
        assert node["output_node"] == real["output_node"], name
        # Whether one that saves hands its pictures on is another with each host.
        assert node["output_node"] or node["output"] == real["output"], name


@pytest.mark.parametrize(
    "change",
    [
        lambda prompt: prompt["1"]["inputs"].update(ckpt_name="none.safetensors"),
        lambda prompt: prompt["5"]["inputs"].update(steps=0),
        lambda prompt: prompt["5"]["inputs"].update(cfg=101.0),
        lambda prompt: prompt["5"]["inputs"].update(steps="many"),
        lambda prompt: prompt["5"]["inputs"].pop("cfg"),
        lambda prompt: prompt["5"].update(class_type="Nothing"),
        lambda prompt: prompt.pop("7"),
    ],
)
def test_it_refuses_as_the_real_one_does(
    change: Callable[[dict[str, Any]], Any], stub: str, server: Server
) -> None:
    prompt = copy.deepcopy(SMALLEST)
    change(prompt)
    said = [ask(url, "/prompt", {"prompt": prompt}) for url in (stub, server.url)]
    assert said[0][0] == said[1][0] == 400
    assert len({answer["error"]["type"] for _, answer in said}) == 1
    kinds = [
        {
            node: [fault["type"] for fault in faults["errors"]]
            for node, faults in answer["node_errors"].items()
        }
        for _, answer in said
    ]
    assert kinds[0] == kinds[1]


def test_its_history_has_the_real_ones_form(stub: str, server: Server) -> None:
    entries = []
    for url in (stub, server.url):
        name = str(uuid.uuid4())
        client = Client(url)
        client.queue(copy.deepcopy(SMALLEST), name, "")
        while (entry := client.entry(name)) is None:
            assert client.knows(name)
        assert client.knows(name)
        (saved,) = entry["outputs"]["7"]["images"]
        assert client.view(saved).startswith(b"\x89PNG")
        client.forget(name)
        assert not client.knows(name)
        entries.append(entry)
    ours, real = entries
    assert set(ours) == set(real)
    assert set(ours["outputs"]["7"]["images"][0]) == set(real["outputs"]["7"]["images"][0])
    assert ours["status"]["status_str"] == real["status"]["status_str"] == "success"
    assert [kind for kind, _ in ours["status"]["messages"]] == [k for k, _ in real["status"]["messages"]]


def test_an_id_that_is_none_is_refused_by_both(stub: str, server: Server) -> None:
    for url in (stub, server.url):
        status, answer = ask(url, "/prompt", {"prompt": SMALLEST, "prompt_id": "ONE"})
        assert (status, answer["error"]["type"]) == (400, "invalid_prompt_id")
