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
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.dicom import examine as examination
from radia_pipeline.dicom import publish, settlements, work
from radia_pipeline.dicom.delivered import digest_of
from radia_pipeline.dicom.examine import Task, Verdict
from radia_pipeline.dicom.journal import Entry, Journal
from radia_pipeline.dicom.rules_version import RULES_VERSION
from radia_pipeline.errors import LakeUnwritable, NoLayout, Refusal, RunFailed
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.policy import policy_of, reads_pixels
from radia_pipeline.processes import pool
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

    source: Source
    root: Path
    lake: Lake
    keys: Pseudonymizer
    facts: dict[str, ImageFacts] | None
    max_side_px: int
    reads_text: bool
    limits: Limits
    settled: frozenset[str] = frozenset()

    @property
    def rules(self) -> str:
        """Fingerprint of everything that a verdict depends on beside the file."""
        parts = (
            RULES_VERSION, policy_of(self.source.name).fingerprint, self.max_side_px, self.reads_text,
            self.facts is not None,
        )  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def ingest_images(
    source: Source,
    root: Path,
    lake: Lake,
    keys: Pseudonymizer,
    *,
    workers: int | None = None,
    max_side_px: int = 1024,
    ocr: str = "auto",
    on_progress: Callable[[int, int], None] = lambda *_: None,
    limits: Limits = DEFAULT_LIMITS,
) -> IngestResult:
    """Bring a delivery into the lake and publish ``images``, ``quarantine`` and ``duplicates`` of its source.

    ``ocr``: one of the policies' ``OCR_MODES``. Only files that are new, changed, or judged by other rules are looked
    at; ``on_progress(done, total)`` counts those. Raises NoLayout (unreadable folder), RunFailed (a
    delivery that has vanished as a whole), LakeUnwritable, LakeLocked; published tables stay as they are.
    """
    started = time.monotonic()
    root = Path(root)
    reads_text = reads_pixels(source.name, ocr)
    with lake.lock(f"ingest.{source.name}"), Journal(journal_path(lake, source.name)) as journal:
        paths = _listed(source, root)
        settled = settlements.settled(lake, source.name)
        plan = _Plan(source, root, lake, keys, source.facts(root), max_side_px, reads_text, limits, settled)
        known = {path: stamp for path, *stamp in journal.stamps()}
        if known and not paths:
            raise RunFailed(
                f"The delivery of {source.name} holds no file any more, though earlier runs saw {len(known)}",
                do="check that its folder is mounted; to start over, use a new lake",
            )
        waiting = {path for path, (_, is_in) in journal.paths_of(settled).items() if not is_in}
        todo = [path for path in paths if escaped(path) in waiting or _needs_work(plan, path, known.get(escaped(path)))]
        count = _examine(plan, journal, todo, workers or pool.default_workers(), on_progress)
        outcome = publish.publish(source.name, lake, journal, keys, [escaped(path) for path in paths])
        if outcome.missing_pictures:
            again = set(outcome.missing_pictures)
            count += _examine(plan, journal, [path for path in paths if escaped(path) in again], 1, lambda *_: None)
            outcome = publish.publish(source.name, lake, journal, keys, [escaped(path) for path in paths])
    warnings = _warnings(plan, outcome.reasons)
    return IngestResult(
        found=len(paths), ingested=outcome.ingested, quarantined=sum(outcome.reasons.values()),
        duplicates=outcome.duplicates, reasons=dict(sorted(outcome.reasons.items())),
        gone=len(known.keys() - {escaped(path) for path in paths}), warnings=warnings, examined=count,
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def journal_path(lake: Lake, source_name: str) -> Path:
    """Return where the journal of a source lies."""
    return lake.root / "_ingest" / f"{source_name}.sqlite"


def escaped(path: str) -> str:
    """Return a path as text that every table can hold: undecodable bytes become escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _listed(source: Source, root: Path) -> list[str]:
    if not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
        raise NoLayout(f"The folder {root} cannot be read", accepted="a readable folder with the delivery")
    return [file.relative_path for file in source.files(root)]


def _needs_work(plan: _Plan, path: str, stamp: list | None) -> bool:
    if stamp is None:
        return True
    size, mtime_ns, rules, _ = stamp
    if rules != _rules_of(plan, path):
        return True
    with contextlib.suppress(OSError):
        status = (plan.root / path).stat()
        return (status.st_size, status.st_mtime_ns) != (size, mtime_ns)
    # A file that cannot be asked for its size was unreadable before, or is now: look again.
    return True


def _rules_of(plan: _Plan, path: str) -> str:
    """Include what the source's table says of the file, so that a corrected table is followed."""
    if plan.facts is None:
        return plan.rules
    said = repr(plan.facts.get(path)).encode()
    return f"{plan.rules}.{hashlib.sha256(said).hexdigest()[:8]}"


def _examine(
    plan: _Plan, journal: Journal, todo: list[str], workers: int, on_progress: Callable[[int, int], None]
) -> int:
    """Examine files in worker processes and write their lines; returns how many were looked at."""
    unknown = [path for path in todo if plan.facts is not None and path not in plan.facts]
    journal.record(_unknown_entries(plan, unknown))
    known = [path for path in todo if plan.facts is None or path in plan.facts]
    if not known:
        return len(unknown)
    hashes = journal.paths_of(plan.settled)
    tasks = (_task(plan, path, *hashes.get(escaped(path), ())[:1]) for path in known)
    answers = work.judged(tasks, workers=min(workers, len(known)), limits=plan.limits, reads_text=plan.reads_text)
    batch, last, unasked = [], time.monotonic(), []
    with contextlib.closing(answers):
        for done, (number, answer) in enumerate(answers, 1):
            if escaped(known[number]) not in hashes and settlements.is_settled(answer, plan.settled):
                unasked.append(known[number])
            batch.append(_entry(plan, known[number], answer))
            if len(batch) >= _COMMIT_FILES or time.monotonic() - last > _COMMIT_S:
                journal.record(batch)
                batch, last = [], time.monotonic()
            on_progress(done, len(known))
    journal.record(batch)
    if unasked:  # bytes that a person has settled, under a name that the journal did not know
        _examine(plan, journal, unasked, workers, lambda *_: None)
    return len(todo)


def _task(plan: _Plan, path: str, settled: str | None = None) -> Task:
    said = plan.facts.get(path) if plan.facts is not None else None
    return Task(
        path=str(plan.root / path), staged=str(publish.staged_path(plan.lake, plan.source.name, _file_id(plan, path))),
        source=plan.source.name, max_side_px=plan.max_side_px, reads_text=plan.reads_text, has_facts=said is not None,
        table_view=said.view if said is not None else None, settled=settled, limits=plan.limits,
    )  # fmt: skip


def _file_id(plan: _Plan, path: str) -> str:
    return plan.keys.file_id(plan.source.name, escaped(path))


def _unknown_entries(plan: _Plan, paths: list[str]) -> Iterator[Entry]:
    """Files that the source's own table does not name: nobody could say whose they are."""
    for path in paths:
        try:
            digest, status = digest_of(plan.root / path)
            size, mtime_ns = status.st_size, status.st_mtime_ns
        except (OSError, Refusal):
            digest, size, mtime_ns = examination.NO_HASH, 0, 0
        yield Entry(escaped(path), size, mtime_ns, _rules_of(plan, path), digest, reason=reasons.UNKNOWN_TO_TABLE)


def _entry(plan: _Plan, path: str, answer: Verdict | LakeUnwritable | pool.Lost) -> Entry:
    rules, name = _rules_of(plan, path), escaped(path)
    if isinstance(answer, LakeUnwritable):
        raise answer
    if not isinstance(answer, Verdict):
        return _lost(plan, path, rules, answer)
    stamp = (name, answer.size_bytes, answer.mtime_ns, rules, answer.file_sha256)
    if answer.reason is not None:
        return Entry(*stamp, reason=answer.reason, detail=answer.detail)
    source, keys = plan.source.name, plan.keys
    if plan.facts is not None:
        said = plan.facts[path]
        native = (said.native_image_id, said.native_study_id, said.native_patient_id)
        row = answer.row | _told_by_table(said)
    else:
        native, row = answer.native_ids, answer.row
    return Entry(
        *stamp, image_id=keys.image_id(source, native[0]), study_id=keys.study_id(source, native[1]),
        patient_key=keys.patient_key(source, native[2]), pixel_sha256=row["pixel_sha256"],
        row=json.dumps(row, sort_keys=True),
    )  # fmt: skip


def _lost(plan: _Plan, path: str, rules: str, lost: pool.Lost) -> Entry:
    (entry,) = _unknown_entries(plan, [path])
    reason = reasons.DECODER_TIMEOUT if lost.how == pool.TIMED_OUT else reasons.DECODER_CRASHED
    detail = None if lost.how in (pool.TIMED_OUT, pool.CRASHED) else lost.how
    return replace(entry, rules=rules, reason=reason, detail=detail)


def _told_by_table(said: ImageFacts) -> dict:
    """Return the columns that the source's table knows better than the file."""
    spacing = said.pixel_spacing_mm or (None, None)
    told = {
        "patient_age_years": said.age_years, "patient_sex": said.sex, "study_date": said.study_date,
        "pixel_spacing_row_mm": spacing[0], "pixel_spacing_col_mm": spacing[1],
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _warnings(plan: _Plan, counted: Counter) -> list[str]:
    warnings = []
    if policy_of(plan.source.name).reads_burned_in_text and not plan.reads_text:
        warnings.append("OCR is off: burned-in text was not looked for, though the source's policy demands it")
    if counted.get(reasons.CHANGED_WHILE_READ):
        warnings.append("files changed while they were read: run again when the delivery is complete")
    return warnings
