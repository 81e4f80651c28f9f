"""Starting the server on this machine alone and ending it in order."""

from __future__ import annotations

import socket
import threading
import time
import webbrowser

from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.progress import say
from radia_pipeline.review.app import build_app
from radia_pipeline.review.server import Server
from radia_pipeline.review.settings import Settings
from radia_pipeline.servers import web
from radia_pipeline.servers.web import HOST

_OPEN_WITHIN_S = 300.0


def serve(lake: Lake, settings: Settings, end: socket.socket, *, opens_browser: bool = False) -> None:
    """Serve a lake until interrupted; ``end``: a listening socket of ``settings.port``."""
    server = Server(lake, settings)
    say(f"Lake    {lake.root}")
    say(f"Page    http://{HOST}:{settings.port}/   (models are opened; Ctrl-C ends it)")
    threading.Thread(target=_tell_ready, args=(server, opens_browser), daemon=True).start()
    web.serve(build_app(server), end)


def _tell_ready(server: Server, opens_browser: bool) -> None:
    deadline = time.monotonic() + _OPEN_WITHIN_S
    while not server.is_ready and not server.problem and time.monotonic() < deadline:
        time.sleep(0.1)
    if server.is_ready:
        say("Ready" if server.models.is_open else "Ready, without models: this lake has no ensemble yet")
    if opens_browser:
        webbrowser.open(f"http://{HOST}:{server.settings.port}/")
