"""One server and one page for all tests here; both are made when the first test asks for them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.booted import ATTENTION
from support.browser import FOLDER, SIZE, Browser
from support.workflow_runs import small, upload_inputs

from installer import paths, tiny
from installer.server import Server
from installer.stages import FRONTEND
from tools.chromium import SETTINGS, Page
from tools.ui_workflow import api_files, read


@pytest.fixture(scope="session")
def server(
    comfyui: Path, base: Path, tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]
) -> Iterator[Server]:
    """As the other tests' server, with the pack in a folder whose page files the host serves, and inputs."""
    own = tmp_path_factory.mktemp("comfyui-page")
    paths.link_folder(paths.REPOSITORY, own / "custom_nodes" / FOLDER)
    paths.link_folder(tiny.PACK, own / "custom_nodes" / tiny.PACK.name)
    made = tiny.ensure_tiny(sys.executable, comfyui)
    extra = tiny.extra_paths(made, own / "tiny_model_paths.yaml", ["insightface"])
    packs = [FOLDER, tiny.PACK.name]
    newer = os.environ.get(FRONTEND)
    page = ["--front-end-root", newer] if newer else []
    with Server(
        sys.executable,
        comfyui,
        own,
        packs,
        models=base / "models",
        extra_paths=extra,
        one_thread=True,
        arguments=[*ATTENTION, *page],
    ) as running:
        upload_inputs(running, photos)
        for name in ("faces_inspect", "repair_people"):  # write the identity and the cast of others
            running.run(small(read(api_files()[name])))
        yield running


@pytest.fixture(scope="session")
def browser(server: Server) -> Iterator[Browser]:
    loop = asyncio.new_event_loop()
    page = loop.run_until_complete(Page(server.url, *SIZE).__aenter__())
    try:
        loop.run_until_complete(page.settle("LikenessDetectFaces", SETTINGS))
        yield Browser(page, loop)
    finally:
        loop.run_until_complete(page.__aexit__())
        loop.close()
