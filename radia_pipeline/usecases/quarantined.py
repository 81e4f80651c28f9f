"""What was refused of the deliveries, by reason, with what a steward does about it. Nothing is judged or settled here.

The ways out are those of a delivery that is to become part of a lake. What the same reasons mean to somebody who asks
for a prediction stands in ``refusals``. The table in ``docs/ingest.md`` is made of these words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from radia_pipeline.contracts.choices import Table
from radia_pipeline.errors import MissingTable
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons

SHOWN_IDS = 3
"""Keyed ids that stand beside a reason: enough to look one up."""


class Way(NamedTuple):
    """``cause``: what is behind a refusal most of the time. ``do``: the way out."""

    cause: str
    do: str


_CUT = Way("transfer cut or damaged", "ask for the file again")
_NOBODYS = Way("nobody could say whose image it is", "complete header or table, then ingest again")
_FOREIGN = Way("does not belong into the delivery", "nothing to do")
_HARMFUL = Way("the file harms the reader", "keep it away from the delivery; report it")
_UNSTEADY = Way("the disk, the share or rights stood in the way", "see to them, then ingest again")
WAYS: Table[Way] = Table(
    "reason of the quarantine",
    {
        reasons.IDENTITY_IN_HEADER: Way(
            "the de-identifier missed a tag, or a new device writes a text that nobody declared",
            "mend at the hospital; or declare the value in the policy file",
        ),
        reasons.IDENTITY_IN_PIXELS: Way(
            "name or date printed into the image",
            "mask at the hospital; a harmless mark goes on the list `ocr_allowed`; one film: `radia quarantine settle`",
        ),
        reasons.UNAUDITED_PIXELS: Way("secondary capture with OCR off, or the reader of print failed", "run with OCR"),
        reasons.TRUNCATED: _CUT,
        reasons.DECODE_FAILED: _CUT,
        reasons.BROKEN_CONTAINER: _CUT,
        reasons.EMPTY_FILE: _CUT,
        reasons.LYING_HEADER: Way("header and pixels disagree", 'ask for the file again; never "repair" it by hand'),
        reasons.UID_CONFLICT: Way("one UID stands for two different images", "ask which is right; the first one stays"),
        reasons.MISSING_IDENTIFIER: _NOBODYS,
        reasons.UNKNOWN_TO_TABLE: _NOBODYS,
        reasons.HEADERLESS_DICOM: Way(
            "a DICOM data set without the prefix that files have (PS3.10): exported in part, or by old software",
            "export again as files",
        ),
        reasons.UNSUPPORTED_SYNTAX: Way(
            "compressed in a way that is not read",
            "export again in another transfer syntax (Explicit VR Little Endian)",
        ),
        reasons.NOT_AN_IMAGE: _FOREIGN,
        reasons.NOT_A_RADIOGRAPH: _FOREIGN,
        reasons.NOT_GREY: _FOREIGN,
        reasons.TOO_MANY_FRAMES: _FOREIGN,
        reasons.TOO_LARGE: _HARMFUL,
        reasons.DECODER_CRASHED: _HARMFUL,
        reasons.DECODER_TIMEOUT: _HARMFUL,
        reasons.UNREADABLE: _UNSTEADY,
        reasons.CHANGED_WHILE_READ: _UNSTEADY,
    },
)


@dataclass(frozen=True)
class Refused:
    """One reason in one source. ``details``: tag and rule → files, the most first; ``file_ids``: keyed, a few."""

    source: str
    reason: str
    files: int
    do: str
    details: dict[str, int]
    file_ids: tuple[str, ...]


@dataclass(frozen=True)
class RefusedFile:
    """One file, for whoever may see delivered paths: its row of the restricted table."""

    source: str
    reason: str
    detail: str | None
    file_id: str
    delivered_path: str


def refused(lake: Lake, source: str | None = None, reason: str | None = None) -> list[Refused]:
    """Return what was refused, by source and reason, the most files first.

    Raises UnknownName for no reason of the list, MissingTable where nothing was ingested.
    """
    found: dict[tuple[str, str], list[dict]] = {}
    for row in _rows(lake, source, reason, ["source", "reason", "detail", "file_id"]):
        found.setdefault((row["source"], row["reason"]), []).append(row)
    groups = [
        Refused(
            where,
            why,
            len(rows),
            WAYS[why].do,
            dict(Counter(row["detail"] or "–" for row in rows).most_common()),
            tuple(row["file_id"] for row in rows[:SHOWN_IDS]),
        )
        for (where, why), rows in found.items()
    ]
    return sorted(groups, key=lambda group: (group.source, -group.files, group.reason))


def refused_files(lake: Lake, source: str | None = None, reason: str | None = None) -> list[RefusedFile]:
    """Return every refused file with its delivered path, which may name somebody: never for a log. Raises as above."""
    return [RefusedFile(**row) for row in _rows(lake, source, reason, list(RefusedFile.__dataclass_fields__))]


def _rows(lake: Lake, source: str | None, reason: str | None, columns: list[str]) -> Iterator[dict]:
    if reason is not None:
        _ = WAYS[reason]
    if source is not None and not lake.exists("quarantine", source):
        raise MissingTable(f"Nothing of {source} was ingested yet", do=f"radia ingest DIR --source {source}")
    for row in lake.read("quarantine", source, columns=columns).to_pylist():
        if reason in (None, row["reason"]):
            yield row
