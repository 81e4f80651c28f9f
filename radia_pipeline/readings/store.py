"""The review store: radiologists' verdicts, one JSON line each, only ever appended to.

Here: appending durably, reading with every line's checksum proved, the latest verdict per cell. Not here: the web page
that calls it, what labels become of a verdict (``labels.readings``, to which the verdicts in force are handed).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from radia_pipeline.contracts.sheets import known_sources
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile, UnknownName
from radia_pipeline.lake.lake import Lake, WriteResult
from radia_pipeline.lake.lines import UNFIT, LineForm, LinesFile

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
    with lake.lock("reviews"):
        file = _file(lake)
        known = list(file)
        for line in known:
            if line is not None and review.request_key is not None and line.request_key == review.request_key:
                return line
        stamped = _stamp(review, len(known) + 1)
        file.append([asdict(stamped)])
    return stamped


def read_reviews(lake: Lake) -> pa.Table:
    """All verdicts in the order given, as the ``label_reviews`` contract says; empty where nobody reviewed."""
    rows = [_as_row(review) for review in _reviews(lake)]
    return conform("label_reviews", rows) if rows else empty("label_reviews")


def publish_reviews(lake: Lake) -> WriteResult:
    """Publish the store's verdicts as the table ``label_reviews``."""
    return lake.write("label_reviews", read_reviews(lake))


def latest_reviews(lake: Lake) -> dict[tuple[str, str, str], Review]:
    """The verdict in force per (source, study_id, class): the last one given; a withdrawn cell is absent."""
    latest = {(r.source, r.study_id, r.class_name): r for r in _reviews(lake)}
    return {cell: review for cell, review in latest.items() if review.value is not None}


def forget_studies(lake: Lake, study_ids: Collection[str]) -> int:
    """Remove every verdict on these studies and return how many there were; each leaves a tombstone in its line.

    This is the one way in which the store loses a verdict: a patient who is forgotten by law.
    """
    with lake.lock("reviews"):
        return _file(lake).forget(lambda review: review.study_id in study_ids)


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


def _unfit(number: int, fields: Mapping[str, Any]) -> str | None:
    """Judge a line from the time when each proved itself alone: by a checksum of its own and its number."""
    if fields["checksum"] != _checksum({name: value for name, value in fields.items() if name != "checksum"}):
        return UNFIT
    is_in_place = fields["review_id"].startswith(f"r{number:08d}-")
    return None if is_in_place else "a line before it is missing or stands twice"


def _parse(fields: Mapping[str, Any]) -> Review:
    return Review(**{name: value for name, value in fields.items() if name != "checksum"})


_FORM = LineForm("whole verdict", _parse, _unfit)


def _file(lake: Lake) -> LinesFile[Review]:
    return LinesFile(lake.reviews_path, _FORM, _damage)


def _reviews(lake: Lake) -> Iterator[Review]:
    return (review for review in _file(lake) if review is not None)


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
