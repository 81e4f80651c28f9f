"""Debian's Chromium for the tests of the page: started once a file, driven by Playwright, nothing outside this machine.

Also the canvas bench: a blank page that has the page's modules and films of a test's choosing, to see one pane alone.
"""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import radia_pipeline.review

STATIC = Path(radia_pipeline.review.__path__[0]) / "static"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
BLANK = b"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/style.css">
<div class="stage" data-films="1" style="width: 301px; height: 251px" id="place"></div>"""


_OPEN: list = []
"""The Chromium that runs. Playwright's loop is in the thread as long, which takes no second one."""


@contextmanager
def chromium() -> Iterator:
    """Yield a running Chromium, the one that is open already if there is; skips the test where Debian's is not
    installed."""
    from playwright.sync_api import sync_playwright

    if _OPEN:
        yield _OPEN[0]
        return
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        _OPEN.append(running)
        try:
            yield running
        finally:
            _OPEN.clear()
            running.close()


@dataclass(frozen=True)
class Sent:
    """A film as the server sends it: ``values`` (H, W) uint16, ``table`` (n,) uint16 or none, ``window``: (c, w)."""

    values: np.ndarray
    table: np.ndarray | None = None
    window: tuple[float, float] = (32767.5, 65535.0)
    padding: tuple[int, int] | None = None

    def packed(self) -> bytes:
        """Return the body, gzip."""
        table = np.zeros(0, "<u2") if self.table is None else self.table.astype("<u2")
        return gzip.compress(table.tobytes() + self.values.astype("<u2").tobytes(), 1)

    def headers(self) -> dict[str, str]:
        """Return what the body is."""
        told = {
            "Content-Encoding": "gzip",
            "Content-Type": "application/octet-stream",
            "X-Radia-Shape": f"{self.values.shape[0]},{self.values.shape[1]}",
            "X-Radia-Table": str(0 if self.table is None else len(self.table)),
            "X-Radia-Window": f"{self.window[0]!r},{self.window[1]!r}",
        }
        return told | ({"X-Radia-Padding": f"{self.padding[0]},{self.padding[1]}"} if self.padding else {})


@dataclass
class Bench:
    """The films that the blank page may ask for, by (name, size)."""

    address: str
    films: dict[tuple[str, str], Sent] = field(default_factory=dict)

    def film(self, name: str) -> dict:
        """Return what the page is told of a film."""
        stored, native = (self.films.get((name, size)) for size in ("stored", "native"))
        return {
            "image_id": name,
            "view": "PA",
            "stored": list((stored or native).values.shape),
            "native": list((native or stored).values.shape),
            "has_native": native is not None,
            "pixels": f"/films/{name}",
        }


@contextmanager
def bench() -> Iterator[Bench]:
    """Serve the blank page, the page's modules and a test's films on a free port."""
    made = Bench("")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            """Answer a module, a film or the blank page."""
            asked = urlsplit(self.path)
            if asked.path.startswith("/static/"):
                file = STATIC / Path(asked.path).name
                return self._send(file.read_bytes(), {"Content-Type": TYPES[file.suffix]})
            if asked.path.startswith("/films/"):
                sent = made.films.get((Path(asked.path).name, parse_qs(asked.query)["size"][0]))
                return self._send(sent.packed(), sent.headers()) if sent else self._send(b"{}", {}, 404)
            return self._send(BLANK, {"Content-Type": "text/html"})

        def _send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()
