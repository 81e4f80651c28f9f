"""The page's own files: read from the package as they are, never from anywhere else."""

from __future__ import annotations

import hashlib
import re
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from radia_pipeline.review.problems import Problem

TYPES = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
    "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "woff2": "font/woff2",
}  # fmt: skip
_PATH = re.compile(r"(?:[a-z0-9][a-z0-9_-]*/){0,3}[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9-]+)*\.([a-z0-9]+)", re.ASCII | re.I)


def page_file(root: Traversable, path: str, request: Request) -> Response:
    """Return a file below ``root`` with an entity tag; raises Problem ``unknown`` for any other path."""
    matched = _PATH.fullmatch(path)
    if matched is None or matched[1].lower() not in TYPES:
        raise Problem("unknown")
    place = root
    for part in path.split("/"):
        place = place / part
    try:
        content = place.read_bytes()
    except OSError:
        raise Problem("unknown") from None
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=TYPES[matched[1].lower()], headers=headers)
