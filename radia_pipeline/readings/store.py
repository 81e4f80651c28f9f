"""The review store: radiologists' verdicts, one JSON line each, only ever appended to.

Here: appending durably, reading with every line's checksum proved, the latest verdict per cell. Not here: the web page
that calls it, what labels become of a verdict (``labels.readings``, to which the verdicts in force are handed).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from radia_pipeline.contracts.sheets import known_sources
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake, WriteResult

VALUES = (1, 0, -1, None)
STUDY_ID = re.compile(r"[0-9a-f]{32}")
REVIEWER = re.compile(r"[\w.-]{1,64}")
CHECKSUM_CHARACTERS = 32


@dataclass(frozen=True)
class Review:
    """One verdict. ``value``: 1, 0, −1, or None to withdraw earlier verdicts on the cell; ``reviewer``: a coded name.

    ``review_id`` is the line's number and a part of its hash: sorted by it, verdicts stand in the order given.
    """

    source: str
    study_id: str
    class_name: str
    value: int | None
    reviewer: str
    is_blind: bool
    reviewed_at: str = ""
    request_key: str | None = None
    review_id: str = ""


def append_review(lake: Lake, review: Review) -> Review:
    """Append a verdict durably and return it with its id and time; it is on disk when this returns.

    A ``request_key`` that stands in the store already is not written again: its first line is returned, so that a click
    whose answer was lost can be sent again. Raises BadInput or UnknownName for what is no verdict, DamagedFile where
    the store cannot be trusted, LakeUnwritable where the disk refuses.
    """
    _validate(review)
    path = lake.reviews_path
    with lake.lock("reviews"):
        known = _read_lines(path)
        for line in known:
            if review.request_key is not None and line.request_key == review.request_key:
                return line
        stamped = _stamp(review, len(known) + 1)
        _append_line(path, _encode(stamped))
    return stamped


def read_reviews(lake: Lake) -> pa.Table:
    """All verdicts in the order given, as the ``label_reviews`` contract says; empty where nobody reviewed."""
    rows = [_as_row(review) for review in _read_lines(lake.reviews_path)]
    return conform("label_reviews", rows) if rows else empty("label_reviews")


def publish_reviews(lake: Lake) -> WriteResult:
    """Publish the store's verdicts as the table ``label_reviews``."""
    return lake.write("label_reviews", read_reviews(lake))


def latest_reviews(lake: Lake) -> dict[tuple[str, str, str], Review]:
    """The verdict in force per (source, study_id, class): the last one given; a withdrawn cell is absent."""
    latest = {(r.source, r.study_id, r.class_name): r for r in _read_lines(lake.reviews_path)}
    return {cell: review for cell, review in latest.items() if review.value is not None}


def forget_studies(lake: Lake, study_ids: Collection[str]) -> int:
    """Remove every verdict on these studies and return how many there were; the lines that stay are numbered anew.

    This is the one way in which the store loses a line: a patient who is forgotten by law.
    """
    path = lake.reviews_path
    if not path.exists():
        return 0
    with lake.lock("reviews"):
        reviews = _read_lines(path)
        kept = [review for review in reviews if review.study_id not in study_ids]
        if len(kept) < len(reviews):
            lines = [_encode(_stamp(review, number)) for number, review in enumerate(kept, start=1)]
            with atomic.writable(path.parent):
                atomic.write_bytes(path, b"".join(lines))
    return len(reviews) - len(kept)


def _validate(review: Review) -> None:
    if review.source not in known_sources():
        raise UnknownName(f"the source {review.source!r}", accepted=", ".join(known_sources()))
    if review.class_name not in vocabulary().classes:
        raise UnknownName(f"the class {review.class_name!r}", accepted=", ".join(vocabulary().classes))
    if not STUDY_ID.fullmatch(review.study_id):
        raise BadInput("a review of something that is no study", accepted="a study_id of 32 hexadecimal characters")
    if isinstance(review.value, bool) or review.value not in VALUES:
        raise BadInput("a review with another value than a label has", accepted="1, 0, -1, or null to withdraw")
    if not REVIEWER.fullmatch(review.reviewer):
        raise BadInput("a reviewer's code that cannot be stored", accepted="1 to 64 letters, digits, '_', '.' or '-'")


def _stamp(review: Review, number: int) -> Review:
    moment = review.reviewed_at or datetime.now(UTC).isoformat(timespec="milliseconds")
    review = replace(review, reviewed_at=moment, review_id="")
    return replace(review, review_id=f"r{number:08d}-{_checksum(asdict(review))[:8]}")


def _checksum(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:CHECKSUM_CHARACTERS]


def _encode(review: Review) -> bytes:
    fields = asdict(review)
    return (json.dumps({**fields, "checksum": _checksum(fields)}, sort_keys=True) + "\n").encode()


def _append_line(path: Path, line: bytes) -> None:
    """Write one line in one system call; a line that the disk cut short is taken back before the error leaves."""
    with atomic.writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            length = os.fstat(descriptor).st_size
            try:
                _write_whole(descriptor, line)
            except OSError:
                os.ftruncate(descriptor, length)
                raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            atomic.sync_folder(path.parent)


def _write_whole(descriptor: int, line: bytes) -> None:
    """Write all bytes; after a short write the rest is tried, which makes the disk name its reason."""
    while line:
        line = line[os.write(descriptor, line) :]


def _read_lines(path: Path) -> list[Review]:
    if not path.exists():
        return []
    return list(_decode_lines(path.read_bytes()))


def _decode_lines(content: bytes) -> Iterator[Review]:
    lines = content.split(b"\n")
    if lines[-1]:
        raise _damage(len(lines), "it has no end")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            fields = json.loads(line)
            checksum = fields.pop("checksum")
            review = Review(**fields)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _damage(number, "it is no whole verdict") from None
        if checksum != _checksum(fields):
            raise _damage(number, "its checksum does not fit")
        if not review.review_id.startswith(f"r{number:08d}-"):
            raise _damage(number, "a line before it is missing or stands twice")
        yield review


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"Line {number} of the review store is damaged: {what}",
        do=f"restore the store from a backup; if line {number} is the last one and was never confirmed, remove it",
    )


def _as_row(review: Review) -> dict[str, Any]:
    row = asdict(review)
    del row["request_key"]
    row["class"] = row.pop("class_name")
    return row
