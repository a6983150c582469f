"""The list of model files that the server shows, without a node."""

from __future__ import annotations

from pathlib import Path

from installer.server import Server
from likeness.weights.catalogue import catalogue, methods


def test_the_page_lists_every_file_with_its_command(server: Server) -> None:
    page = server.get("/likeness/models").decode()
    assert server.get("/api/likeness/models").decode() == page
    blocks = {block.split(":")[0]: block for block in page.split("\n\n")[1:]}
    assert list(blocks) == methods()
    for file in catalogue().values():
        for method in file.methods:
            assert file.name in blocks[method] and file.licence in blocks[method]
    assert "all there." in blocks["embedded"].splitlines()[0]
    # The tiny antelopev2, in a folder of extra_model_paths.yaml, has the names of the real one.
    assert "3 of 5 files missing" in blocks["instantid"]
    assert "python install.py --models instantid" in blocks["instantid"].splitlines()[0]
    pack = next(path for path in (server.base / "custom_nodes").iterdir() if (path / "install.py").is_file())
    assert str(pack) in page


def test_the_page_is_made_anew_for_every_visit(server: Server) -> None:
    adapter = Path(server.base / "models" / "instantid" / "ip-adapter.bin")
    before = server.get("/likeness/models").decode()
    adapter.touch()
    try:
        after = server.get("/likeness/models").decode()
    finally:
        adapter.unlink()
    assert before != after and str(adapter.parent) in after
    assert server.get("/likeness/models").decode() == before
