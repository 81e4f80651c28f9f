"""What stands before Dagster's and MLflow's pages: known names, known origins, and the browser that was let in.

Both servers believe whoever reaches them. So a request needs the token of this start: in a cookie that a browser gets
by the address that ``radia ui`` prints, or as ``Authorization: Bearer`` from a program or a proxy. Cookies do not tell
ports apart, hence the origin is asked too. A plain ASGI layer: web sockets pass, bodies are counted and not held.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from radia_pipeline.servers.names import SAFE, given, is_foreign_host, is_foreign_origin, own_hosts, own_origins

TOKEN_VARIABLE = "RADIA_UI_TOKEN"
TOKEN_PARAMETER = "token"
MOST_BODY_BYTES = 32 << 20
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
FOREIGN_HOST, FOREIGN_ORIGIN = "this name is not the server's", "a page of another origin asks"
NO_TOKEN = "this browser was not let in: open the address that `radia ui` printed, or `radia ui status` shows"
MUTATION_BY_GET = "GraphQL is answered by POST only"
READ_ONLY = "this page is for looking only"
TOO_LARGE = "the request is too large"


@dataclass(frozen=True)
class Rules:
    """``public``: names under which a proxy shows the server. ``reads``: ends of paths that only read by POST, for a
    server that is for looking only (``is_read_only``)."""

    port: int
    token: str = field(repr=False)
    public: tuple[str, ...] = ()
    most_body_bytes: int = MOST_BODY_BYTES
    is_read_only: bool = False
    reads: tuple[str, ...] = ()

    @property
    def cookie(self) -> str:
        """Name of the cookie: those of several servers on one machine lie beside each other."""
        return f"radia_{self.port}"


class _TooLarge(Exception):
    """Unwinds from a body that has passed its limit."""


class Guard:
    """The layer around an ASGI application."""

    def __init__(self, app: Any, rules: Rules) -> None:
        self._app, self._rules = app, rules
        self._hosts, self._origins = own_hosts(rules.port, rules.public), own_origins(rules.port, rules.public)

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Let a request through, let a browser in, or refuse."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            if self._why_refused(scope) or not self._is_let_in(scope):
                await receive()
                return await send({"type": "websocket.close", "code": 1008})
            return await self._app(scope, receive, send)
        why = self._why_refused(scope)
        if why:
            return await _answer(send, 413 if why == TOO_LARGE else 403, why)
        asked = _query(scope)
        if scope["method"] == "GET" and TOKEN_PARAMETER in dict(asked):
            return await self._let_in(scope, asked, send)
        if not self._is_let_in(scope):
            return await _answer(send, 403, NO_TOKEN)
        return await self._pass(scope, receive, send)

    def _why_refused(self, scope: dict) -> str:
        """Say why a request is refused whoever sends it; empty where it is not."""
        if is_foreign_host(scope, self._hosts):
            return FOREIGN_HOST
        if is_foreign_origin(scope, self._origins) and not _is_opened_from_outside(scope):
            return FOREIGN_ORIGIN
        if scope["type"] == "websocket":
            return "" if given(scope, b"origin") or _bearer(scope) else FOREIGN_ORIGIN
        if scope["method"] != "POST" and "graphql" in scope["path"].lower() and _query(scope):
            return MUTATION_BY_GET
        if self._rules.is_read_only and scope["method"] not in SAFE and not scope["path"].endswith(self._rules.reads):
            return READ_ONLY
        lengths = given(scope, b"content-length")
        if any(not one.isdigit() or int(one) > self._rules.most_body_bytes for one in lengths):
            return TOO_LARGE
        return ""

    def _is_let_in(self, scope: dict) -> bool:
        return any(self._is_token(one) for one in (*_bearer(scope), *_cookies(scope, self._rules.cookie)))

    def _is_token(self, found: str) -> bool:
        return hmac.compare_digest(found.encode(), self._rules.token.encode())

    async def _let_in(self, scope: dict, asked: list[tuple[str, str]], send: Any) -> None:
        """Answer the printed address: a cookie for this browser, and the same place without the token in it."""
        if not self._is_token(dict(asked)[TOKEN_PARAMETER]):
            return await _answer(send, 403, NO_TOKEN)
        rest = urlencode([pair for pair in asked if pair[0] != TOKEN_PARAMETER])
        place = "/" + quote(scope["path"].lstrip("/")) + (f"?{rest}" if rest else "")
        cookie = f"{self._rules.cookie}={self._rules.token}; Path=/; HttpOnly; SameSite=Strict"
        more = [(b"location", place.encode()), (b"set-cookie", cookie.encode())]
        return await _answer(send, 303, "", more)

    async def _pass(self, scope: dict, receive: Any, send: Any) -> None:
        taken, has_begun = 0, False

        async def counted() -> dict:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._rules.most_body_bytes:
                raise _TooLarge
            return message

        async def with_headers(message: dict) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                names = {name.lower() for name, _ in message.get("headers", ())}
                more = [pair for pair in _HEADERS if pair[0] not in names]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            await self._app(scope, counted, with_headers)
        except _TooLarge:
            if not has_begun:
                await _answer(send, 413, TOO_LARGE)


def _is_opened_from_outside(scope: dict) -> bool:
    """Whether a person follows a link from elsewhere to a page: it is shown in a tab of its own, and changes nothing.

    SameSite=Strict keeps the cookie back then, so such a browser must have been let in by its token all the same.
    """
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and not given(scope, b"origin")
        and given(scope, b"sec-fetch-mode") == ["navigate"]
        and given(scope, b"sec-fetch-dest") == ["document"]
    )


def _query(scope: dict) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _bearer(scope: dict) -> list[str]:
    found = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    return [one[7:] for one in found if one[:7].lower() == "bearer "]


def _cookies(scope: dict, name: str) -> list[str]:
    lines = [value.decode("latin-1") for header, value in scope["headers"] if header == b"cookie"]
    parts = [part.strip().partition("=") for line in lines for part in line.split(";")]
    return [value for found, _, value in parts if found == name]


async def _answer(
    send: Callable[[dict], Awaitable[None]], status: int, text: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *(more or ())]})
    await send({"type": "http.response.body", "body": f"{text}\n".encode() if text else b""})
