"""The append-only ledger of pools: where each patient was placed, once and for ever. Placing itself is in ``splits``.

A JSON-lines file. The first line holds the policy; each further line one placement. Every line carries a checksum
chained to the line before, so that an edited, lost or moved line is named. Only appended to, and fsynced before
``splits`` appears.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from radia_pipeline.errors import LedgerDamaged
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

LEDGER_FORMAT = 1
_CHECKSUM_CHARACTERS = 16
_START = "0" * _CHECKSUM_CHARACTERS


@dataclass(frozen=True)
class Placement:
    """One patient's pool and fold (None outside train), and why: hash, group or official."""

    source: str
    patient_key: str
    pool: str
    fold: int | None
    reason: str


@dataclass(frozen=True)
class Ledger:
    """What the ledger holds. ``tail``: the last line's checksum; ``policy``: as fixed at the first placement, None if
    new.
    """

    placements: Mapping[str, Placement]
    policy: Mapping[str, object] | None
    tail: str


def _checksum(previous: str, body: str) -> str:
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()[:_CHECKSUM_CHARACTERS]


def _body(record: Mapping[str, object]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def _line(previous: str, body: str) -> tuple[str, str]:
    """Return a line without its end, and its checksum."""
    checksum = _checksum(previous, body)
    return f'{body[:-1]},"~":"{checksum}"}}', checksum


def _damaged(lake: Lake, number: int, what: str) -> LedgerDamaged:
    good = f"its first {number - 1} lines are sound" if number > 1 else "none of its lines can be trusted"
    version = (
        f"; splits version {lake.version('splits')} holds every pool that was published"
        if lake.exists("splits")
        else ""
    )
    return LedgerDamaged(
        f"The pool ledger is damaged at line {number}: {what}",
        accepted="the file as it was written, whole and in order",
        do=f"restore it from a backup, or rebuild it from the last good version ({good}{version}) with "
        "`radia ledger restore`; patients must not be placed anew",
    )


def read_ledger(lake: Lake) -> Ledger:
    """Read and verify the whole ledger; a lake without one has an empty ledger.

    Raises LedgerDamaged naming the line, also where the file vanished although pools have been published.
    """
    path = lake.ledger_path
    if not path.exists():
        if lake.exists("splits"):
            raise _damaged(lake, 1, "the file is gone although pools have been published")
        return Ledger({}, None, _START)
    placements, policy, tail, fault = _parse(path)
    if fault:
        raise _damaged(lake, *fault)
    return Ledger(placements, policy, tail)


def _parse(path: Path) -> tuple[dict[str, Placement], dict | None, str, tuple[int, str] | None]:
    """Return what stands before the first fault, and the fault as (line, what)."""
    placements: dict[str, Placement] = {}
    policy, tail = None, _START
    lines = path.read_bytes().split(b"\n")
    for number, raw in enumerate(lines, start=1):
        if number == len(lines):
            return placements, policy, tail, (number, "the line is cut short") if raw else None
        try:
            line = raw.decode("utf-8")
            body, _, checksum = line.rpartition(',"~":"')
            if not body or checksum != f'{_checksum(tail, body + "}")}"}}':
                return placements, policy, tail, (number, "its checksum does not fit")
            record = json.loads(body + "}")
            if number == 1:
                policy = record["policy"]
            else:
                placements[record["patient_key"]] = Placement(**record)
        except (UnicodeDecodeError, ValueError, KeyError, TypeError):
            return placements, policy, tail, (number, "it is no ledger line")
        tail = checksum[:-2]
    return placements, policy, tail, None


def append(lake: Lake, ledger: Ledger, placements: Iterable[Placement], policy: Mapping[str, object]) -> int:
    """Append placements durably (fsync of file and folder) and return how many; the caller holds the ledger's lock."""
    lines: list[str] = []
    tail = ledger.tail
    if ledger.policy is None:
        line, tail = _line(tail, _body({"ledger": LEDGER_FORMAT, "policy": dict(policy)}))
        lines.append(line)
    count = 0
    for placement in placements:
        line, tail = _line(tail, _body(vars(placement)))
        lines.append(line)
        count += 1
    if not lines:
        return 0
    path = lake.ledger_path
    with atomic.writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _append_durably(path, "".join(f"{line}\n" for line in lines).encode("utf-8"))
    return count


def _append_durably(path: Path, content: bytes) -> None:
    """Append or, where the disk refuses midway, leave the file as it was."""
    before = path.stat().st_size if path.exists() else 0
    with path.open("ab") as handle:
        try:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        except OSError:
            handle.truncate(before)
            raise
    atomic.sync_folder(path.parent)


def restore(lake: Lake) -> int:
    """Rebuild a damaged ledger from its sound first lines and the published ``splits``; return the patients it holds.

    The damaged file is kept beside it. Raises LedgerDamaged where the two disagree about a patient.
    """
    with lake.lock("ledger"):
        path = lake.ledger_path
        placements, policy, _, _ = _parse(path) if path.exists() else ({}, None, _START, None)
        if lake.exists("splits"):
            columns = ["source", "patient_key", "pool", "fold", "reason"]
            for row in lake.read("splits", columns=columns).to_pylist():
                known = placements.setdefault(row["patient_key"], Placement(**row))
                if known.pool != row["pool"]:
                    raise LedgerDamaged(
                        "The ledger's sound lines and the published pools disagree about a patient",
                        do="restore both from a backup",
                    )
        if path.exists():
            path.rename(path.with_suffix(f".damaged-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.jsonl"))
        from radia_pipeline.cohort.splits import SplitPolicy

        append(lake, Ledger({}, None, _START), placements.values(), policy or asdict(SplitPolicy()))
        return len(placements)
