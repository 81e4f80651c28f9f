"""Journal lines -> final pictures and the three tables of a source. Decisions come from ``resolve``.

No file is read here, and no list of files is held: a delivery's lines pass by one after the other.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.tables import contract
from radia_pipeline.dicom.inventory import Inventory
from radia_pipeline.dicom.journal import COLUMNS, Entry, Journal
from radia_pipeline.dicom.resolve import CONFLICT, KEPT, resolve
from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.atomic import move_files
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import reasons

_IDENTIFY = (reasons.IDENTITY_IN_HEADER, reasons.IDENTITY_IN_PIXELS)
PICTURE_FOLDERS = (3, 2)
"""How many characters of an image's identifier name its picture's folder: 4,096 folders, and 256 of earlier releases,
whose pictures stay where they are."""
_FOLDER, _EARLIER = PICTURE_FOLDERS
_PAGE = 4096
"""Pictures that are placed and noted together, and rows that are read together."""


@dataclass(frozen=True)
class Outcome:
    """Counts of what was published; ``missing_pictures``: kept files whose picture must be made again first, which the
    inventory has chosen."""

    ingested: int = 0
    duplicates: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    missing_pictures: int = 0


def staged_path(lake: Lake, source: str, file_id: str) -> Path:
    """Return where a worker puts the picture of a file until it is known which file is kept."""
    return lake.pixels_dir / source / ".staged" / file_id[:_FOLDER] / f"{file_id}.png"


def picture_path(source: str, image_id: str, characters: int = _FOLDER) -> str:
    """Return a stored picture's path relative to the lake."""
    return f"pixels/{source}/{image_id[:characters]}/{image_id}.png"


def publish(source: str, lake: Lake, journal: Journal, keys: Pseudonymizer, inventory: Inventory) -> Outcome:
    """Resolve all lines of the present delivery, put pictures in place, write the three tables.

    Where a kept picture is missing nothing is published, and the inventory has chosen its file. Raises RunFailed where
    the three counts do not add up to what was found.
    """
    journal.teach("file_id", lambda path: keys.file_id(source, path))
    _note_standing(source, lake, inventory)
    resolve(journal)
    inventory.choose(_place(source, lake, journal, keys))
    if missing := len(inventory.chosen):
        return Outcome(missing_pictures=missing)
    decided = Counter(dict(journal.read("select outcome, count(*) from temp.decided group by outcome")))
    refused = "from temp.present join files using (path) where reason is not null"
    counted = Counter(dict(journal.read(f"select reason, count(*) {refused} group by reason")))
    if decided[CONFLICT]:
        counted[reasons.UID_CONFLICT] = decided[CONFLICT]
    ingested, duplicates = decided[KEPT], decided.total() - decided[KEPT] - decided[CONFLICT]
    if ingested + duplicates + counted.total() != len(inventory):
        raise RunFailed(
            f"The counts of {source} do not add up: {len(inventory)} files were found",
            accepted="found = ingested + quarantined + duplicates",
            do="run again; if it stays, report it as a defect",
        )
    lake.write_each("quarantine", _quarantine(source, journal), source)
    lake.write_each("duplicates", _duplicates(source, journal), source)
    lake.write_each("images", _images(source, journal), source)
    _remove_identities(lake, journal)
    _clear_staged(source, lake)
    return Outcome(ingested, duplicates, counted)


def published_paths(source: str, lake: Lake) -> Iterator[str]:
    """Yield the delivered paths that the three tables of a source name."""
    for name in ("images", "quarantine", "duplicates"):
        if lake.exists(name, source):
            for part in lake.batches(name, source, ["delivered_path"], _PAGE):
                yield from part.column(0).to_pylist()


def _note_standing(source: str, lake: Lake, inventory: Inventory) -> None:
    """Tell the inventory which delivered paths have an image in the lake, and its picture."""
    parts = lake.last_sound_parts("images", source, ["delivered_path", "path"])
    inventory.stood(pair for part in parts for pair in zip(*part.to_pydict().values(), strict=True))


def _place(source: str, lake: Lake, journal: Journal, keys: Pseudonymizer) -> Iterator[str]:
    """Rename staged pictures of kept files to their final name; yields paths whose picture is nowhere.

    In the order of the pictures' folders, so that each of them is made durable about once.
    """
    kept = journal.read(
        "select raw, image_id, files.path, files.file_sha256, files.rules, "
        "(placed.path, placed.file_sha256, placed.rules) = (files.path, files.file_sha256, files.rules) "
        "from temp.decided join files using (path, image_id) left join placed using (image_id) "
        f"where outcome = '{KEPT}' order by image_id"
    )
    has_earlier = _has_earlier_folders(lake.pixels_dir / source)
    while page := list(islice(kept, _PAGE)):
        moves, noted, lie, missing = [], [], [], []
        for raw, image_id, path, digest, rules, is_noted in page:
            picture = _lies(lake, source, image_id) if has_earlier else picture_path(source, image_id)
            staged = staged_path(lake, source, keys.file_id(source, path))
            if staged.exists():
                moves.append((staged, lake.root / picture))
                noted.append((image_id, path, digest, rules))
            elif not is_noted or not (lake.root / picture).exists():
                missing.append(os.fsdecode(raw))
            lie.append((picture, raw))
        move_files(moves)
        journal.place(noted)
        journal.add("update temp.decided set picture = ? where raw = ?", lie)
        yield from missing


def _has_earlier_folders(folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        return any(len(one.name) == _EARLIER for one in found)
    return False


def _lies(lake: Lake, source: str, image_id: str) -> str:
    """Return where an image's picture belongs: where an earlier release put it, if it did."""
    earlier = picture_path(source, image_id, _EARLIER)
    return earlier if (lake.root / earlier).exists() else picture_path(source, image_id)


def _remove_identities(lake: Lake, journal: Journal) -> None:
    """Remove pictures of files that stood and are refused now because somebody could be recognised.

    Other reasons may pass (a share that was away): their pictures stay until they are made again or forgotten.
    """
    query = (
        "select standing.picture from temp.standing join temp.present using (path) join files using (path) "
        f"where reason in ({', '.join('?' * len(_IDENTIFY))}) and standing.picture not in "
        f"(select picture from temp.decided where outcome = '{KEPT}' and picture is not null)"
    )
    for (picture,) in journal.read(query, _IDENTIFY):
        (lake.root / picture).unlink(missing_ok=True)


def _quarantine(source: str, journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield refused files and conflicting ones, by file_id."""
    query = (
        f"select file_id(path) as id, outcome, {COLUMNS} from temp.present join files using (path) "
        "left join temp.decided using (raw, path) "
        f"where reason is not null or outcome = '{CONFLICT}' order by id"
    )
    for file_id, outcome, entry in _with_entries(journal, query, 2):
        is_conflict = outcome == CONFLICT
        yield _common(source, entry) | {
            "file_id": file_id,
            "size_bytes": entry.size_bytes,
            "reason": reasons.UID_CONFLICT if is_conflict else entry.reason,
            "detail": "(0008,0018) stands for other pixels" if is_conflict else entry.detail,
        }


def _duplicates(source: str, journal: Journal) -> Iterator[dict[str, Any]]:
    query = (
        f"select file_id(path) as id, outcome, kept_image_id, {COLUMNS} from temp.decided join files using (path) "
        f"where outcome not in ('{KEPT}', '{CONFLICT}') order by id"
    )
    for file_id, outcome, kept_image_id, entry in _with_entries(journal, query, 3):
        yield _common(source, entry) | {
            "file_id": file_id,
            "kept_image_id": kept_image_id,
            "kind": outcome,
            "patient_key": entry.patient_key,
            "study_id": entry.study_id,
            "pixel_sha256": entry.pixel_sha256,
        }


def _images(source: str, journal: Journal) -> Iterator[dict[str, Any]]:
    names = tuple(contract("images").columns)
    query = (
        f"select picture, {COLUMNS} from temp.decided join files using (path) "
        f"where outcome = '{KEPT}' order by decided.image_id"
    )
    for picture, entry in _with_entries(journal, query, 1):
        row = {**(entry.columns or {}), **_common(source, entry)} | {
            "image_id": entry.image_id,
            "study_id": entry.study_id,
            "patient_key": entry.patient_key,
            "path": picture,
        }
        yield {name: row.get(name) for name in names}


def _with_entries(journal: Journal, query: str, before: int) -> Iterator[tuple[Any, ...]]:
    """Yield the first columns of a query's rows and the line that follows them."""
    for row in journal.read(query):
        yield *row[:before], journal.entry(row[before:])


def _common(source: str, entry: Entry) -> dict[str, Any]:
    return {"source": source, "file_sha256": entry.file_sha256, "delivered_path": entry.path}


def _clear_staged(source: str, lake: Lake) -> None:
    """Remove pictures of files that are not kept, and whatever a killed worker left."""
    for here, _, names in os.walk(lake.pixels_dir / source / ".staged"):
        for name in names:
            (Path(here) / name).unlink(missing_ok=True)
