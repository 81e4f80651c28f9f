"""What is known of every delivered file, one line each, in SQLite beside the tables.

This is what makes a run resumable.

Holds keyed identifiers only; delivered paths are restricted, as in the tables. Which file is kept and which dropped is
decided in ``resolve``, from these lines alone.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

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
create table if not exists shapes (shape integer primary key, names text unique);
"""
FILE, REPORT = "file", "report"
"""Kinds of what arrives: a file by its delivered path, a report by its study."""


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's primary result codes (the low byte) for a file that is none of its own any more."""
_PART = 1024
"""Rows that are in memory at a time."""


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
    columns: Mapping[str, Any] | None = None
    """The stored image's columns beside its identifiers."""


_COLUMNS = (*(name for name in Entry.__dataclass_fields__ if name != "columns"), "row")
_PIXELS = "pixel_sha256"
COLUMNS = ", ".join(f"files.{name}" for name in _COLUMNS)
"""The columns of a line, in a query."""


def journal_path(lake: Lake, source: str) -> Path:
    """Return where the journal of a source lies."""
    return lake.root / "_ingest" / f"{source}.sqlite"


class Journal:
    """The open journal of one source.

    Raises LakeUnwritable on a full or read-only disk, DamagedFile where its own file is broken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shapes, self._names = dict[tuple[str, ...], int](), dict[int, tuple[str, ...]]()
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

    def __len__(self) -> int:
        return next(self.read("select count(*) from files"))[0]

    def read(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, some in memory at a time; other statements may run meanwhile."""
        with self._translated():
            cursor = self._connection.execute(query, values)
        while True:
            with self._translated():
                rows = cursor.fetchmany(_PART)
            if not rows:
                return
            yield from rows

    def change(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        """Run a statement that stands by itself."""
        with self._translated(), self._connection:
            self._connection.execute(statement, values)

    def add(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for every row, some rows at a time."""
        rows = iter(rows)
        while part := list(islice(rows, _PART)):
            with self._translated(), self._connection:
                self._connection.executemany(statement, part)

    def teach(self, name: str, function: Callable[[str], str]) -> None:
        """Let queries call a function of one text."""
        self._connection.create_function(name, 1, function, deterministic=True)

    def paths(self) -> Iterator[str]:
        """Yield the path of every line."""
        return (path for (path,) in self.read("select path from files"))

    def paths_of(self, file_hashes: Iterable[str]) -> dict[str, tuple[str, bool]]:
        """Return {path: (file hash, is ingestible)} of the lines of these files' bytes."""
        query = "select path, reason is null from files where file_sha256 = ?"
        found: dict[str, tuple[str, bool]] = {}
        with self._translated():
            for digest in file_hashes:
                rows = self._connection.execute(query, (digest,))
                found |= {path: (digest, bool(ingestible)) for path, ingestible in rows}
        return found

    def entries(self, paths: Iterable[str]) -> Iterator[Entry]:
        """Yield the lines of these paths, in their order; paths without a line are left out."""
        query = f"select {COLUMNS} from files where path = ?"
        for path in paths:
            yield from map(self.entry, self.read(query, (path,)))

    def record(self, entries: Iterable[Entry]) -> None:
        """Add or replace lines, durably and all together."""
        marks = ", ".join("?" * len(_COLUMNS))
        rows = [(*(getattr(entry, name) for name in _COLUMNS[:-1]), self._row(entry)) for entry in entries]
        with self._translated(), self._connection:
            self._connection.executemany(f"insert or replace into files ({', '.join(_COLUMNS)}) values ({marks})", rows)

    def _row(self, entry: Entry) -> str | None:
        """Return an image's columns as one text: the number of their names and their values.

        The names are written once for all lines and the pixels' hash stands in a column of its own, which is most of a
        line's length.
        """
        if entry.columns is None:
            return None
        names = tuple(sorted(name for name in entry.columns if name != _PIXELS))
        if names not in self._shapes:
            said = json.dumps(names)
            self.change("insert or ignore into shapes (names) values (?)", (said,))
            self._shapes[names] = next(self.read("select shape from shapes where names = ?", (said,)))[0]
        return json.dumps([self._shapes[names], *(entry.columns[name] for name in names)], separators=(",", ":"))

    def entry(self, found: tuple[Any, ...]) -> Entry:
        """Return the line of a row that a query found for COLUMNS."""
        *values, row = found
        said = json.loads(row) if row else None
        if isinstance(said, list):
            shape, *parts = said
            said = dict(zip(self._names_of(shape), parts, strict=True)) | {_PIXELS: values[_COLUMNS.index(_PIXELS)]}
        return Entry(**dict(zip(_COLUMNS[:-1], values, strict=True)), columns=said)

    def _names_of(self, shape: int) -> tuple[str, ...]:
        if shape not in self._names:
            said = next(self.read("select names from shapes where shape = ?", (shape,)))[0]
            self._names[shape] = tuple(json.loads(said))
        return self._names[shape]

    def placed(self) -> Iterator[tuple[str, str, str]]:
        """Yield (image id, path, file hash) of the pictures that stand under their final name."""
        yield from self.read("select image_id, path, file_sha256 from placed")

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
