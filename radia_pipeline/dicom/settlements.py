"""A person's word on refused files: which are clean after all, who says so and why. Append-only.

It holds for the bytes that the person saw: under another name they come in too, changed they are judged anew, and no
later rule takes the word back. Belongs here: what can be settled, and its record. Does not belong here: judging
(``examine``), and bringing a settled file in (``ingest``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from radia_pipeline.dicom.delivered import digest_of
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable, Refusal
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.policy import report_policy_of
from radia_pipeline.privacy.text import breaches

if TYPE_CHECKING:
    from radia_pipeline.dicom.examine import Verdict

VERDICTS: Mapping[str, frozenset[str]] = {"clean": frozenset({reasons.IDENTITY_IN_PIXELS, reasons.UNAUDITED_PIXELS})}
"""What a person may say of a refused file -> the reasons that this settles: print, which a person sees better."""
SETTLEABLE = frozenset().union(*VERDICTS.values())
_FORM = LineForm("settlement", lambda record: (record["source"], record["file_sha256"]))


def settle(lake: Lake, source: str, file: str, *, verdict: str, by: str, reason: str) -> str:
    """Record that a refused file is clean, and return its keyed identifier; the next ingest brings it in.

    ``file``: its identifier in the table ``quarantine``, its path there, or a path on this machine. Raises BadInput
    where it is not refused or for what no person settles, and where ``reason`` names somebody.
    """
    if not by.strip() or not reason.strip():
        raise BadInput("A settlement without a name or a reason", accepted="--by NAME --reason TEXT")
    if breaches(reason, report_policy_of(source)):
        raise BadInput("The reason names a person", accepted="what stands in the picture, without a name or a number")
    row = _refused(lake, source, file)
    if row["reason"] not in VERDICTS[verdict]:
        raise BadInput(
            f"A file refused as {row['reason']} is not settled by a person",
            accepted=", ".join(sorted(VERDICTS[verdict])),
            do="declare values of headers in the policy, or mend the file where it comes from",
        )
    said = {"source": source, "file_sha256": row["file_sha256"], "as": verdict, "refused": row["reason"]}
    told = {"by": by.strip(), "reason": reason.strip(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    with lake.lock(f"ingest.{source}"):
        _lines(lake).append([said | told])
    return row["file_id"]


def settled(lake: Lake, source: str) -> frozenset[str]:
    """Return the hashes of the files of a source that a person has settled; raises DamagedFile for an edited record."""
    return frozenset(digest for name, digest in filter(None, _lines(lake)) if name == source)


def is_settled(verdict: Verdict, hashes: frozenset[str]) -> bool:
    """Tell whether a verdict refuses bytes for what a person has settled."""
    return verdict.reason in SETTLEABLE and verdict.file_sha256 in hashes


def _refused(lake: Lake, source: str, file: str) -> dict:
    """Return a file's row of ``quarantine``."""
    if not lake.exists("quarantine", source):
        raise MissingTable(f"Nothing of {source} was ingested yet", do=f"radia ingest DIR --source {source}")
    rows = lake.read("quarantine", source).to_pylist()
    found = [row for row in rows if file in (row["file_id"], row["delivered_path"])]
    if not found and Path(file).is_file():
        try:
            digest, _ = digest_of(Path(file))
        except (OSError, Refusal):
            digest = None
        found = [row for row in rows if row["file_sha256"] == digest]
    if not found:
        raise BadInput(
            "No refused file is meant by that",
            accepted="a file_id or a delivered_path of the table quarantine, or a path on this machine",
            do=f"look into it: radia show quarantine --source {source}",
        )
    return found[0]


def _lines(lake: Lake) -> LinesFile[tuple[str, str]]:
    return LinesFile(lake.root / "_ingest" / "settlements.jsonl", _FORM, _damaged)


def _damaged(number: int, fault: str) -> DamagedFile:
    return DamagedFile(
        f"Line {number} of the record of settlements is not as it was written: {fault}",
        do="put _ingest/settlements.jsonl of the lake back from a backup",
    )
