"""How a version takes its place, so that a cut at any point leaves the old or the new one and the history knows which.

In this order, each step durable before the next: the version is kept in ``_versions``; a copy waits beside the
published file (``Place.next``); the history says it; the copy takes the published name. What a killed writer left in
between is finished or cleared by the next one. The published file shares no bytes with the kept one: whoever writes
into it leaves that whole. The caller of every function holds the partition's lock.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from radia_pipeline.errors import DamagedFile, LakeUnreadable, MissingTable
from radia_pipeline.lake import atomic, proof
from radia_pipeline.lake.rows import Rows
from radia_pipeline.lake.table_file import NAME_KEY, VERSION_KEY, VOCABULARY_KEY, TableFile
from radia_pipeline.lake.versions import Place, VersionRecord, mended_history, sound_records

_CHUNK_BYTES = 1 << 22


def standing(place: Place) -> str | None:
    """Return the version that is published; None where there is none, or where the file is not what was published."""
    try:
        return proof.version(place)
    except (MissingTable, DamagedFile, LakeUnreadable):
        return None


def publish(place: Place, version: str, rows: Rows, vocabulary_version: str) -> None:
    """Keep the rows as a version and let it take the place; raises LakeUnwritable."""
    keep(place, version, rows, vocabulary_version)
    publish_kept(place, version, rows.num_rows)


def keep(place: Place, version: str, rows: Rows, vocabulary_version: str) -> None:
    """Keep the rows as a version; raises LakeUnwritable."""
    stamps = {VERSION_KEY: version, VOCABULARY_KEY: vocabulary_version, NAME_KEY: place.name}
    schema = rows.schema.with_metadata({key: text.encode() for key, text in stamps.items()})
    with (
        atomic.replace_file(place.kept(version)) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as file,
    ):
        for part in rows.parts():
            file.write_table(part.replace_schema_metadata(schema.metadata))


def publish_kept(place: Place, version: str, rows: int) -> None:
    """Let a kept version take the place; raises LakeUnwritable."""
    history, sha256 = mended_history(place), None
    with atomic.writable(place.path.parent):
        place.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            sha256 = _copy(place.kept(version), place.next)
            atomic.sync_folder(place.path.parent)
            history.append([asdict(VersionRecord(version, rows, time.time(), sha256))])
        except BaseException:
            if sha256 is None or not _is_last(place, sha256):
                place.next.unlink(missing_ok=True)
            raise
        _take_place(place)


def settle(place: Place) -> None:
    """Finish what a killed writer had put into the history; clear what had not come so far."""
    with atomic.writable(place.path.parent):
        if place.next.exists():
            with TableFile(place.next, place.name) as file:
                is_due = _is_last(place, file.sha256())
            if is_due:
                _take_place(place)
            else:
                place.next.unlink()
        for folder, name in ((place.path.parent, place.path.name), (place.folder, "")):
            for left in folder.glob(f".{name}*.tmp"):
                left.unlink()


def mend(place: Place, version: str) -> None:
    """Let history and kept version tell of what is published: they may have been lost."""
    records, is_whole = sound_records(place)
    with TableFile(place.path, place.name) as file:
        sha256, rows = file.sha256(), file.num_rows()
    if not proof.is_whole(place, version):
        with atomic.replace_file(place.kept(version)) as temporary:
            _copy(place.path, temporary)
    if not is_whole or not records or records[-1].sha256 != sha256:
        is_old = bool(records) and (records[-1].version, records[-1].sha256) == (version, None)
        written_at = records[-1].written_at if is_old else time.time()
        mended_history(place).append([asdict(VersionRecord(version, rows, written_at, sha256))])


def _take_place(place: Place) -> None:
    place.next.replace(place.path)
    atomic.sync_folder(place.path.parent)


def _is_last(place: Place, sha256: str) -> bool:
    records, _ = sound_records(place)
    return bool(records) and records[-1].sha256 == sha256


def _copy(source: Path, target: Path) -> str:
    """Copy a file's bytes durably and return their SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as old, target.open("wb") as new:
        while chunk := old.read(_CHUNK_BYTES):
            digest.update(chunk)
            new.write(chunk)
        new.flush()
        os.fsync(new.fileno())
    return digest.hexdigest()
