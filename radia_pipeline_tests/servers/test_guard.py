"""The guard in front of Dagster and MLflow: who is refused, who is let in, what passes untouched."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from radia_pipeline.servers.guard import MUTATION_BY_GET, Guard, Rules

PORT, TOKEN = 3000, "a-token-of-this-start"
OWN = {"host": f"127.0.0.1:{PORT}"}
LET_IN = {**OWN, "cookie": f"theme=dark; radia_{PORT}={TOKEN}"}


async def echo(scope: dict, receive: Any, send: Any) -> None:
    """An application that answers 200 with what it was sent."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"DENY")]})
    await send({"type": "http.response.body", "body": body})


def answer(asked: Coroutine[Any, Any, None]) -> None:
    """Await in a thread of its own: an open browser of other tests keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as alone:
        alone.submit(asyncio.run, asked).result()


def ask(
    path: str, headers: dict[str, str], method: str = "GET", body: bytes = b"", **rules: Any
) -> tuple[int, dict, str]:
    """Return status, headers and text that the guard answers."""
    place, _, query = path.partition("?")
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": place, "query_string": query.encode(), "headers": raw}
    parts = [body[n : n + 10] for n in range(0, len(body), 10)] or [b""]
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in parts]
    messages[-1]["more_body"] = False
    sent: list[dict] = []

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    answer(Guard(echo, Rules(PORT, TOKEN, **rules))(scope, receive, send))
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, sent[1]["body"].decode()


def connect(headers: dict[str, str]) -> str:
    """Return what the guard answers to a web socket."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/graphql", "query_string": b"", "headers": raw}
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    answer(Guard(echo, Rules(PORT, TOKEN))(scope, receive, send))
    return sent[0]["type"]


def test_a_browser_is_let_in_by_the_printed_address_and_its_cookie():
    status, headers, _ = ask(f"/runs/?token={TOKEN}&page=2", OWN)
    assert (status, headers["location"]) == (303, "/runs/?page=2")
    cookie = headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert ask("/runs", {**OWN, "cookie": cookie.partition(";")[0]})[0] == 200


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/", OWN, "GET"),
        ("/?token=another", OWN, "GET"),
        ("/", {**OWN, "cookie": f"radia_{PORT + 1}={TOKEN}"}, "GET"),
        ("/", {**OWN, "authorization": "Bearer another"}, "GET"),
        ("/", {**LET_IN, "host": "hospital.example"}, "GET"),
        ("/", {"cookie": LET_IN["cookie"]}, "GET"),
        ("/graphql", {**LET_IN, "origin": "http://127.0.0.1:3001"}, "POST"),
        ("/graphql", {**LET_IN, "origin": "null"}, "POST"),
        ("/graphql", {**LET_IN, "sec-fetch-site": "same-site"}, "POST"),
        ("/assets", {**LET_IN, "origin": "http://evil.example"}, "GET"),
        ("/assets", {**LET_IN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "GET"),
        ("/graphql?query=mutation", LET_IN, "GET"),
        ("/graphql?quer%79=mutation", LET_IN, "HEAD"),
        ("/graphql/?query=mutation", {**LET_IN, "accept": "text/html"}, "GET"),
    ],
)
def test_what_is_foreign_or_writes_by_get_is_refused(path, headers, method):
    assert ask(path, headers, method)[0] == 403


def test_own_pages_pass_and_keep_their_headers():
    status, headers, body = ask("/graphql", {**LET_IN, "origin": f"http://localhost:{PORT}"}, "POST", b"{ runs }" * 9)
    assert (status, body) == (200, "{ runs }" * 9)
    assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
    assert ask("/", {**OWN, "authorization": f"Bearer {TOKEN}"})[0] == 200


def test_a_link_from_elsewhere_opens_a_page_and_reads_nothing_by_graphql():
    opened = {**LET_IN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask("/runs", opened)[0] == 200
    assert ask("/graphql?query=x", opened)[2].strip() == MUTATION_BY_GET
    assert ask("/runs", {**opened, "sec-fetch-dest": "iframe"})[0] == 403


def test_a_place_on_another_server_is_no_place_to_be_sent_to():
    assert ask(f"//evil.example/?token={TOKEN}", OWN)[1]["location"] == "/evil.example/"


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(told):
    headers = {**LET_IN, **({"content-length": "100"} if told else {})}
    assert ask("/graphql", headers, "POST", b"x" * 100, most_body_bytes=99)[0] == 413


def test_viewers_may_search_and_change_nothing():
    rules = {"is_read_only": True, "reads": ("/search",)}
    assert ask("/api/2.0/mlflow/runs/search", LET_IN, "POST", b"{}", **rules)[0] == 200
    assert ask("/api/2.0/mlflow/runs/delete", LET_IN, "POST", b"{}", **rules)[0] == 403
    assert ask("/api/2.0/mlflow/runs/delete", LET_IN, "DELETE", **rules)[0] == 403


def test_web_sockets_ask_for_the_same():
    own = f"http://127.0.0.1:{PORT}"
    assert connect({**LET_IN, "origin": own}) == "websocket.accept"
    assert connect({**LET_IN, "origin": "http://127.0.0.1:9"}) == "websocket.close"
    assert connect({**OWN, "origin": own}) == "websocket.close"
    assert connect(LET_IN) == "websocket.close"


def test_names_that_a_proxy_shows_are_known():
    public = {**LET_IN, "host": "radia.hospital.example", "origin": "https://radia.hospital.example"}
    assert ask("/graphql", public, "POST")[0] == 403
    assert ask("/graphql", public, "POST", public=("radia.hospital.example",))[0] == 200
