"""Images that stood and are refused by today's rules go as a forgotten patient's would: the end of every ingest.

Belongs here: which images those are, and doing it once and whole. Does not belong here: the rules (``privacy``),
judging again without writing (``dicom.rejudge``), what goes and how (``erasure``). Study rows that come from reports
stay: no file said them.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from radia_pipeline.dicom.ingest import IngestResult, ingest_images
from radia_pipeline.dicom.journal import Journal, journal_path
from radia_pipeline.dicom.rejudge import takes_out
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.table_file import TableFile
from radia_pipeline.sources.base import Source
from radia_pipeline.usecases.erasure import Erased, Traces, erase, foreseen, record_of_what_was_done, still_named

_MOST_UNASKED, _MOST_SHARE = 100, 0.1
"""A slip in a policy refuses whole lakes: what is more than both is taken out when a person says so, and not before."""
_STOOD = ["delivered_path", "file_sha256", "image_id", "study_id"]


@dataclass
class _Found:
    """Image -> study (None: not known any more) of what is to go, and earlier versions that hold rows of the files;
    ``standing``: images that stay."""

    images: dict[str, str | None] = field(default_factory=dict)
    versions: list[Path] = field(default_factory=list)
    standing: int = 0

    @property
    def are_too_many(self) -> bool:
        """Whether more would go than goes unasked."""
        return len(self.images) > max(_MOST_UNASKED, _MOST_SHARE * (len(self.images) + self.standing))

    @property
    def traces(self) -> Traces:
        return Traces(images=frozenset(self.images), touched=frozenset(filter(None, self.images.values())))


def ingest_and_withdraw(
    source: Source, root: Path, lake: Lake, keys: Pseudonymizer, *, takes_out: bool = False, **options: Any
) -> IngestResult:
    """Ingest a delivery (``dicom.ingest.ingest_images``) and take out what stood and is refused now.

    ``takes_out``: a person wants it, however much it is.
    """
    result = ingest_images(source, root, lake, keys, **options)
    was_begun = _pending(source.name, lake).exists()  # somebody wanted it, however much it was
    found = _found(source.name, lake)
    held = len(found.images)
    if found.are_too_many and not (takes_out or was_begun):
        warning = (
            f"{held} images that stood are refused by today's rules, more than a tenth: earlier versions still hold "
            "them. Mend the policy if it is wrong (`radia audit --propose`), or take them out with "
            "`radia ingest --take-out`"
        )
        return replace(result, withdrawn={"held_back": held}, warnings=[*result.warnings, warning])
    if not (found.images or found.versions or was_begun):
        return result
    gone = retract(source.name, lake)
    if gone is None:
        return result
    warnings = [
        f"{gone['images']} images that stood are refused by today's rules and were taken out, with "
        f"{gone['versions']} earlier versions of tables"
    ]
    if gone["models"]:
        warnings.append(f"models that saw them cannot forget: {', '.join(gone['models'])}; train them again")
    return replace(result, withdrawn=gone, warnings=[*result.warnings, *warnings])


def foresee(images: frozenset[str], lake: Lake) -> Erased:
    """Return what would go with images that ``rejudge`` names; nothing is removed."""
    studies = set()
    for name in ("images", "manifest"):
        for partition in lake.partitions(name):
            rows = lake.read(name, partition, columns=["image_id", "study_id"]).to_pylist()
            studies |= {row["study_id"] for row in rows if row["image_id"] in images}
    return foreseen(Traces(images=images, touched=frozenset(studies)), lake)


def retract(source: str, lake: Lake) -> dict[str, Any] | None:
    """Take out what stood and is refused; returns counts and the models that saw it, None where there is nothing.

    What is to go is read from the lake itself (quarantine, earlier versions, journal), so that a lake whose files an
    earlier release refused is cleaned as well, and a killed call is finished by the next. Raises LakeLocked.
    """
    with lake.lock("forget"), lake.lock(f"ingest.{source}"):
        found = _found(source, lake)
        if not (found.images or found.versions or _pending(source, lake).exists()):
            return None
        record_of_what_was_done(lake).require_sound_end()
        found.images |= _left_over(source, lake)
        atomic.write_text(_pending(source, lake), json.dumps(found.images))
        gone = erase(found.traces, lake) if found.images else Erased()
        others = [path for path in found.versions if path.exists()]
        for path in others:
            path.unlink()
        with Journal(journal_path(lake, source)) as journal:
            journal.forget_pictures(found.images)
        left = sum(1 for _ in still_named(found.traces, lake, aside=_pending(source, lake)))
        told = {"images": len(found.images), **vars(gone), "models": list(gone.models), "still_named_in": left}
        told["versions"] += len(others)
        record_of_what_was_done(lake).append([{"at": time.time(), "refused_in": source, **told}])
        _pending(source, lake).unlink()
    return told


def _pending(source: str, lake: Lake) -> Path:
    return lake.root / f"_retracting.{source}.json"


def _left_over(source: str, lake: Lake) -> dict[str, str | None]:
    """Return what a killed call had begun with, but for images that have come in again since."""
    path = _pending(source, lake)
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    standing = _standing(source, lake, said)
    return {image: study for image, study in said.items() if image not in standing}


def _standing(source: str, lake: Lake, among: Collection[str]) -> set[str]:
    """Return which of these images stand in the source's ``images``."""
    parts = lake.last_sound_parts("images", source, ["image_id"]) if among else ()
    return {image for part in parts for image in part.column(0).to_pylist() if image in among}


def _found(source: str, lake: Lake) -> _Found:
    refused = _refused(source, lake)
    found = _Found(standing=sum(map(len, lake.last_sound_parts("images", source, ["image_id"]))))
    stood: dict[str, str | None] = {}
    for path, rows in _earlier_rows(source, lake, refused):
        goes = [row for row in rows if _goes(refused, row["delivered_path"], row["file_sha256"])]
        found.versions += [path] if goes else []
        stood |= {row["image_id"]: row["study_id"] for row in goes}
    if refused and journal_path(lake, source).exists():
        with Journal(journal_path(lake, source)) as journal:
            for image, delivered, digest in journal.placed():
                if _goes(refused, delivered, digest):
                    stood.setdefault(image, None)
    standing = _standing(source, lake, stood)
    found.images |= {image: study for image, study in stood.items() if image not in standing}
    return found


def _goes(refused: dict[str, tuple[str, str]], path: str, digest: str) -> bool:
    reason, now = refused.get(path, (None, None))
    return reason is not None and takes_out(reason, same_bytes=digest == now)


def _refused(source: str, lake: Lake) -> dict[str, tuple[str, str]]:
    """Return delivered path -> reason and hash of every quarantined file."""
    table = lake.last_sound("quarantine", source, columns=["delivered_path", "reason", "file_sha256"])
    rows = table.to_pylist() if table is not None else []
    return {row["delivered_path"]: (row["reason"], row["file_sha256"]) for row in rows}


def _earlier_rows(source: str, lake: Lake, refused: dict) -> Iterator[tuple[Path, list[dict[str, str]]]]:
    """Yield each earlier version of the source's ``images`` with its rows of files that are refused now."""
    if not refused:
        return
    for path in sorted((lake.root / "_versions" / "images" / source).glob("*.parquet")):
        filters = pc.field("delivered_path").isin(sorted(refused))
        with contextlib.suppress(DamagedFile), TableFile(path, f"images/{source}") as file:
            yield path, file.read(_STOOD, filters).to_pylist()
