"""Journal lines -> final pictures and the three tables of a source. Decisions come from ``resolve``.

No file is read here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.contracts.tables import contract
from radia_pipeline.dicom.journal import Entry, Journal
from radia_pipeline.dicom.resolve import Candidate, Resolution, resolve
from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.atomic import move_files
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons

_IDENTIFY = (reasons.IDENTITY_IN_HEADER, reasons.IDENTITY_IN_PIXELS)


@dataclass(frozen=True)
class Outcome:
    """Counts of what was published; ``missing_pictures``: kept files whose picture must be made again first."""

    ingested: int = 0
    duplicates: int = 0
    reasons: Counter = field(default_factory=Counter)
    missing_pictures: tuple[str, ...] = ()


def staged_path(lake: Lake, source: str, file_id: str) -> Path:
    """Return where a worker puts the picture of a file until it is known which file is kept."""
    return lake.pixels_dir / source / ".staged" / file_id[:2] / f"{file_id}.png"


def picture_path(source: str, image_id: str) -> str:
    """Return the stored picture's path relative to the lake."""
    return f"pixels/{source}/{image_id[:2]}/{image_id}.png"


def publish(source: str, lake: Lake, journal: Journal, keys: Pseudonymizer, paths: list[str]) -> Outcome:
    """Resolve all lines of the present delivery, put pictures in place, write the three tables.

    Where a kept picture is missing nothing is published, and its path is returned. Raises RunFailed where the three
    counts do not add up to what was found.
    """
    candidates, refused = [], []
    for entry in journal.entries(paths):
        if entry.reason is None:
            candidates.append(Candidate(entry.path, entry.image_id, entry.pixel_sha256, entry.file_sha256))
        else:
            refused.append(entry.path)
    decided = resolve(candidates, _already_kept(lake, source))
    missing = _place(source, lake, journal, keys, decided)
    if missing:
        return Outcome(missing_pictures=tuple(missing))
    counted = Counter(entry.reason for entry in journal.entries(refused))
    if decided.conflicts:
        counted[reasons.UID_CONFLICT] = len(decided.conflicts)
    if len(decided.kept) + len(decided.duplicates) + sum(counted.values()) != len(paths):
        raise RunFailed(
            f"The counts of {source} do not add up: {len(paths)} files were found",
            accepted="found = ingested + quarantined + duplicates", do="run again; if it stays, report it as a defect",
        )  # fmt: skip
    standing = _standing_pictures(lake, source)
    _write(source, lake, journal, keys, decided, refused)
    _remove_identities(source, lake, journal, decided, refused, standing)
    _clear_staged(source, lake, keys, decided)
    return Outcome(len(decided.kept), len(decided.duplicates), counted)


def published_paths(source: str, lake: Lake) -> set[str]:
    """Return the delivered paths that the three tables of a source name."""
    tables = [name for name in ("images", "quarantine", "duplicates") if lake.exists(name, source)]
    return {path for name in tables for path in lake.read(name, source, ["delivered_path"]).column(0).to_pylist()}


def _already_kept(lake: Lake, source: str) -> frozenset[str]:
    table = lake.last_sound("images", source, columns=["delivered_path"])
    return frozenset(table.column(0).to_pylist()) if table is not None else frozenset()


def _standing_pictures(lake: Lake, source: str) -> dict[str, str]:
    """Return delivered path -> picture of the images that stood before."""
    table = lake.last_sound("images", source, columns=["delivered_path", "path"])
    if table is None:
        return {}
    return dict(zip(table["delivered_path"].to_pylist(), table["path"].to_pylist(), strict=True))


def _remove_identities(
    source: str, lake: Lake, journal: Journal, decided: Resolution, refused: list[str], standing: dict[str, str]
) -> None:
    """Remove pictures of files that stood and are refused now because somebody could be recognised.

    Other reasons may pass (a share that was away): their pictures stay until they are made again or forgotten.
    """
    now = [path for path in refused if path in standing]
    kept = {picture_path(source, entry.image_id) for entry in journal.entries(decided.kept)} if now else set()
    for entry in journal.entries(now):
        if entry.reason in _IDENTIFY and standing[entry.path] not in kept:
            (lake.root / standing[entry.path]).unlink(missing_ok=True)


def _place(source: str, lake: Lake, journal: Journal, keys: Pseudonymizer, decided: Resolution) -> list[str]:
    """Rename staged pictures of kept files to their final name; returns paths whose picture is nowhere."""
    placed, missing, noted, moves = journal.placed(), [], [], []
    for entry in journal.entries(decided.kept):
        final = lake.root / picture_path(source, entry.image_id)
        staged = staged_path(lake, source, keys.file_id(source, entry.path))
        stamp = (entry.path, entry.file_sha256, entry.rules)
        if staged.exists():
            moves.append((staged, final))
            noted.append((entry.image_id, *stamp))
        elif placed.get(entry.image_id) != stamp or not final.exists():
            missing.append(entry.path)
    move_files(moves)
    journal.place(noted)
    return missing


def _write(
    source: str, lake: Lake, journal: Journal, keys: Pseudonymizer, decided: Resolution, refused: list[str]
) -> None:
    conflicts = (
        replace(entry, reason=reasons.UID_CONFLICT, detail="(0008,0018) stands for other pixels")
        for entry in journal.entries(decided.conflicts)
    )
    quarantine = [_quarantine_row(source, keys, entry) for entry in (*journal.entries(refused), *conflicts)]
    image_ids = {
        entry.path: entry.image_id for entry in journal.entries({kept for kept, _ in decided.duplicates.values()})
    }
    duplicates = [
        _duplicate_row(
            source, keys, entry, image_ids[decided.duplicates[entry.path][0]], decided.duplicates[entry.path][1]
        )
        for entry in journal.entries(decided.duplicates)
    ]
    names = tuple(contract("images").columns)
    images = [_image_row(source, entry, names) for entry in journal.entries(decided.kept)]
    lake.write("quarantine", quarantine, source)
    lake.write("duplicates", duplicates, source)
    lake.write("images", images, source)


def _common(source: str, entry: Entry) -> dict:
    return {"source": source, "file_sha256": entry.file_sha256, "delivered_path": entry.path}


def _quarantine_row(source: str, keys: Pseudonymizer, entry: Entry) -> dict:
    return _common(source, entry) | {
        "file_id": keys.file_id(source, entry.path), "size_bytes": entry.size_bytes, "reason": entry.reason,
        "detail": entry.detail,
    }  # fmt: skip


def _duplicate_row(source: str, keys: Pseudonymizer, entry: Entry, kept_image_id: str, kind: str) -> dict:
    return _common(source, entry) | {
        "file_id": keys.file_id(source, entry.path), "kept_image_id": kept_image_id, "kind": kind,
        "patient_key": entry.patient_key, "study_id": entry.study_id, "pixel_sha256": entry.pixel_sha256,
    }  # fmt: skip


def _image_row(source: str, entry: Entry, names: tuple[str, ...]) -> dict:
    row = entry.columns | _common(source, entry)
    row |= {
        "image_id": entry.image_id, "study_id": entry.study_id, "patient_key": entry.patient_key,
        "path": picture_path(source, entry.image_id),
    }  # fmt: skip
    return {name: row.get(name) for name in names}


def _clear_staged(source: str, lake: Lake, keys: Pseudonymizer, decided: Resolution) -> None:
    """Remove pictures of files that are not kept, and whatever a killed worker left."""
    for path in _staged_files(lake, source):
        path.unlink(missing_ok=True)


def _staged_files(lake: Lake, source: str) -> Iterator[Path]:
    folder = lake.pixels_dir / source / ".staged"
    for here, _, names in os.walk(folder):
        yield from (Path(here) / name for name in names)
