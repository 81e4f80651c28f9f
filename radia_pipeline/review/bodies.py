"""Bodies of requests, in memory alone: read with a cap and a deadline, taken apart where they hold several films.

No framework's form reader is used: those write large parts to a temporary folder. Not here: what a film is.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from starlette.requests import ClientDisconnect, Request

from radia_pipeline.review.problems import Problem
from radia_pipeline.review.settings import Settings

DICOM, PNG, JPEG, ANY, RELATED = (
    "application/dicom",
    "image/png",
    "image/jpeg",
    "application/octet-stream",
    "multipart/related",
)
FILM_TYPES = (DICOM, PNG, JPEG, ANY)
MOST_PARTS = 16
_MOST_PART_HEADER = 8192
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+)')


async def read_body(request: Request, settings: Settings, most_bytes: int) -> bytearray:
    """Return a request's body; raises Problem: no_length, too_large, too_slow, unsupported_type (encoded)."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported_type", "A compressed body", do="send the file as it is")
    length, chunked = request.headers.get("content-length"), "transfer-encoding" in request.headers
    if length is None and not chunked:
        raise Problem("no_length", do="send Content-Length")
    if length is not None and (not length.isdigit() or int(length) > most_bytes):
        raise Problem("too_large", do=f"send at most {most_bytes} bytes")
    body, since = bytearray(), time.monotonic()
    chunks = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(settings.idle_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return body
        except TimeoutError:
            raise Problem("too_slow", "The body stopped coming") from None
        except ClientDisconnect:
            raise Problem("bad_input", "The body was cut") from None
        if len(body) + len(chunk) > most_bytes:
            raise Problem("too_large", do=f"send at most {most_bytes} bytes")
        body += chunk
        if time.monotonic() - since > settings.idle_s + len(body) / settings.least_rate:
            raise Problem("too_slow", "The body comes too slowly")


async def read_json(request: Request, settings: Settings) -> dict[str, Any]:
    """Return a JSON object that was sent; raises Problem."""
    if media_type(request)[0] != "application/json":
        raise Problem("unsupported_type", do="send application/json")
    body = await read_body(request, settings, settings.most_json_bytes)
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Problem("bad_json") from None
    if not isinstance(content, dict):
        raise Problem("bad_json", "Not an object")
    return content


def _no_constant(_: str) -> Any:
    raise ValueError("JSON has no such number")


def media_type(request: Request) -> tuple[str, dict[str, str]]:
    """Return (type, parameters) of a request's Content-Type, in lower case but for the parameters' values."""
    return parse_type(request.headers.get("content-type", ""))


def parse_type(text: str) -> tuple[str, dict[str, str]]:
    """Return (type, parameters) of a Content-Type."""
    kind, _, rest = text.partition(";")
    found = {}
    for name, value in _PARAMETER.findall(";" + rest):
        found[name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    return kind.strip().lower(), found


def require_film_type(request: Request) -> tuple[str, str]:
    """Return (type, boundary) of a request that brings films, before its body is read; raises unsupported_type."""
    kind, parameters = media_type(request)
    if kind in FILM_TYPES:
        return kind, ""
    accepted = f'{", ".join(FILM_TYPES)}, or {RELATED}; type="{DICOM}"'
    boundary = parameters.get("boundary", "")
    if kind != RELATED or parameters.get("type", DICOM).lower() not in FILM_TYPES:
        raise Problem("unsupported_type", do=f"send {accepted}")
    if not _BOUNDARY.fullmatch(boundary):
        raise Problem("bad_input", "multipart/related without a boundary")
    return kind, boundary


def films_in(kind: str, boundary: str, body: bytearray) -> list[bytes]:
    """Return the films that a body holds, in order; raises Problem for a multipart that is none (RFC 2046, 5.1.1)."""
    return parts_of(body, boundary) if kind == RELATED else [bytes(body)]


def parts_of(body: bytearray, boundary: str) -> list[bytes]:
    """Return the contents of a multipart body's parts; names of files in their headers are not read."""
    mark = b"--" + boundary.encode("ascii")
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at < 0 or not body.startswith(mark, at):
        raise Problem("bad_input", "multipart/related without its boundary")
    parts: list[bytes] = []
    while not body.startswith(mark + b"--", at):
        line_end = body.find(b"\r\n", at)
        header_end = body.find(b"\r\n\r\n", line_end) if line_end >= 0 else -1
        end = body.find(b"\r\n" + mark, max(header_end, 0) + 2 if header_end >= 0 else len(body))
        if header_end < 0 or end < 0 or header_end - line_end > _MOST_PART_HEADER or len(parts) == MOST_PARTS:
            raise Problem(
                "bad_input",
                "multipart/related that is cut, or of too many parts",
                do=f"send at most {MOST_PARTS} films, each a part",
            )
        _require_part(bytes(body[line_end:header_end]))
        parts.append(bytes(body[header_end + 4 : max(end, header_end + 4)]))
        at = end + 2
    if not parts:
        raise Problem("bad_input", "multipart/related without a part")
    return parts


def _require_part(header: bytes) -> None:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type" and parse_type(value.decode("latin-1"))[0] not in FILM_TYPES:
            raise Problem("unsupported_type", "A part of a type that is not read", do=f"send {', '.join(FILM_TYPES)}")
        if name.strip().lower() == b"content-transfer-encoding" and value.strip().lower() not in (b"binary", b"8bit"):
            raise Problem("unsupported_type", "A part that is encoded", do="send parts as binary")
