"""What the present rules would make of a delivery, before anything is written: the ingest's dry run.

Belongs here: judging again, by header and codestream, the files that stand in the lake. Does not belong here: decoding,
print in pixels and tables (``ingest``). Nothing is written, and nothing of a file leaves but counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.dicom.ingest import escaped
from radia_pipeline.errors import Refusal
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline.sources.base import Source


@dataclass(frozen=True)
class DryRun:
    """``standing``: files whose images stand in the lake; ``would_go``: how many of them the rules refuse, by reason;
    ``patients``: how many people those are of; ``new``: delivered files that the lake does not hold as images."""

    found: int
    standing: int
    new: int
    would_go: dict[str, int] = field(default_factory=dict)
    patients: int = 0


def rejudge(source: Source, root: Path, lake: Lake) -> DryRun:
    """Judge the delivered files of a lake's images by today's rules; raises what listing the delivery raises."""
    known = _standing(lake, source.name)
    facts, policy = source.facts(root), policy_of(source.name)
    intake = Intake(policy, takes_rasters=facts is not None, is_listed=facts is not None)
    found, refused, patients = 0, Counter(), set()
    standing = 0
    for delivered in source.files(root):
        found += 1
        patient = known.get(escaped(delivered.relative_path))
        if patient is None:
            continue
        standing += 1
        reason = _reason(root / delivered.relative_path, intake)
        if reason is not None:
            refused[reason] += 1
            patients.add(patient)
    return DryRun(found, standing, found - standing, dict(sorted(refused.items())), len(patients))


def _standing(lake: Lake, source: str) -> dict[str, str]:
    """Return delivered path -> keyed patient of the images that stand."""
    if not lake.exists("images", source):
        return {}
    table = lake.read("images", source, columns=["delivered_path", "patient_key"])
    return dict(zip(table["delivered_path"].to_pylist(), table["patient_key"].to_pylist(), strict=True))


def _reason(path: Path, intake: Intake) -> str | None:
    try:
        data = path.read_bytes()
    except OSError:
        return reasons.UNREADABLE
    try:
        admit(data, intake)
    except Refusal as refusal:
        return refusal.reason
    return None
