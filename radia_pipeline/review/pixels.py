"""Pixels as a page gets them: raw little-endian uint16 behind their grey curve, compressed where it is accepted."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from radia_pipeline.review.compression import accepts_gzip
from radia_pipeline.usecases.native_pixels import Film

_LEVEL = 1
"""The fastest: on one machine time counts, and grain does not compress."""


def pixel_response(request: Request, film: Film) -> Response:
    """Return a film as ``docs/page_routes.md`` describes it."""
    height, width = film.values.shape
    headers = {
        "X-Radia-Shape": f"{height},{width}",
        "X-Radia-Table": str(film.table.size),
        "X-Radia-Window": _pair(film.window),
        "X-Radia-Slopes": _pair(film.slopes),
        "Cache-Control": "private, max-age=3600",
        "Vary": "Accept-Encoding, Cookie",
    }
    if film.units is not None:
        headers["X-Radia-Units"] = _pair(film.units)
    if film.padding is not None:
        headers["X-Radia-Padding"] = _pair(film.padding)
    body = film.table.astype("<u2").tobytes() + np.ascontiguousarray(film.values, dtype="<u2").tobytes()
    if accepts_gzip(request):
        from imagecodecs import gzip_encode

        body = bytes(gzip_encode(body, _LEVEL))
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/octet-stream", headers=headers)


def _pair(numbers: tuple[float, float] | tuple[int, int]) -> str:
    return ",".join(f"{float(one):.10g}" for one in numbers)
