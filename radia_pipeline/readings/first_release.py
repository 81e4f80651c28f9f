"""The first release's store of verdicts, brought into the store of readings once: its verdicts are imported readings.

They mend labels, as they did, and are never truth: nobody knows what their readers had seen. A verdict was one cell;
its withdrawal becomes an event that takes back the same reader's verdicts on that cell, and no other reader's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import UNFIT, LineForm, LinesFile
from radia_pipeline.readings.chain import (
    MIGRATED,
    READ,
    START,
    UNDONE,
    Head,
    file_of,
    now,
    read_witness,
    record_of,
    write_witness,
)
from radia_pipeline.readings.reading import IMPORTED, Reading, as_record

MADE_FROM = "first_release"
_CHECKSUM_CHARACTERS = 32


def bring_in(lake: Lake) -> None:
    """Bring a store of the first release in, whole or not at all; the caller holds the store's lock.

    Its file goes once all its verdicts stand here durably. Raises DamagedFile where it cannot be trusted, or where it
    stands beside a store of readings that did not come from it.
    """
    old = lake.reviews_path
    if not old.exists():
        return
    sha256 = hashlib.sha256(old.read_bytes()).hexdigest()
    if not _stands_already(lake, sha256):
        part = lake.readings_path.with_name("readings.part.jsonl")
        part.unlink(missing_ok=True)
        if read_witness(lake) is None:
            write_witness(lake, Head(0, START))
        records = [*_records(lake), (MIGRATED, {"from_sha256": sha256, "at": now()})]
        numbered = (record_of(number, kind, content) for number, (kind, content) in enumerate(records, start=1))
        file_of(lake, part).append(numbered)
        atomic.move_files([(part, lake.readings_path)])
    old.unlink()
    atomic.sync_folder(old.parent)


def _stands_already(lake: Lake, sha256: str) -> bool:
    """Tell whether this very file was brought in, by a call that was killed before it removed it."""
    lines = [line for _, line in file_of(lake).follow()]
    if any(line is not None and line.kind == MIGRATED and line.content["from_sha256"] == sha256 for line in lines):
        return True
    if lines:
        raise DamagedFile(
            "A store of the first release (reviews.jsonl) stands beside a store of readings",
            do="move reviews.jsonl out of the lake's folder reviews/, or restore that folder from a backup",
        )
    return False


def _records(lake: Lake) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the verdicts as records of readings and events, in their order."""
    records: list[tuple[str, Mapping[str, Any]]] = []
    own: dict[tuple[str, str, str], list[int]] = {}
    for verdict in LinesFile(lake.reviews_path, _FORM, _damage):
        if verdict is None:
            continue
        cell = (verdict["reviewer"], verdict["study_id"], verdict["class_name"])
        if verdict["value"] is not None:
            records.append((READ, _reading(verdict)))
            own.setdefault(cell, []).append(len(records))
        elif earlier := own.pop(cell, None):
            records.append((UNDONE, {"undoes": earlier, "reader": verdict["reviewer"], "at": verdict["reviewed_at"]}))
    return records


def _reading(verdict: Mapping[str, Any]) -> dict[str, Any]:
    reading = Reading(
        source=verdict["source"],
        study_id=verdict["study_id"],
        reader=verdict["reviewer"],
        phase=IMPORTED,
        request_key=f"{MADE_FROM}:{verdict['review_id']}",
        answers={verdict["class_name"]: verdict["value"]},
        asked=(verdict["class_name"],),
        role="none",
        decided_at=verdict["reviewed_at"],
        made_by=verdict["reviewer"],
        made_from=f"{MADE_FROM}, {'blind' if verdict['is_blind'] else 'not blind'}",
    )
    return as_record(reading)


def _unfit(number: int, fields: Mapping[str, Any]) -> str | None:
    """Judge a line from the time when each proved itself alone: by a checksum of its own and its number."""
    body = {name: value for name, value in fields.items() if name != "checksum"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    if fields["checksum"] != hashlib.sha256(text.encode()).hexdigest()[:_CHECKSUM_CHARACTERS]:
        return UNFIT
    is_in_place = fields["review_id"].startswith(f"r{number:08d}-")
    return None if is_in_place else "a line before it is missing or stands twice"


def _parse(fields: Mapping[str, Any]) -> dict[str, Any]:
    names = ("source", "study_id", "class_name", "value", "reviewer", "is_blind", "reviewed_at", "review_id")
    return {name: fields[name] for name in names}


_FORM = LineForm("whole verdict", _parse, _unfit)


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"Line {number} of the first release's review store is damaged: {what}",
        do=f"restore the store from a backup; if line {number} is the last one and was never confirmed, remove it",
    )
