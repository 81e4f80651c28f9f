"""How every web server of ours listens: on this machine alone, and silent about who asks what.

The only place that imports uvicorn. Not here: what is served, and who may ask (``guard``).
"""

from __future__ import annotations

import socket
from typing import Any

import uvicorn

from radia_pipeline.errors import BadInput

HOST = "127.0.0.1"
_MOST_CONNECTIONS = 256
_STOP_WITHIN_S = 10


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


def configured(app: Any, port: int, *, stop_within_s: int = _STOP_WITHIN_S, **more: Any) -> uvicorn.Config:
    """Return how an ASGI application is run; ``more``: as for ``uvicorn.Config``."""
    settings = {"lifespan": "on", "ws": "none", "limit_concurrency": _MOST_CONNECTIONS, **more}
    return uvicorn.Config(
        app,
        host=HOST,
        port=port,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=stop_within_s,
        **settings,
    )


def serve(app: Any, end: socket.socket, **more: Any) -> None:
    """Serve an ASGI application on a listening socket until SIGINT or SIGTERM; ``more``: as for ``configured``."""
    uvicorn.Server(configured(app, end.getsockname()[1], **more)).run(sockets=[end])
