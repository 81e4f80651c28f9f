"""What the present rules would make of a delivery, before anything is written: the ingest's dry run.

Belongs here: judging again, as the ingest does, the files whose images stand in the lake, and when a refusal takes an
image out for good. Does not belong here: what goes with it (``usecases.retract``). Nothing is written into the lake.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.dicom import settlements
from radia_pipeline.dicom.inventory import escaped
from radia_pipeline.dicom.verdicts import Delivery, verdicts_on
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.policy import reads_pixels
from radia_pipeline.processes import pool
from radia_pipeline.sources.base import Source

_IDENTITY = frozenset({reasons.IDENTITY_IN_HEADER, reasons.IDENTITY_IN_PIXELS})
_OF_THE_MOMENT = frozenset(
    {
        reasons.UNREADABLE,
        reasons.CHANGED_WHILE_READ,
        reasons.DECODER_CRASHED,
        reasons.DECODER_TIMEOUT,
        reasons.TOO_LARGE,
        reasons.UNAUDITED_PIXELS,
        reasons.UNKNOWN_TO_TABLE,
        reasons.UID_CONFLICT,
    }
)
"""Reasons of a machine, a table or a neighbour, which may pass: the row goes, what was made of the picture stays."""


@dataclass(frozen=True)
class DryRun:
    """``standing``: files whose images stand in the lake; ``would_go``: how many of them are refused now, by reason;
    ``patients``: how many people those are of; ``new``: delivered files that the lake does not hold as images;
    ``images``: keyed identifiers of those that would be taken out for good."""

    found: int
    standing: int
    new: int
    would_go: dict[str, int] = field(default_factory=dict)
    patients: int = 0
    images: frozenset[str] = frozenset()


def takes_out(reason: str, *, same_bytes: bool) -> bool:
    """Tell whether a refusal takes out for good an image that stood: because somebody could be recognised, or because
    the rules have changed and not the file."""
    return reason in _IDENTITY or (same_bytes and reason not in _OF_THE_MOMENT)


def rejudge(
    source: Source,
    root: Path,
    lake: Lake,
    *,
    workers: int | None = None,
    ocr: str = "auto",
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> DryRun:
    """Judge the delivered files of a lake's images by today's rules, whole, as an ingest with the same options would.

    Raises what listing the delivery raises, LakeUnwritable where the machine's temporary folder is full.
    """
    known = _standing(lake, source.name)
    settled = settlements.settled(lake, source.name)
    delivery = Delivery(source.name, root, source.facts(root), reads_pixels(source.name, ocr), settled)
    paths = [file.relative_path for file in source.files(root)]
    again = [path for path in paths if escaped(path) in known]
    seen = DryRun(len(paths), len(again), len(paths) - len(again))
    refused: Counter[str] = Counter()
    patients: set[str] = set()
    images: set[str] = set()
    digests = {path: known[escaped(path)]["file_sha256"] for path in again}
    words = {path: digest for path, digest in digests.items() if digest in settled}
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "judged.png"
        count = min(workers or pool.default_workers(), len(again))
        found = verdicts_on(delivery, again, lambda _: staged, hashes=words, workers=count)
        for done, (path, verdict) in enumerate(found, 1):
            if verdict.reason is not None:
                refused[verdict.reason] += 1
                patients.add(known[escaped(path)]["patient_key"])
                is_same = verdict.file_sha256 == digests[path]
                goes = takes_out(verdict.reason, same_bytes=is_same)
                images |= {known[escaped(path)]["image_id"]} if goes else set()
            on_progress(done, len(again))
    return replace(seen, would_go=dict(sorted(refused.items())), patients=len(patients), images=frozenset(images))


def _standing(lake: Lake, source: str) -> dict[str, dict[str, str]]:
    """Return delivered path -> keyed image and patient, and the file's hash, of the images that stand."""
    table = lake.last_sound("images", source, ["delivered_path", "image_id", "patient_key", "file_sha256"])
    return {row["delivered_path"]: row for row in table.to_pylist()} if table is not None else {}
