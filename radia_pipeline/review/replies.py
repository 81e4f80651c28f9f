"""An answer and the DICOM objects made of it as one body: multipart/related (RFC 2387), the answer first.

A problem may stand in the answer's place: a study that was refused has objects too, which say why.

The answer names its objects by Content-ID; whose they are stands in their own parts alone. Not here: bodies that are
sent to us (``bodies``).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from radia_pipeline.review.bodies import DICOM, RELATED

_JSON = "application/json"


def with_objects(
    answer: Mapping[str, Any], objects: Sequence[tuple[str, bytes]], status: int = 200, kind_of_answer: str = _JSON
) -> Response:
    """Return a response of an answer and (Content-ID, DICOM file) of each of its objects."""
    head = json.dumps(answer, allow_nan=False, ensure_ascii=False).encode("utf-8")
    parts = [(kind_of_answer, "answer", head), *((DICOM, name, content) for name, content in objects)]
    boundary = secrets.token_hex(16)
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-ID: <{name}>\r\n\r\n".encode() + content + b"\r\n"
        for kind, name, content in parts
    )
    kind = f'{RELATED}; type="{kind_of_answer}"; start="<answer>"; boundary={boundary}'
    return Response(body + f"--{boundary}--\r\n".encode(), status, media_type=kind)
