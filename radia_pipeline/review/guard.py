"""What stands before every route: known hosts and origins alone, headers that bind the browser, errors as problems.

A plain ASGI layer, so that bodies are never held here. Here too: an error becomes a response, and what is unexpected
tells its kind and place in our code to the server's own output, nothing of the request.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from radia_pipeline.errors import BadInput, LakeLocked, LakeUnwritable, NotTrained, RadiaError, Refusal, UnknownName
from radia_pipeline.processes.progress import say
from radia_pipeline.review.problems import CONTENT_TYPE, Problem, place_of
from radia_pipeline.review.replies import with_objects
from radia_pipeline.review.settings import Settings
from radia_pipeline.servers.names import SAFE, is_foreign_host, is_foreign_origin

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_RETRY_S = 2


class Guard:
    """The layer around an application."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(6)
        scope["radia_request_id"] = request_id
        has_begun = False

        async def guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": [*message.get("headers", ()), *_raw(_headers(request_id, message))]}
            await send(message)

        try:
            self._require_own(scope)
            await self._app(scope, receive, guarded)
        except Exception as error:
            # The framework raises an unexpected error again after its answer; its text may hold what was sent.
            if not has_begun:
                await problem_response(Request(scope), problem_of(error))(scope, receive, guarded)

    def _require_own(self, scope: dict) -> None:
        """Refuse another name (DNS rebinding) and another page's requests (CSRF)."""
        if is_foreign_host(scope, self._settings.hosts):
            raise Problem("foreign_host", do="use the address that `radia review` printed, or declare it")
        if scope["method"] not in SAFE and is_foreign_origin(scope, self._settings.origins):
            raise Problem("foreign_origin")


def problem_of(error: Exception) -> Problem:
    """Return what an error is told as."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return Problem("refused", str(error))
    if isinstance(error, NotTrained):
        return Problem("unknown", error.received, do=error.do or "")
    if isinstance(error, BadInput | UnknownName):
        return Problem("bad_input", error.received, do=error.do or error.accepted or "")
    if isinstance(error, LakeLocked):
        return Problem("busy", error.received, retry_after_s=_RETRY_S)
    if isinstance(error, LakeUnwritable):
        return Problem("error", error.received, do=error.do or "")
    say(f"Error while answering: {place_of(error)}")
    return Problem("error", error.received if isinstance(error, RadiaError) else "")


def _headers(request_id: str, message: MutableMapping[str, Any]) -> dict[str, str]:
    names = {name.lower() for name, _ in message.get("headers", ())}
    more = {**HEADERS, "x-request-id": request_id}
    if b"cache-control" not in names:
        more["cache-control"] = "no-store"
    return {name: value for name, value in more.items() if name.encode() not in names}


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def problem_response(request: Request, problem: Problem) -> Response:
    """Return a problem as a response."""
    told = problem.body(request.scope["radia_request_id"])
    if problem.objects:
        return with_objects(told, problem.objects, problem.status, CONTENT_TYPE)
    body = json.dumps(told, ensure_ascii=False, default=str)
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return Response(body, problem.status, headers, CONTENT_TYPE)
