"""Which names a server of ours answers to, and whether a request comes from a page of another one.

Host: a page that another name leads to this machine (DNS rebinding) is foreign. Origin and Sec-Fetch-Site (Fetch
Metadata, W3C): a page of another origin may make a browser ask for anything; it is told by what the browser adds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from radia_pipeline.servers.web import HOST

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def own_hosts(port: int, public: Iterable[str] = ()) -> frozenset[str]:
    """What a request's Host may be. ``public``: names (perhaps with a port) under which a proxy shows the server."""
    local = {f"{name}:{port}" for name in (HOST, "localhost")}
    return frozenset(local | {name.lower() for name in public})


def own_origins(port: int, public: Iterable[str] = ()) -> frozenset[str]:
    """What a request's Origin may be."""
    public = tuple(public)
    own = {f"http://{host}" for host in own_hosts(port, public)}
    return frozenset(own | {f"https://{name.lower()}" for name in public})


def given(scope: dict[str, Any], name: bytes) -> list[str]:
    """Return every value of a header, in small letters."""
    return [value.decode("latin-1").lower() for found, value in scope["headers"] if found == name]


def is_foreign_host(scope: dict[str, Any], hosts: Collection[str]) -> bool:
    """Whether a request was sent to another name, to none or to several."""
    found = given(scope, b"host")
    return len(found) != 1 or found[0] not in hosts


def is_foreign_origin(scope: dict[str, Any], origins: Collection[str]) -> bool:
    """Whether another origin's page sent a request, as far as the browser says."""
    return any(one not in origins for one in given(scope, b"origin")) or any(
        one not in ("same-origin", "none") for one in given(scope, b"sec-fetch-site")
    )
