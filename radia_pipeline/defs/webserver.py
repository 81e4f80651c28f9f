"""Dagster's page of a lake behind the guard: ``python -m radia_pipeline.defs.webserver --lake DIR --port N …``.

A launch that comes while the code server is being started again waits for it here instead of failing. Not here: who
starts this and keeps it running (``ui``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from radia_pipeline.processes.parents import die_with_parent
from radia_pipeline.servers.guard import TOKEN_VARIABLE, Guard, Rules
from radia_pipeline.servers.web import listening, serve

_STATEMENT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW = 15_000, 3_600, 20
_LIVE_DATA_MS = 2_000
_STOP_WITHIN_S = 3
"""Pages keep web sockets open: they are not waited for."""
CODE_SERVER_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.5
LOCATION = "radia_pipeline"
_UNREACHABLE = b"DagsterUserCodeUnreachableError"
_MANY = b"launchMultipleRuns"
"""The one mutation that may have started some runs before it failed: it is not asked twice."""


class CodeServer:
    """What the page has of the code server, which listens at ``path``."""

    def __init__(self, context: WorkspaceProcessContext, path: Path) -> None:
        self._context, self._path = context, path

    def is_ready(self) -> bool:
        """Whether it listens and the page knows its graph."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as end:
            end.connect(os.fspath(self._path))
            return not self._context.has_code_location_error(LOCATION)
        return False


class Patient:
    """An ASGI layer that holds a mutation until the code server is ready, at most CODE_SERVER_WITHIN_S.

    One that met a code server in the moment of its death has changed nothing and is asked again.
    """

    def __init__(self, app: Any, code_server: CodeServer) -> None:
        self._app, self._code_server = app, code_server

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Hand a request on; one that changes something when what it needs is there."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/graphql"):
            return await self._app(scope, receive, send)
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        if b"mutation" not in body:
            return await self._app(scope, _replayed(messages, receive), send)
        deadline = time.monotonic() + CODE_SERVER_WITHIN_S
        while True:
            while not self._code_server.is_ready() and time.monotonic() < deadline:
                await asyncio.sleep(_LOOK_EVERY_S)
            answer: list[dict] = []
            await self._app(scope, _replayed(messages, receive), _into(answer))
            text = b"".join(message.get("body", b"") for message in answer)
            if _UNREACHABLE not in text or _MANY in body or time.monotonic() > deadline:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        for message in answer:
            await send(message)
        return None


def _replayed(messages: list[dict], receive: Any) -> Any:
    left = list(messages)

    async def replay() -> dict:
        return left.pop(0) if left else await receive()

    return replay


def _into(answer: list[dict]) -> Any:
    async def send(message: dict) -> None:
        answer.append(message)

    return send


def require_open(connection: Any, _record: Any, _proxy: Any) -> None:
    """Ask a database's connection before it is used (SQLAlchemy's event ``checkout``).

    Dagster's page keeps one for each store: the first request after the database was restarted would fail. Raises
    DisconnectionError, upon which the pool makes a new connection.
    """
    try:
        cursor = connection.cursor()
        cursor.execute("select 1")
        cursor.close()
    except connection.Error as error:
        raise DisconnectionError from error


def main() -> None:
    """Serve until a signal; Dagster's settings are those of DAGSTER_HOME, the token is in the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", required=True, help="file that names the code server")
    parser.add_argument("--code-server", required=True, type=Path, help="socket that it listens at")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--public-host", action="append", default=[])
    parser.add_argument("--read-only", action="store_true")
    options = parser.parse_args()
    die_with_parent()
    rules = Rules(options.port, os.environ.pop(TOKEN_VARIABLE), tuple(options.public_host))
    event.listen(Pool, "checkout", require_open)
    with listening(options.port) as end, DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW)
        target = WorkspaceFileTarget([options.workspace])
        with WorkspaceProcessContext(instance, target, read_only=options.read_only) as context:
            app = create_app_from_workspace_process_context(context, "", _LIVE_DATA_MS, lifespan=_lifespan)
            guarded = Guard(Patient(app, CodeServer(context, options.code_server)), rules)
            serve(guarded, end, ws="auto", stop_within_s=_STOP_WITHIN_S, limit_concurrency=None)


@contextlib.asynccontextmanager
async def _lifespan(_app: Any) -> AsyncIterator[None]:
    yield


if __name__ == "__main__":
    main()
