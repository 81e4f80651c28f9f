"""Delivered reports -> the table ``reports``: one row per study, identifiers keyed, nobody named.

Belongs here: joining several texts of one study, refusing or redacting texts that name a person, counting what does not
fit. Does not belong here: reading the text, and the rules of the gate (``privacy``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radia_pipeline.contracts.tables import empty
from radia_pipeline.dicom import arrivals
from radia_pipeline.dicom.journal import REPORT, Journal, journal_path
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy.policy import report_policy_of
from radia_pipeline.privacy.text import Passed, passed
from radia_pipeline.sources.base import Source

JOINT = "\n\n"
"""Texts of one study are joined by a blank line: a new paragraph, so no sentence runs from one to the other."""


@dataclass(frozen=True)
class ReportsResult:
    """Counts for metadata. ``found``: delivered texts; ``joined``: studies with several; ``patient_mismatches``:
    studies whose texts name different patients (the first stands); ``repeated``: same text again; ``empty``: blank;
    ``refused``: studies whose text names a person and stays outside; ``refused_by_rule``: such studies by rule;
    ``redacted``: studies with kinds in the place of what the site has replaced; ``replaced_by_rule``: how often."""

    found: int
    studies: int
    joined: int
    repeated: int
    empty: int
    patient_mismatches: int
    version: str
    changed: bool
    problems: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    refused_by_rule: Mapping[str, int] = field(default_factory=dict)
    redacted: int = 0
    replaced_by_rule: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Texts:
    """Delivered texts by native study id, in the order in which they came; one that came twice counts once."""

    parts: dict[str, list[str]] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    mismatched: set[str] = field(default_factory=set)
    repeated: int = 0
    blank: int = 0

    def add(self, study: str, patient: str, text: str) -> None:
        """Take one text; the first patient of a study stands."""
        self.blank += not text.strip()
        if self.patients.setdefault(study, patient) != patient:
            self.mismatched.add(study)
        known = self.parts.setdefault(study, [])
        if text in known:
            self.repeated += 1
        else:
            known.append(text)


def ingest_reports(
    source: Source, root: Path | None, lake: Lake, keys: Pseudonymizer, *, visit: str | None = None
) -> ReportsResult:
    """Write ``reports`` for one source; a source without reports publishes an empty table.

    ``visit``: as ``arrivals.note`` has it.
    """
    delivered = source.reports(Path(root)) if root is not None else None
    if delivered is None:
        _note_arrivals(source.name, lake, [], visit)
        written = lake.write("reports", empty("reports"), source.name)
        return ReportsResult(0, 0, 0, 0, 0, 0, written.version, written.changed)
    texts = _Texts()
    columns = (delivered.table.column(n).to_pylist() for n in ("native_study_id", "native_patient_id", "text"))
    for study, patient, text in zip(*columns, strict=True):
        texts.add(study, patient, text or "")
    policy, counted = report_policy_of(source.name), _Judged()
    rows = [
        _row(source.name, study, texts.patients[study], parts, keys, counted.add(passed(_joined(parts), policy)))
        for study, parts in texts.parts.items()
    ]
    _note_arrivals(source.name, lake, [row["study_id"] for row in rows], visit)
    written = lake.write("reports", rows or empty("reports"), source.name)
    return ReportsResult(
        found=len(delivered.table),
        studies=len(rows),
        joined=sum(len(parts) > 1 for parts in texts.parts.values()),
        repeated=texts.repeated,
        empty=texts.blank,
        patient_mismatches=len(texts.mismatched),
        version=written.version,
        changed=written.changed,
        problems=dict(delivered.problems),
        refused=counted.refused,
        refused_by_rule=dict(sorted(counted.refused_by_rule.items())),
        redacted=counted.redacted,
        replaced_by_rule=dict(sorted(counted.replaced_by_rule.items())),
    )


def _note_arrivals(source: str, lake: Lake, studies: list[str], visit: str | None) -> None:
    """Write down which studies' reports arrived, before the table names them."""

    def standing() -> list[str]:
        known = lake.last_sound("reports", source, ["study_id"])
        return known["study_id"].to_pylist() if known is not None else []

    with Journal(journal_path(lake, source)) as journal:
        arrivals.note(journal, REPORT, studies, standing=standing, visit=visit)


@dataclass
class _Judged:
    """What the gate made of the texts of studies; one that names a person keeps all of its study outside."""

    refused: int = 0
    redacted: int = 0
    refused_by_rule: Counter[str] = field(default_factory=Counter)
    replaced_by_rule: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Passed) -> Passed:
        """Count one study."""
        self.refused += bool(judged.breaches)
        self.redacted += bool(judged.replaced)
        self.refused_by_rule.update({breach.rule for breach in judged.breaches})
        self.replaced_by_rule.update(judged.replaced)
        return judged


def _joined(parts: list[str]) -> str:
    return JOINT.join(part for part in parts if part.strip()) if len(parts) > 1 else parts[0]


def _row(source: str, study: str, patient: str, parts: list[str], keys: Pseudonymizer, judged: Passed) -> dict:
    return {
        "source": source,
        "study_id": keys.study_id(source, study),
        "patient_key": keys.patient_key(source, patient),
        "report_text": judged.text,
        "text_sha256": hashlib.sha256(judged.text.encode("utf-8", "surrogatepass")).hexdigest(),
        "text_count": len(parts),
        "refusal": "; ".join(map(str, judged.breaches)) or None,
    }
