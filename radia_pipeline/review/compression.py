"""Whether what is sent may be compressed: what a request says that it accepts (RFC 9110, 12.5.3)."""

from __future__ import annotations

import re

from starlette.requests import Request

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?P<weight>[0-9.]+)\s*)?(?=,|$)", re.IGNORECASE)


def accepts_gzip(request: Request) -> bool:
    """Tell whether the answer to a request may come as gzip."""
    found = _GZIP.search(request.headers.get("accept-encoding", ""))
    return found is not None and (found["weight"] is None or found["weight"].strip("0.") != "")
