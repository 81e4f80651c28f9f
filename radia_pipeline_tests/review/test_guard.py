"""What stands before every route: names, origins, headers, users, the page's own files."""

from __future__ import annotations

import gzip
import re

import pytest

from radia_pipeline.errors import BadInput
from radia_pipeline.review.guard import POLICY
from radia_pipeline.review.settings import Settings
from radia_pipeline_tests.review.page.browser import STATIC
from radia_pipeline_tests.review.worlds import Client, served

MOST_ON_THE_WIRE = 60_000
"""Bytes of all files of the page together, as a browser gets them."""


@pytest.fixture
def client(shared) -> Client:
    return Client(shared[1], "viewer")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost", "", "127.0.0.1:1"])
def test_another_name_of_this_machine_is_refused(client, host):
    assert client.get("/page/config", Host=host).status in (400, 403)


@pytest.mark.parametrize(
    "told",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_post_of_another_page_is_refused(client, told):
    for path in ("/api/v1/predict", "/page/uploads", "/page/readings", "/page/readings/undo"):
        answer = client.post(path, b"{}", Content_Type="text/plain", **told)
        assert (answer.status, answer.code) == (403, "foreign_origin")


def test_the_own_page_may_post(client, shared):
    own = f"http://127.0.0.1:{shared[1]}"
    answer = client.post("/page/readings/undo", {"sequence": 999}, Origin=own, Sec_Fetch_Site="same-origin")
    assert answer.code == "unknown"


def test_a_form_of_another_page_is_no_json(client):
    answer = client.post("/page/readings/undo", b'{"sequence": 1}', Content_Type="text/plain")
    assert (answer.status, answer.code) == (415, "unsupported_type")


@pytest.mark.parametrize(
    "path", ["/", "/reading", "/static/main.js", "/page/config", "/nothing", "/page/studies?limit=x", "/api"]
)
def test_every_answer_binds_the_browser(client, path):
    answer = client.get(path)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert len(answer.headers["x-request-id"]) == 12
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline():
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY
    assert POLICY.startswith("default-src 'none'")


def test_the_page_and_the_documentation_hold_no_inline_script_and_name_no_other_place(client):
    for path in ("/", "/api"):
        text = client.get(path).body.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|https?://", text)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../guard.py",
        "/static/..%2fguard.py",
        "/static/%2e%2e/guard.py",
        "/static//etc/passwd",
        "/static/",
        "/static/main.js%00.css",
        "/static/nothing.js",
    ],
)
def test_nothing_but_the_page_is_a_file(client, path):
    assert client.get(path).status == 404


def test_a_file_that_did_not_change_is_not_sent_again(client):
    first = client.get("/static/main.js")
    again = client.get("/static/main.js", If_None_Match=first.headers["etag"])
    assert (first.headers["content-type"], again.status, again.body) == ("text/javascript; charset=utf-8", 304, b"")


def test_all_of_the_page_crosses_the_wire_in_60_kb(client):
    crossed = 0
    for name in sorted(path.name for path in STATIC.iterdir()):
        address = "/" if name == "index.html" else f"/static/{name}"
        plain, packed = client.get(address), client.get(address, Accept_Encoding="br, gzip;q=0.8")
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(packed.body) == plain.body == (STATIC / name).read_bytes()
        assert packed.headers["content-security-policy"] == POLICY
        crossed += len(packed.body)
    assert crossed <= MOST_ON_THE_WIRE


def test_each_encoding_of_a_file_has_its_own_tag_and_neither_is_sent_twice(client):
    plain, packed = (client.get("/static/main.js", Accept_Encoding=told) for told in ("identity", "gzip"))
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert plain.headers["etag"] != packed.headers["etag"]
    held = f'W/{packed.headers["etag"]}, "other"'
    again = client.get("/static/main.js", Accept_Encoding="gzip", If_None_Match=held)
    assert (again.status, again.body, again.headers["vary"]) == (304, b"", "Accept-Encoding")
    other = client.get("/static/main.js", Accept_Encoding="gzip;q=0", If_None_Match=packed.headers["etag"])
    assert (other.status, other.body) == (200, plain.body)


def test_a_user_is_whom_the_declared_proxy_names_and_nobody_else(lake):
    with served(lake, waits=False, reader="here", public_hosts=("review.example",)) as (_, port):
        assert Client(port, "reader-a").get("/page/config").json["user"] == "reader-a"
        assert Client(port).get("/page/config").code == "no_user"
        assert Client(port, "<script>").get("/page/config").code == "no_user"
        told = Client(port, "reader-a").get("/page/config", Host="review.example").json
        assert told["is_signed_in"]
    with served(lake, waits=False, reader="here", proxy="10.0.0.1") as (_, port):
        told = Client(port, "reader-a").get("/page/config").json
        assert (told["user"], told["is_signed_in"]) == ("here", False)


@pytest.mark.parametrize(
    "wrong", [{"reader": "two words"}, {"public_hosts": ("http://x",)}, {"user_header": "X Y"}], ids=str
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadInput):
        Settings(port=1, **wrong)
