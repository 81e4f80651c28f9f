"""Errors as the server tells them: RFC 9457 problem details with a code that a program looks at.

Here: the closed list of codes with their status and words, and which error of the tree becomes which. A problem repeats
nothing that was sent. Not here: how a problem becomes a response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One code. ``title``: what happened, in words for a person."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad_input": Kind(400, "The request cannot be used"),
    "bad_json": Kind(400, "The body is not the JSON that is asked for"),
    "no_user": Kind(401, "The proxy named nobody"),
    "foreign_host": Kind(403, "This server is not known by that name"),
    "foreign_origin": Kind(403, "A page of another origin asked"),
    "not_yours": Kind(403, "It is another reader's"),
    "unknown": Kind(404, "There is nothing of that name"),
    "too_slow": Kind(408, "The body comes too slowly"),
    "no_native": Kind(409, "The delivered file cannot be read now"),
    "already_read": Kind(409, "This study was read in another tab"),
    "blind": Kind(409, "This study is still to be read blind"),
    "not_yet": Kind(409, "Nothing is revealed before the answer"),
    "revealed": Kind(409, "What was revealed cannot be read blind again"),
    "other_content": Kind(409, "This request key was sent with another content"),
    "changed": Kind(409, "The list or its classes have changed"),
    "gone": Kind(410, "What was uploaded was dropped again"),
    "no_length": Kind(411, "The body says no length"),
    "too_large": Kind(413, "The body is larger than the cap"),
    "unsupported_type": Kind(415, "A body of that type is not read"),
    "refused": Kind(422, "No film could be answered"),
    "not_sound": Kind(422, "A reading that cannot be stored"),
    "busy": Kind(429, "Too many requests wait already"),
    "error": Kind(500, "The server failed"),
    "starting": Kind(503, "The models are still being opened"),
}


class Problem(Exception):
    """One answer that is an error. ``more``: further members; ``retry_after_s``: when to ask again; ``objects``: DICOM
    files by Content-ID that go with it."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        do: str = "",
        retry_after_s: int | None = None,
        objects: Sequence[tuple[str, bytes]] = (),
        **more: Any,
    ) -> None:
        super().__init__(code)
        self.objects = objects
        self.code, self.detail, self.do, self.retry_after_s, self.more = code, detail, do, retry_after_s, more

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.code].status

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the problem as JSON data."""
        told = {"detail": self.detail, "do": self.do}
        return {
            "type": "about:blank",
            "status": self.status,
            "code": self.code,
            "title": KINDS[self.code].title,
            **{name: words for name, words in told.items() if words},
            "request_id": request_id,
            **self.more,
        }


def place_of(error: BaseException) -> str:
    """Return an unexpected error's kind and its place in the code: its text may hold what was sent."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "unknown place"
    return f"{type(error).__name__} at {where}"
