"""Who answered an alarm, and who froze the reference anew, when and why: an append-only file of the lake.

An acknowledged stream starts over: sums and evidence count later windows only, so that what goes on comes back.
Not here: what a report says (``report``), what it demands (``actions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

ACKNOWLEDGED, FROZEN = "acknowledged", "reference frozen"
EVERY = "*"
"""Stands for every stream of a source."""


@dataclass(frozen=True)
class Act:
    """One line. ``day``: of the report that was answered, or on which the new reference ends. ``at``: else now."""

    kind: str
    by: str
    reason: str
    day: str
    source: str
    stream: str = EVERY
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def answers(self, source: str, stream: str) -> bool:
        """Tell whether it is about a stream."""
        return self.source == source and self.stream in (EVERY, stream)


def acts(lake: Lake) -> tuple[Act, ...]:
    """Return every act so far, in order; raises DamagedFile where a line was changed or is gone."""
    return tuple(act for act in _file(lake) if act is not None)


def note(lake: Lake, act: Act) -> Act:
    """Append an act durably, its texts without blanks around them; raises BadInput without a name or a reason."""
    act = replace(act, by=act.by.strip(), reason=act.reason.strip())
    if not act.by or not act.reason:
        raise BadInput("An alarm is answered with a name and a reason", accepted="--by WHO and --reason WHY")
    _file(lake).append([asdict(act)])
    return act


def _parse(record: Mapping[str, object]) -> Act:
    if record["kind"] not in (ACKNOWLEDGED, FROZEN):
        raise ValueError(record["kind"])
    return Act(**{name: str(record[name]) for name in Act.__dataclass_fields__})


_FORM = LineForm("answer to a drift report", _parse, drops_cut_end=True)


def _file(lake: Lake) -> LinesFile[Act]:
    return LinesFile(lake.ledger_path.with_name("drift.jsonl"), _FORM, _damage)


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"The answers to drift reports are damaged at line {number}: {what}",
        do="restore ledger/drift.jsonl of the lake from a backup",
    )
