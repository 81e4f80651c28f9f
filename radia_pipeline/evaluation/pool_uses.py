"""The ledger of uses of the test pool: who looked at its scores, for what, without any figure.

Scores of test studies choose neither model nor threshold. What needs them for something else, as a reading set that is
enriched by high scores, leaves a line here.
"""

from __future__ import annotations

from datetime import UTC, datetime

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

_FORM = LineForm("use of the test pool", dict, drops_cut_end=True)


def note_use(lake: Lake, purpose: str, name: str, studies: int) -> None:
    """Append that the scores of so many test studies were used; no figure of theirs is shown or kept."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    path = lake.ledger_path.with_name("test_pool.jsonl")
    LinesFile(path, _FORM, _damage).append([{"at": at, "purpose": purpose, "name": name, "studies": studies}])


def _damage(number: int, what: str) -> DamagedFile:
    text = f"The ledger of the test pool is damaged at line {number}: {what}"
    return DamagedFile(text, do="restore it from a backup")
