"""A delivery -> ``images``, ``quarantine``, ``duplicates``: looks at what is new or changed, then publishes the whole.

found = ingested + quarantined + duplicates, always, and about the delivery as it is, not about this run. Decoding
happens in worker processes (``work``, ``examine``); this module orders the work and writes tables.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import cast

from radia_pipeline.dicom import arrivals, publish, settlements
from radia_pipeline.dicom.examine import Verdict
from radia_pipeline.dicom.inventory import Chosen, Inventory, Stamp, escaped
from radia_pipeline.dicom.journal import FILE, Entry, Journal, journal_path
from radia_pipeline.dicom.judgement import STORED_SIDE_PX
from radia_pipeline.dicom.rules_version import RULES_VERSION
from radia_pipeline.dicom.verdicts import Delivery, verdicts_on
from radia_pipeline.errors import NoLayout, RunFailed
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.policy import policy_of, reads_pixels
from radia_pipeline.processes import pool
from radia_pipeline.processes.progress import say
from radia_pipeline.processes.where import HERE, Where, where_of
from radia_pipeline.sources.base import ImageFacts, Source

_COMMIT_FILES, _COMMIT_S = 256, 5.0
"""A killed run repeats at most what came since the last commit."""


@dataclass(frozen=True)
class IngestResult:
    """Counts of the delivery as it is.

    ``gone``: files that an earlier run saw. ``examined``: files that this run looked at. ``withdrawn``: what went with
    images that stood and are refused now, where something did.
    """

    found: int
    ingested: int
    quarantined: int
    duplicates: int
    reasons: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    warnings: list[str] = field(default_factory=list)
    examined: int = 0
    seconds: float = 0.0
    withdrawn: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    """What one run needs to know throughout."""

    delivery: Delivery
    lake: Lake
    keys: Pseudonymizer
    where: Where = HERE

    @property
    def rules(self) -> str:
        """Fingerprint of everything that a verdict depends on beside the file."""
        delivery = self.delivery
        parts = (
            RULES_VERSION,
            policy_of(delivery.source).fingerprint,
            delivery.max_side_px,
            delivery.reads_text,
            delivery.facts is not None,
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def staged(self, path: str) -> Path:
        """Return where a file's picture is staged until it is published."""
        source = self.delivery.source
        return publish.staged_path(self.lake, source, self.keys.file_id(source, escaped(path)))


def ingest_images(
    source: Source,
    root: Path,
    lake: Lake,
    keys: Pseudonymizer,
    *,
    workers: int | None = None,
    pool_address: str | None = None,
    tell: Callable[[str], None] = say,
    max_side_px: int = STORED_SIDE_PX,
    ocr: str = "auto",
    visit: str | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
    limits: Limits = DEFAULT_LIMITS,
) -> IngestResult:
    """Bring a delivery into the lake and publish ``images``, ``quarantine`` and ``duplicates`` of its source.

    ``ocr``: one of the policies' ``OCR_MODES``. ``pool_address``: where files are looked at (``where.where_of``), None
    as the lake's settings say; ``tell`` hears of its nodes. Only files that are new, changed, or judged by other rules
    are looked at; ``on_progress(done, total)`` counts those. ``visit``: names the run (``arrivals.note``).

    Raises NoLayout (unreadable folder), RunFailed (a delivery that has vanished as a whole), LakeUnwritable,
    LakeLocked; published tables stay as they are.
    """
    started = time.monotonic()
    root = Path(root)
    reads_text = reads_pixels(source.name, ocr)
    with lake.lock(f"ingest.{source.name}"), Journal(journal_path(lake, source.name)) as journal:
        settled = settlements.settled(lake, source.name)
        inventory = Inventory(journal, _listed(source, root))
        delivery = Delivery(source.name, root, source.facts(root), reads_text, settled, max_side_px, limits)
        plan = _Plan(delivery, lake, keys, where_of(lake, pool_address, reads=[root], tell=tell))
        known, found = len(journal), len(inventory)
        if known and not found:
            raise RunFailed(
                f"The delivery of {source.name} holds no file any more, though earlier runs saw {known}",
                do="check that its folder is mounted; to start over, use a new lake",
            )
        gone = inventory.gone()
        arrivals.note(
            journal,
            FILE,
            inventory.paths(),
            standing=lambda: chain(journal.paths(), publish.published_paths(source.name, lake)),
            visit=visit,
        )
        waiting = {path for path, (_, is_in) in journal.paths_of(settled).items() if not is_in}
        inventory.choose(
            path for path, stamp in inventory.stamped() if escaped(path) in waiting or _needs_work(plan, path, stamp)
        )
        count = _examine(plan, journal, inventory.chosen, workers or pool.default_workers(), on_progress)
        outcome = publish.publish(source.name, lake, journal, keys, inventory)
        if outcome.missing_pictures:
            count += _examine(plan, journal, inventory.chosen, 1, lambda *_: None)
            outcome = publish.publish(source.name, lake, journal, keys, inventory)
    warnings = _warnings(plan, outcome.reasons)
    return IngestResult(
        found=found,
        ingested=outcome.ingested,
        quarantined=sum(outcome.reasons.values()),
        duplicates=outcome.duplicates,
        reasons=dict(sorted(outcome.reasons.items())),
        gone=gone,
        warnings=warnings,
        examined=count,
        seconds=round(time.monotonic() - started, 3),
    )


def _listed(source: Source, root: Path) -> Iterator[str]:
    if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
        raise NoLayout(f"The folder {root} cannot be read", accepted="a readable folder with the delivery")
    return (file.relative_path for file in source.files(root))


def _needs_work(plan: _Plan, path: str, stamp: Stamp) -> bool:
    if stamp.rules is None or stamp.rules != _rules_of(plan, path):
        return True
    with contextlib.suppress(OSError):
        status = (plan.delivery.root / path).stat()
        return (status.st_size, status.st_mtime_ns) != (stamp.size_bytes, stamp.mtime_ns)
    # A file that cannot be asked for its size was unreadable before, or is now: look again.
    return True


def _rules_of(plan: _Plan, path: str) -> str:
    """Include what the source's table says of the file, so that a corrected table is followed."""
    if plan.delivery.facts is None:
        return plan.rules
    said = repr(plan.delivery.facts.get(path)).encode()
    return f"{plan.rules}.{hashlib.sha256(said).hexdigest()[:8]}"


def _examine(
    plan: _Plan, journal: Journal, chosen: Chosen, workers: int, on_progress: Callable[[int, int], None]
) -> int:
    """Examine files in worker processes and write their lines; returns how many were looked at."""
    hashes, count = journal.paths_of(plan.delivery.settled), len(chosen)
    words = {path: hashes[escaped(path)][0] for path in chosen if escaped(path) in hashes} if hashes else {}
    batch, last = list[Entry](), time.monotonic()
    workers = min(workers, count)
    found = verdicts_on(plan.delivery, chosen, plan.staged, hashes=words, workers=workers, where=plan.where)
    with contextlib.closing(found):
        for done, (path, verdict) in enumerate(found, 1):
            batch.append(_entry(plan, path, verdict))
            if len(batch) >= _COMMIT_FILES or time.monotonic() - last > _COMMIT_S:
                journal.record(batch)
                batch, last = [], time.monotonic()
            on_progress(done, count)
    journal.record(batch)
    return count


def _entry(plan: _Plan, path: str, verdict: Verdict) -> Entry:
    stamp = (escaped(path), verdict.size_bytes, verdict.mtime_ns, _rules_of(plan, path), verdict.file_sha256)
    if verdict.reason is not None:
        return Entry(*stamp, reason=verdict.reason, detail=verdict.detail)
    source, keys, facts = plan.delivery.source, plan.keys, plan.delivery.facts
    if facts is not None:
        said = facts[path]
        native = (said.native_image_id, said.native_study_id, said.native_patient_id)
        row = verdict.row | _told_by_table(said)
    else:
        native, row = cast(tuple[str, str, str], verdict.native_ids), verdict.row  # work.py refuses one without
    return Entry(
        *stamp,
        image_id=keys.image_id(source, native[0]),
        study_id=keys.study_id(source, native[1]),
        patient_key=keys.patient_key(source, native[2]),
        pixel_sha256=row["pixel_sha256"],
        columns=row,
    )


def _told_by_table(said: ImageFacts) -> dict:
    """Return the columns that the source's table knows better than the file."""
    spacing = said.pixel_spacing_mm or (None, None)
    told = {
        "patient_age_years": said.age_years,
        "patient_sex": said.sex,
        "study_date": said.study_date,
        "pixel_spacing_row_mm": spacing[0],
        "pixel_spacing_col_mm": spacing[1],
    }
    return {name: value for name, value in told.items() if value is not None}


def _warnings(plan: _Plan, counted: Counter) -> list[str]:
    warnings = []
    if policy_of(plan.delivery.source).reads_burned_in_text and not plan.delivery.reads_text:
        warnings.append("OCR is off: burned-in text was not looked for, though the source's policy demands it")
    if counted.get(reasons.CHANGED_WHILE_READ):
        warnings.append("files changed while they were read: run again when the delivery is complete")
    return warnings
