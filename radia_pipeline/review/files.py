"""The page's own files: read from the package and compressed once, as they are, never from anywhere else."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from radia_pipeline.review.compression import accepts_gzip
from radia_pipeline.review.problems import Problem

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


@dataclass(frozen=True)
class PageFile:
    """One file in both forms, each with its entity tag (RFC 9110, 8.8.3: two encodings are two representations)."""

    media_type: str
    plain: bytes
    packed: bytes
    tag: str

    def response(self, request: Request) -> Response:
        """Return the file, compressed where that is accepted; 304 to who holds it already."""
        is_packed = accepts_gzip(request)
        tag = f'"{self.tag}-gzip"' if is_packed else f'"{self.tag}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        held = request.headers.get("if-none-match", "").split(",")
        if tag in (one.strip().removeprefix("W/") for one in held):
            return Response(status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(self.packed if is_packed else self.plain, media_type=self.media_type, headers=headers)


class PageFiles:
    """Every file of the page by its name; nothing else can be asked for, whatever a path holds."""

    def __init__(self, root: Traversable) -> None:
        self._files = {}
        for entry in root.iterdir():
            kind = TYPES.get(PurePosixPath(entry.name).suffix)
            if kind is not None:
                content = entry.read_bytes()
                tag = hashlib.sha256(content).hexdigest()[:32]
                self._files[entry.name] = PageFile(kind, content, gzip.compress(content, mtime=0), tag)

    def __getitem__(self, name: str) -> PageFile:
        """Return a file; raises Problem ``unknown`` for any other name."""
        if name not in self._files:
            raise Problem("unknown")
        return self._files[name]
