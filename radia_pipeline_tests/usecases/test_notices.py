"""A notice reaches a webhook or a relay once, names nobody, and waits where nobody takes it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from radia_pipeline.errors import BadInput, NotSent
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.notices import RELAY, SENDER, TO, WEBHOOK, Notice, send_new, sender, without_keys

NOTICE = Notice("failed:1", "RadIA: ingest of ccsmtl failed", "image 0123456789abcdef0123456789abcdef is cut")


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    for name in (WEBHOOK, RELAY, TO, SENDER):
        monkeypatch.delenv(name, raising=False)
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def webhook(monkeypatch) -> Iterator[list]:
    """Return what a webhook on the loopback interface has received; it refuses while the list ``refuses`` says so."""
    received: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_refused = "refuse" in received
            if not is_refused:
                received.append(body)
            self.send_response(503 if is_refused else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{server.server_port}/hook")
        yield received
        server.shutdown()


class Relay(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand a message over."""

    def handle(self) -> None:
        self.wfile.write(b"220 relay\r\n")
        message, is_data = [], False
        for line in self.rfile:
            if is_data:
                if line == b".\r\n":
                    self.server.received.append(b"".join(message).decode())
                    is_data = False
                    self.wfile.write(b"250 taken\r\n")
                else:
                    message.append(line)
            elif line.upper().startswith(b"DATA"):
                is_data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def test_a_notice_is_sent_once_and_names_no_key(lake, webhook):
    assert send_new(lake, [NOTICE, NOTICE]) == ["failed:1"]
    assert send_new(lake, [NOTICE]) == []
    assert webhook == [{"subject": "RadIA: ingest of ccsmtl failed", "text": "image … is cut"}]


def test_what_nobody_took_is_sent_later_and_what_was_taken_is_not_sent_again(lake, webhook):
    other = Notice("failed:2", "second", "")
    send_new(lake, [NOTICE])
    webhook.append("refuse")
    with pytest.raises(NotSent, match="webhook"):
        send_new(lake, [NOTICE, other])
    webhook.remove("refuse")
    assert send_new(lake, [NOTICE, other]) == ["failed:2"]
    assert [one["subject"] for one in webhook] == ["RadIA: ingest of ccsmtl failed", "second"]


def test_a_mail_relay_takes_it_too(lake, monkeypatch):
    with socketserver.TCPServer(("127.0.0.1", 0), Relay) as server:
        server.received = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(RELAY, f"127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv(TO, "steward@hospital.example")
        assert send_new(lake, [NOTICE]) == ["failed:1"]
        server.shutdown()
    (mail,) = server.received
    assert "Subject: RadIA: ingest of ccsmtl failed" in mail and "0123456789abcdef" not in mail


def test_without_an_address_nothing_is_sent_and_nothing_counts_as_sent(lake, request):
    assert send_new(lake, [NOTICE]) == []
    received = request.getfixturevalue("webhook")
    assert send_new(lake, [NOTICE]) == ["failed:1"] and len(received) == 1


@pytest.mark.parametrize("env", [{RELAY: "relay:25"}, {RELAY: "relay", TO: "a@b.example"}], ids=["nobody", "no_port"])
def test_half_an_address_is_refused(env):
    with pytest.raises(BadInput, match="RADIA_NOTICE"):
        sender(env)


def test_a_webhook_must_be_one(lake, monkeypatch):
    monkeypatch.setenv(WEBHOOK, "file:///etc/passwd")
    with pytest.raises(BadInput, match="no address"):
        send_new(lake, [NOTICE])
    assert without_keys("run 1234abcd") == "run 1234abcd"
