"""One delivered file -> one verdict, whole and alone: this is what a worker process does for the ingest.

Belongs here: a file's bytes and hash, the verdict's columns, staging the picture. Nothing of a refused file is written.
Identifiers leave this module natively and are keyed by the caller before anything is stored. Does not belong here: the
judgement itself (``judgement``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom import png16
from radia_pipeline.dicom.delivered import read_whole
from radia_pipeline.dicom.judgement import Judged, Terms, judge, judge_print
from radia_pipeline.errors import LakeUnwritable, Refusal
from radia_pipeline.lake import atomic
from radia_pipeline.lake.hashing import pixel_sha256
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits

NO_HASH = "0" * 64
"""Stands for the hash of a file that could not be read."""


@dataclass(frozen=True)
class Task:
    """What a worker needs for one file. ``table_view``: the projection by the source's own table, if it has one.

    ``only_pixels``: an audit that has read the header already and wants no picture. ``settled``: hash of the bytes
    whose print a person has called clean.
    """

    path: str
    staged: str
    source: str
    max_side_px: int
    reads_text: bool
    has_facts: bool = False
    table_view: str | None = None
    only_pixels: bool = False
    settled: str | None = None
    limits: Limits = DEFAULT_LIMITS

    @property
    def terms(self) -> Terms:
        """How the file is judged: an ingest takes pictures without a header only where a table says what they are."""
        return Terms(
            self.source,
            self.reads_text,
            self.max_side_px,
            takes_rasters=self.has_facts,
            is_listed=self.has_facts,
            is_settled=self.settled is not None,
            table_view=self.table_view,
            limits=self.limits,
        )


@dataclass(frozen=True)
class Verdict:
    """What came of one file. ``reason`` None means ingestible.

    ``native_ids`` are SOP, study and patient identifiers.
    """

    file_sha256: str
    size_bytes: int
    mtime_ns: int
    reason: str | None = None
    detail: str | None = None
    native_ids: tuple[str, str, str] | None = None
    row: dict = field(default_factory=dict)


def examine(task: Task) -> Verdict:
    """Judge one delivered file and stage its picture at ``task.staged`` unless it is refused.

    Raises LakeUnwritable where the machine fails, which is no verdict on the file.
    """
    try:
        data, before = read_whole(task.path, task.limits)
    except Refusal as refusal:
        return Verdict(NO_HASH, 0, 0, refusal.reason, refusal.detail)
    digest = hashlib.sha256(data).hexdigest()
    common: dict[str, Any] = {"file_sha256": digest, "size_bytes": before.st_size, "mtime_ns": before.st_mtime_ns}
    if task.settled != digest:
        task = replace(task, settled=None)
    try:
        return Verdict(**common, **_examined(data, task))
    except Refusal as refusal:
        return Verdict(**common, reason=refusal.reason, detail=refusal.detail)
    except MemoryError:
        return Verdict(**common, reason=reasons.TOO_LARGE, detail="memory limit")


def _examined(data: bytes, task: Task) -> dict:
    if task.only_pixels:
        judge_print(data, task.terms)
        return {}
    judged = judge(data, task.terms)
    parsed = judged.admitted.parsed
    _stage(Path(task.staged), png16.encode(judged.image))
    return {
        "row": _picture_row(judged) | (header_facts.describe(parsed) if parsed is not None else {}),
        "native_ids": judged.native_ids,
    }


def _picture_row(judged: Judged) -> dict:
    """Return the columns that the picture tells."""
    picture, image = judged.picture, judged.image
    return {
        "pixel_sha256": pixel_sha256(picture.stored),
        "view": judged.view,
        "view_origin": judged.view_origin,
        "width_px": image.shape[1],
        "height_px": image.shape[0],
        "original_width_px": picture.stored.shape[1],
        "original_height_px": picture.stored.shape[0],
        "bits_stored": picture.bits_stored,
        "photometric": picture.photometric,
        "transfer_syntax": picture.transfer_syntax,
        "window_center": picture.window_center,
        "window_width": picture.window_width,
        "flags": list(judged.flags),
        **{f"{name}_score": score for name, score in judged.scores.items()},
    }


def _stage(path: Path, content: bytes) -> None:
    """Write the picture whole or not at all; its name becomes durable when ``publish`` moves it into place."""
    try:
        with atomic.replacing(path, sync_name=False) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise LakeUnwritable(
            f"A picture could not be written into the lake ({error.errno}); earlier tables are intact",
            do="free space or rights in the lake, then run again: it continues where it stopped",
        ) from None
