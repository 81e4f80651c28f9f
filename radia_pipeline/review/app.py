"""The application: every route, the page's files, the documentation of the API as a page of our own, one guard around.

The only place that puts the parts together. Not here: what routes do, and starting it (``serve``).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from radia_pipeline import __version__
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom.rules_version import RULES_VERSION
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.readings.reading import NOT_ASSESSABLE
from radia_pipeline.review.api_page import api_page
from radia_pipeline.review.api_routes import api_routes
from radia_pipeline.review.files import PageFiles
from radia_pipeline.review.guard import Guard, problem_of, problem_response
from radia_pipeline.review.key_letters import placed_classes, sections
from radia_pipeline.review.problems import Problem
from radia_pipeline.review.reading_routes import reading_routes
from radia_pipeline.review.reason_words import device_words, reason_words
from radia_pipeline.review.server import Server
from radia_pipeline.review.shapes import MOST_COMMENT_CHARACTERS, WRONG_ABOUT
from radia_pipeline.review.users import comes_by_proxy, user_of
from radia_pipeline.review.viewer_routes import viewer_routes
from radia_pipeline.usecases.answers import NOTICE

if TYPE_CHECKING:
    from fastapi.applications import TelemetryConfig

_NOTHING_LEAVES: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""No exporter that the surroundings may name gets to know of a request."""


def build_app(server: Server) -> Guard:
    """Return the whole application; models are opened in the background once it starts."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=server.open, name="warming up", daemon=True).start()
        yield
        server.close()

    app = FastAPI(
        title="RadIA",
        version=__version__,
        description=f"Predictions for chest radiographs: {NOTICE}.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        telemetry=_NOTHING_LEAVES,
    )
    app.include_router(api_routes(server))
    app.include_router(viewer_routes(server))
    app.include_router(reading_routes(server))
    _add_page(app, server)
    for kind in (Problem, RadiaError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _as_problem)
    return Guard(app, server.settings)


def _add_page(app: FastAPI, server: Server) -> None:
    own = PageFiles(files("radia_pipeline.review") / "static")

    @app.get("/", include_in_schema=False)
    @app.get("/reading", include_in_schema=False)
    def shell(request: Request) -> Response:
        return own["index.html"].response(request)

    @app.get("/static/{path:path}", include_in_schema=False)
    def static(request: Request, path: str) -> Response:
        return own[path].response(request)

    app.add_api_route("/favicon.ico", lambda: Response(status_code=204), include_in_schema=False)
    app.add_api_route("/api", lambda: HTMLResponse(api_page(app.openapi())), include_in_schema=False)

    @app.get("/page/config", include_in_schema=False)
    def config(request: Request) -> dict[str, Any]:
        head = server.models.head() or {}
        return {
            "user": user_of(request, server.settings),
            "is_signed_in": comes_by_proxy(request, server.settings),
            "notice": NOTICE,
            "is_demo": Pseudonymizer.is_demo(server.lake),
            "model": head.get("model"),
            "has_model": server.models.is_open,
            "is_ready": server.is_ready,
            "versions": {"radia": __version__, "vocabulary": vocabulary().version, "rules": RULES_VERSION},
            "classes": placed_classes(),
            "sections": list(sections()),
            "not_assessable": list(NOT_ASSESSABLE),
            "wrong_about": list(WRONG_ABOUT),
            "most_upload_bytes": server.settings.most_body_bytes,
            "most_comment_characters": MOST_COMMENT_CHARACTERS,
            "words": reason_words(),
            "devices": device_words(),
        }


async def _as_problem(request: Request, error: Exception) -> Response:
    """Answer an error as a problem; of a framework's own error without what was sent."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        known = {"query": str(first["loc"][1]), "path": "the address"} if len(first["loc"]) > 1 else {}
        return problem_response(request, Problem("bad_input", known.get(first["loc"][0], "the request")))
    if isinstance(error, HTTPException):
        status = error.status_code
        code = "unknown" if status in (404, 405) else "too_large" if status == 413 else "bad_input"
        return problem_response(request, Problem(code if status < 500 else "error"))
    return problem_response(request, problem_of(error))
