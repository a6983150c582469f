"""Who calls the server: somebody at this machine, in a page of this server, or anybody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

#: What proxies add for those behind them. One that adds nothing can't be told from a program of this machine,
#: but a browser behind it says where its page is from.
_PROXIED = (
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server"),
    *("X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
)


def why_not_here(peer: str | None, headers: Mapping[str, str]) -> str:
    """Why a call does not come from this machine, as a sentence; empty when it does.

    peer: the address that the connection is from. headers: without regard to case.
    """
    if not _is_loopback(peer or ""):
        return "Files can be fetched from a page on the server's own machine only."
    if any(name in headers for name in _PROXIED):
        return "Files can't be fetched through a proxy: it may stand for any other machine."
    # A name that somebody's DNS leads here would make their page one of this server.
    if not _is_loopback(_name(headers.get("Host", ""))):
        return "Files can be fetched only where the page's address is localhost or 127.0.0.1."
    return ""


def why_not_ours(scheme: str, headers: Mapping[str, str]) -> str:
    """Why a call may come from a page of another server, as a sentence; empty when it is from ours."""
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "This was asked by a page of another server."
    if headers.get("Origin") != f"{scheme}://{headers.get('Host')}":
        return "This was not asked by a page of this server."
    # No form of another page can send that.
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return "This takes application/json."
    return ""


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
