"""The chain of readings: its lines, its witness, and the one pass that proves both.

A line ends in a SHA-256 over the line before and itself, so that an edited, cut, swapped or inserted line is noticed;
lines cut off at the end are noticed by the witness, a small file with the count and hash of the head that is replaced
with every append. 128 random bits in each line keep a tombstone's hash from telling what stood there. Not here: what a
reading is (``reading``), who may append what (``store``).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic, renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile, Mark
from radia_pipeline.readings.reading import Reading, from_record

READ, UNDONE, FORGOTTEN, MIGRATED, CLOSED = "read", "undone", "forgotten", "migrated", "closed"
KINDS = (READ, UNDONE, FORGOTTEN, MIGRATED, CLOSED)
"""A reading, and the events: readings taken back, lines forgotten, a store of the first release brought in, a reading
set closed."""
NONCE_BYTES = 16
START = "0" * 64
"""Stands for the hash of the line before the first; all hashes of the chain are as long."""


@dataclass(frozen=True)
class Line:
    """One line of the store. ``sequence`` counts from 1; ``content``: a reading's or an event's record."""

    sequence: int
    kind: str
    nonce: str
    content: Mapping[str, Any]

    @property
    def reading(self) -> Reading:
        """The reading of a line of kind ``read``."""
        return from_record(self.content)


@dataclass(frozen=True)
class Head:
    """How many lines the store has, and the hash of the last one."""

    lines: int
    sha256: str


def record_of(sequence: int, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line's record, with fresh random bits."""
    return {"sequence": sequence, "kind": kind, "nonce": secrets.token_hex(NONCE_BYTES), "content": dict(content)}


def parse(record: Mapping[str, Any]) -> Line:
    """Return the line of a record; raises ValueError, KeyError or TypeError for what is none."""
    line = Line(**record)
    if line.kind not in KINDS or len(line.nonce) != 2 * NONCE_BYTES:
        raise ValueError("a line of no known kind")
    if line.kind == READ:
        from_record(line.content)
    return line


def now() -> str:
    """Return the time, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def damage(number: int, what: str) -> DamagedFile:
    """Return the error of a line that cannot be trusted."""
    return DamagedFile(
        f"Line {number} of the store of readings is damaged: {what}",
        do="restore the folder reviews/ of the lake, its witness too, from a backup",
    )


_FORM = LineForm("line of the store", parse, drops_cut_end=True, start=START)


def file_of(lake: Lake, path: Path | None = None) -> LinesFile[Line]:
    """Return the store's file, or one of the same form at ``path``."""
    return LinesFile(path or lake.readings_path, renamed.following(lake.root, _FORM), damage)


def require_number(line: Line, number: int) -> None:
    """Raise DamagedFile where a line does not stand in its place."""
    if line.sequence != number:
        raise damage(number, f"it says that it is line {line.sequence}")


def proved_lines(lake: Lake) -> Iterator[tuple[Mark, Line | None]]:
    """Yield each line with the place after it, None for a tombstone, and prove the chain on the way.

    Raises DamagedFile, naming the line, at the first fault; after the last line where the witness does not fit, or a
    tombstone has no event: who does not read to the end has proved nothing of these two.
    """
    witness, file = read_witness(lake), file_of(lake)
    mark, tail_at_witness = file.beginning, START if witness is not None and witness.lines == 0 else None
    tombstones: set[int] = set()
    for mark, line in file.follow():
        if line is None:
            tombstones.add(mark.number)
        else:
            require_number(line, mark.number)
            if line.kind == FORGOTTEN:
                tombstones.difference_update(line.content["lines"])
        if witness is not None and mark.number == witness.lines:
            tail_at_witness = mark.tail
        yield mark, line
    _require_witness(witness, tail_at_witness, mark.number)
    if tombstones:
        raise damage(min(tombstones), "it is a tombstone, and no event after it says that it was forgotten")


def _require_witness(witness: Head | None, tail: str | None, lines: int) -> None:
    if witness is None:
        if lines:
            raise damage(lines, "the file head.json that witnesses the end of the store is gone")
    elif tail != witness.sha256:
        said = f"{witness.lines} lines were confirmed, and {lines} are there"
        raise damage(min(lines, witness.lines), f"it does not fit the witness head.json: {said}")


def read_witness(lake: Lake) -> Head | None:
    """Return the last witnessed head, None before the store's first opening."""
    path = _witness_path(lake)
    if not path.exists():
        return None
    try:
        head = Head(**json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(head.lines, int) or not isinstance(head.sha256, str):
            raise ValueError
        return head
    except (ValueError, TypeError):
        raise DamagedFile("The witness of the readings is damaged", do="restore reviews/ from a backup") from None


def write_witness(lake: Lake, head: Head) -> None:
    """Write the head beside the store, durably."""
    atomic.write_text(_witness_path(lake), json.dumps(vars(head)) + "\n")


def _witness_path(lake: Lake) -> Path:
    return lake.readings_path.with_name("head.json")
