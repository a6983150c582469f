"""Who may start a download: a page of this server that is open on its machine, and nobody else."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from likeness.host.callers import why_not_here, why_not_ours

HERE = {"Host": "127.0.0.1:8188"}
OURS = {**HERE, "Origin": "http://127.0.0.1:8188", "Content-Type": "application/json; charset=utf-8"}


def here(peer: str | None = "127.0.0.1", **headers: str) -> str:
    return why_not_here(peer, CIMultiDict({**HERE, **{k.replace("_", "-"): v for k, v in headers.items()}}))


def ours(scheme: str = "http", **headers: str) -> str:
    return why_not_ours(scheme, CIMultiDict({**OURS, **{k.replace("_", "-"): v for k, v in headers.items()}}))


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8188", "localhost:8188", "[::1]:8188", "LOCALHOST"])
def test_this_machine(peer: str, host: str) -> None:
    assert here(peer, Host=host) == ""


@pytest.mark.parametrize("peer", ["192.168.1.7", "10.0.0.1", "::2", "::ffff:10.0.0.1", "", None, "nonsense"])
def test_another_machine(peer: str | None) -> None:
    assert "on the server's own machine only" in here(peer)


@pytest.mark.parametrize("name", ["x-forwarded-for", "Forwarded", "VIA", "X-Real-IP", "CF-Connecting-IP"])
def test_a_proxy_on_this_machine_stands_for_others(name: str) -> None:
    assert "can't be fetched through a proxy" in here(**{name: "127.0.0.1"})


@pytest.mark.parametrize(
    "host", ["evil.example:8188", "comfy.local", "127.0.0.1.evil.example", "", "[::1", "a:b"]
)
def test_a_name_that_leads_here_is_not_this_machine(host: str) -> None:
    """Else a page could have its own name looked up anew, as 127.0.0.1, and be one of this server."""
    assert "localhost or 127.0.0.1" in here(Host=host)


def test_a_page_of_this_server() -> None:
    assert ours() == "" and ours(Sec_Fetch_Site="same-origin") == ""
    assert ours("https", Origin="https://127.0.0.1:8188") == ""


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_page_that_the_browser_calls_another_one(site: str) -> None:
    assert "by a page of another server" in ours(Sec_Fetch_Site=site)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:8189", "https://127.0.0.1:8188", "null", ""]
)
def test_a_page_of_another_origin(origin: str) -> None:
    assert "not asked by a page of this server" in ours(Origin=origin)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_form_can_send(kind: str) -> None:
    assert "takes application/json" in ours(Content_Type=kind)


def test_without_an_origin() -> None:
    assert "not asked by a page of this server" in why_not_ours("http", CIMultiDict(HERE))
