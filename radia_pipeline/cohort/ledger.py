"""The append-only ledger of pools: where each patient was placed, once and for ever; ``placement`` says by which rule.

The first line holds the policy; each further line one placement. A patient has one, or a second one with the reason
``held``, which says that the patient moved into a publisher's held split. How lines are written, chained and proved
is in ``lake.lines``. Only appended to, and on disk before ``splits`` appears.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from radia_pipeline.cohort.placement import HELD, Placement, SplitPolicy
from radia_pipeline.errors import LedgerDamaged
from radia_pipeline.lake import atomic, renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.lake.publishing import standing

LEDGER_FORMAT = 1


@dataclass(frozen=True)
class Ledger:
    """What the ledger holds. ``policy``: as fixed at the first placement, None if new."""

    placements: Mapping[str, Placement]
    policy: Mapping[str, object] | None


def _damaged(lake: Lake, number: int, what: str) -> LedgerDamaged:
    good = f"its first {number - 1} lines are sound" if number > 1 else "none of its lines can be trusted"
    splits = standing(lake.place("splits"))
    version = f"; splits version {splits} holds every pool that was published" if splits else ""
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
    if not lake.ledger_path.exists() and lake.exists("splits"):
        raise _damaged(lake, 1, "the file is gone although pools have been published")
    return _gathered(_file(lake))


def append(lake: Lake, ledger: Ledger, placements: Iterable[Placement], policy: Mapping[str, object]) -> int:
    """Append placements durably and return how many; the caller holds the ledger's lock since it read ``ledger``."""
    records = [vars(placement) for placement in placements]
    header = [] if ledger.policy is not None else [{"ledger": LEDGER_FORMAT, "policy": dict(policy)}]
    _file(lake).append([*header, *records])
    return len(records)


def restore(lake: Lake) -> int:
    """Rebuild a damaged ledger from its sound first lines and the published ``splits``; return the patients it holds.

    The damaged file is kept beside it. Raises LedgerDamaged where the two disagree about a patient.
    """
    with lake.lock("ledger"):
        path = lake.ledger_path
        found = _gathered(_file(lake).sound())
        placements = dict(found.placements)
        published = lake.last_sound("splits", columns=["source", "patient_key", "pool", "fold", "reason"])
        if published is not None:
            for row in published.to_pylist():
                known = placements.setdefault(row["patient_key"], Placement(**row))
                if row["reason"] == HELD:
                    placements[row["patient_key"]] = Placement(**row)
                elif known.pool != row["pool"] and known.reason != HELD:
                    raise LedgerDamaged(
                        "The ledger's sound lines and the published pools disagree about a patient",
                        do="restore both from a backup",
                    )
        if path.exists():
            kept_as = path.with_suffix(f".damaged-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.jsonl")
            atomic.move_files([(path, kept_as)])
        append(lake, Ledger({}, None), placements.values(), found.policy or asdict(SplitPolicy()))
        return len(placements)


def _parse(record: dict) -> Placement | dict:
    """Return a line's placement, or the policy from the first line."""
    return record["policy"] if "policy" in record else Placement(**record)


_FORM = LineForm("ledger line", _parse)


def _file(lake: Lake) -> LinesFile[Placement | dict]:
    return LinesFile(lake.ledger_path, renamed.following(lake.root, _FORM), partial(_damaged, lake))


def _gathered(lines: Iterable[Placement | dict | None]) -> Ledger:
    placements: dict[str, Placement] = {}
    policy = None
    for line in lines:
        if isinstance(line, Placement):
            placements[line.patient_key] = line
        elif line is not None:
            policy = line
    return Ledger(placements, policy)
