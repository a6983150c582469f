"""The booted host serves our languages, and our English is what its nodes say."""

from __future__ import annotations

import json
import urllib.request

import pytest
from support.patience import PATIENCE

from installer.server import Server
from tools.locales import LANGUAGES, english, read, written

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_english_is_what_the_nodes_say(server: Server) -> None:
    assert english(server.object_info()) == written(), "Run `python -m tools.locales`."


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_the_host_serves_each_language(server: Server, language: str) -> None:
    with _OPENER.open(server.url + "/i18n", timeout=PATIENCE) as answer:
        served = json.load(answer)[language]
    assert served["nodeDefs"] == read(language, "nodeDefs")
    assert served["nodeCategories"] == read(language, "main")["nodeCategories"]
    assert set(served) == {"nodeDefs", "nodeCategories"}, "the host took another file of ours"
