"""LIKENESS_NO_DOWNLOADS: the page is told what a graph lacks and how to get it, and fetches nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tools.ui_workflow import api_files, read


@pytest.mark.parametrize("value, off", [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_page_fetches_nothing_where_it_is_off(
    pack: Any, monkeypatch: pytest.MonkeyPatch, value: str, off: bool
) -> None:
    panel = pack.module("likeness.weights.panel")
    monkeypatch.setenv(panel.OFF, value)
    told = panel.lacks({"prompt": read(api_files()["instantid_basic"])}, "")
    assert bool(told["why_not"]) is off and "install.py --models instantid" in told["command"]
    if off:
        with pytest.raises(ValueError, match="LIKENESS_NO_DOWNLOADS is set"):
            panel.get({"keys": ["instantid/ip-adapter"], "not_commercial": True}, "")
    else:
        with pytest.raises(ValueError, match="No file was named"):
            panel.get({"keys": []}, "")
