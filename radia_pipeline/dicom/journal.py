"""What is known of every delivered file, one line each, in SQLite beside the tables.

This is what makes a run resumable.

Holds keyed identifiers only; delivered paths are restricted, as in the tables. Which file is kept and which dropped is
decided in ``resolve``, from these lines alone.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.errors import DamagedFile, LakeUnwritable
from radia_pipeline.lake.lake import Lake

_SCHEMA = """
create table if not exists files (
    path text primary key, size_bytes integer, mtime_ns integer, rules text, file_sha256 text, reason text, detail text,
    image_id text, study_id text, patient_key text, pixel_sha256 text, row text
) without rowid;
create table if not exists placed (image_id text primary key, path text, file_sha256 text, rules text) without rowid;
create table if not exists deliveries (
    delivery integer primary key, first_seen_s real, visit text,
    has_file integer default 0, has_report integer default 0
);
create table if not exists looks (kind text primary key, visit text) without rowid;
create table if not exists arrived (kind text, id text, delivery integer, primary key (kind, id)) without rowid;
"""
FILE, REPORT = "file", "report"
"""Kinds of what arrives: a file by its delivered path, a report by its study."""


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's primary result codes (the low byte) for a file that is none of its own any more."""


@dataclass(frozen=True)
class Entry:
    """One delivered file's line; ``reason`` None means ingestible. ``rules``: fingerprint of what judged it."""

    path: str
    size_bytes: int
    mtime_ns: int
    rules: str
    file_sha256: str
    reason: str | None = None
    detail: str | None = None
    image_id: str | None = None
    study_id: str | None = None
    patient_key: str | None = None
    pixel_sha256: str | None = None
    row: str | None = None

    @property
    def columns(self) -> dict:
        """The stored image's columns."""
        return json.loads(self.row) if self.row else {}


_COLUMNS = tuple(Entry.__dataclass_fields__)


def journal_path(lake: Lake, source: str) -> Path:
    """Return where the journal of a source lies."""
    return lake.root / "_ingest" / f"{source}.sqlite"


class Journal:
    """The open journal of one source.

    Raises LakeUnwritable on a full or read-only disk, DamagedFile where its own file is broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30.0)
            # DELETE journal: safe against SIGKILL and power loss, and it works on shared folders, where WAL does not.
            self._connection.executescript("pragma journal_mode=delete; pragma synchronous=full;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stamps(self) -> Iterator[tuple[str, int, int, str, bool]]:
        """Yield (path, size, mtime in ns, rules, is ingestible) of every line, by path."""
        with self._translated():
            query = "select path, size_bytes, mtime_ns, rules, reason is null from files order by path"
            for path, size, mtime, rules, ingestible in self._connection.execute(query):
                yield path, size, mtime, rules, bool(ingestible)

    def paths_of(self, file_hashes: Iterable[str]) -> dict[str, tuple[str, bool]]:
        """Return {path: (file hash, is ingestible)} of the lines of these files' bytes."""
        query, found = "select path, reason is null from files where file_sha256 = ?", {}
        with self._translated():
            for digest in file_hashes:
                rows = self._connection.execute(query, (digest,))
                found |= {path: (digest, bool(ingestible)) for path, ingestible in rows}
        return found

    def entries(self, paths: Iterable[str]) -> Iterator[Entry]:
        """Yield the lines of these paths, in their order; paths without a line are left out."""
        query = f"select {', '.join(_COLUMNS)} from files where path = ?"
        with self._translated():
            for path in paths:
                found = self._connection.execute(query, (path,)).fetchone()
                if found is not None:
                    yield Entry(*found)

    def record(self, entries: Iterable[Entry]) -> None:
        """Add or replace lines, durably and all together."""
        marks = ", ".join("?" * len(_COLUMNS))
        rows = [tuple(getattr(entry, name) for name in _COLUMNS) for entry in entries]
        with self._translated(), self._connection:
            self._connection.executemany(f"insert or replace into files ({', '.join(_COLUMNS)}) values ({marks})", rows)

    def placed(self) -> dict[str, tuple[str, str, str]]:
        """Return {image id: (path, file hash, rules)} of the pictures that stand under their final name."""
        with self._translated():
            rows = self._connection.execute("select image_id, path, file_sha256, rules from placed")
            return {image_id: (path, digest, rules) for image_id, path, digest, rules in rows}

    def place(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Note which delivered files' pictures stand under their final name: (image id, path, file hash, rules)."""
        with self._translated(), self._connection:
            self._connection.executemany("insert or replace into placed values (?, ?, ?, ?)", rows)

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file for writing over several statements that stand together or not at all."""
        with self._translated(), self._connection:
            self._connection.execute("begin immediate")
            yield self._connection

    def ids_of(self, patient_keys: Iterable[str]) -> Iterator[tuple[str, str, str]]:
        """Yield (image id, study id, patient key) of the patients' lines."""
        query = "select image_id, study_id, patient_key from files where patient_key = ?"
        with self._translated():
            for key in sorted(patient_keys):
                yield from self._connection.execute(query, (key,))

    def forget_pictures(self, image_ids: Iterable[str]) -> None:
        """Remove the notes that pictures stood; the file is rewritten, as ``forget_patients`` does."""
        with self._translated():
            with self._connection:
                rows = [(image_id,) for image_id in image_ids]
                self._connection.executemany("delete from placed where image_id = ?", rows)
            self._connection.execute("vacuum")

    def forget_patients(self, patient_keys: Iterable[str], study_ids: Iterable[str] = ()) -> int:
        """Remove the patients' lines and the arrivals of their studies' reports for good; returns the files' lines.

        The file is rewritten, so that nothing of them stays in free pages.
        """
        removed = 0
        arrived = f"delete from arrived where kind = '{FILE}' and id in (select path from files where patient_key = ?)"
        reported = f"delete from arrived where kind = '{REPORT}' and id = ?"
        with self._translated():
            with self._connection:
                self._connection.executemany(reported, [(study,) for study in study_ids])
                for key in sorted(patient_keys):
                    self._connection.execute(arrived, (key,))
                    images = "select image_id from files where patient_key = ?"
                    self._connection.execute(f"delete from placed where image_id in ({images})", (key,))
                    removed += self._connection.execute("delete from files where patient_key = ?", (key,)).rowcount
            self._connection.execute("vacuum")
        return removed

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise LakeUnwritable(
                    f"The journal of the ingest cannot be written ({error}); earlier tables are intact",
                    do="free space or rights in the lake, then run again: it continues where it stopped",
                ) from None
            raise DamagedFile(
                "The journal of the ingest is damaged",
                do=f"delete {self._path.name} under _ingest of the lake; the next run looks at every file again",
            ) from None
        except OSError as error:
            raise LakeUnwritable(
                f"The journal of the ingest cannot be opened ({error.strerror})", do="free space or rights in the lake"
            ) from None
