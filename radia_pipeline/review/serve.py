"""Starting the server on this machine alone and ending it in order."""

from __future__ import annotations

import socket
import threading
import time
import webbrowser

import uvicorn

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.progress import say
from radia_pipeline.review.app import build_app
from radia_pipeline.review.server import Server
from radia_pipeline.review.settings import HOST, Settings

_MOST_CONNECTIONS = 256
_STOP_WITHIN_S = 10
_OPEN_WITHIN_S = 300.0


def listening(port: int) -> socket.socket:
    """Return a socket that listens on this machine's port, a free one for 0; raises BadInput where it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError:
        found.close()
        raise BadInput(f"Port {port} is taken", do="name another with --port, or leave it out") from None
    found.listen(128)
    return found


def configured(server: Server) -> uvicorn.Config:
    """Return how the application of a server is run."""
    return uvicorn.Config(
        build_app(server), host=HOST, port=server.settings.port, proxy_headers=False, server_header=False,
        access_log=False, log_level="warning", limit_concurrency=_MOST_CONNECTIONS, timeout_keep_alive=30, ws="none",
        timeout_graceful_shutdown=_STOP_WITHIN_S, lifespan="on",
    )  # fmt: skip


def serve(lake: Lake, settings: Settings, end: socket.socket, *, opens_browser: bool = False) -> None:
    """Serve a lake until interrupted; ``end``: a listening socket of ``settings.port``."""
    server = Server(lake, settings)
    say(f"Lake    {lake.root}")
    say(f"Page    http://{HOST}:{settings.port}/   (models are opened; Ctrl-C ends it)")
    threading.Thread(target=_tell_ready, args=(server, opens_browser), daemon=True).start()
    uvicorn.Server(configured(server)).run(sockets=[end])


def _tell_ready(server: Server, opens_browser: bool) -> None:
    deadline = time.monotonic() + _OPEN_WITHIN_S
    while not server.is_ready and not server.problem and time.monotonic() < deadline:
        time.sleep(0.1)
    if server.is_ready:
        say("Ready" if server.models.is_open else "Ready, without models: this lake has no ensemble yet")
    if opens_browser:
        webbrowser.open(f"http://{HOST}:{server.settings.port}/")
