"""The ledger of uses of the test pool: which model was scored there, when, by whom, and why. It only grows.

Scores of test studies choose neither model nor threshold. Scoring a released ensemble leaves a line that shows figures;
what else needs scores there, as a reading set that is enriched by high ones, leaves a line that shows none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

RELEASE = "release"
"""Purpose of the uses that show figures against labels."""


@dataclass(frozen=True)
class Use:
    """One use. ``name``: the model or the set that it was for; ``studies``: how many test studies there were."""

    at: str
    purpose: str
    name: str
    studies: int
    who: str = ""
    why: str = ""

    @property
    def shows_figures(self) -> bool:
        """Whether figures against labels came of it."""
        return self.purpose == RELEASE


def _parse(record: Mapping[str, object]) -> Use:
    return Use(
        str(record["at"]),
        str(record["purpose"]),
        str(record["name"]),
        int(str(record["studies"])),
        str(record.get("who", "")),
        str(record.get("why", "")),
    )


_FORM = LineForm("use of the test pool", _parse, drops_cut_end=True)


def note_use(lake: Lake, purpose: str, name: str, studies: int, *, who: str = "", why: str = "") -> None:
    """Append that the scores of so many test studies are used, before they are; no figure of theirs is kept here."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"at": at, "purpose": purpose, "name": name, "studies": studies, "who": who, "why": why}
    _file(lake).append([record])


def uses(lake: Lake) -> list[Use]:
    """Return every use so far, in order; raises DamagedFile where a line was changed or is gone."""
    return [use for use in _file(lake) if use is not None]


def _file(lake: Lake) -> LinesFile[Use]:
    return LinesFile(lake.ledger_path.with_name("test_pool.jsonl"), _FORM, _damage)


def _damage(number: int, what: str) -> DamagedFile:
    text = f"The ledger of the test pool is damaged at line {number}: {what}"
    return DamagedFile(text, do="restore it from a backup")
