"""Whether a file is what was published: its bytes by the history, and where those differ, its rows.

A file is proven once in a process, as long as nothing wrote to it. Here nothing is mended (``publishing``), and no rule
of a contract is asked (``show``).

What counts as published is the last line of the history; the line before it while the last is still on its way
(``Place.next`` stands); and any line that was added while the file was being read. A table without a history that can
be trusted proves itself: by the hash of its rows and the name that it carries.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from radia_pipeline.errors import DamagedFile, LakeUnreadable, MissingTable
from radia_pipeline.lake.table_file import NAME_KEY, VERSION_KEY, TableFile, damaged
from radia_pipeline.lake.versions import Place, VersionRecord, sound_records

T = TypeVar("T")
_REOPENED = 3
_WORTH_A_THREAD_BYTES = 1 << 22
"""From this size on, bytes are hashed while the rows are read."""
_OTHER_BYTES = "is not what was published: its file was changed or exchanged"
_proven: dict[Path, tuple[tuple[int, ...], str]] = {}
"""Path → identity of the file that was proven, and the version that it holds."""


@dataclass(frozen=True)
class _Seen:
    """The history before a file was opened. ``is_whole``: it can be trusted to its end."""

    records: Sequence[VersionRecord]
    is_whole: bool
    is_unfinished: bool


def read(place: Place, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
    """Read the published rows; raises MissingTable, DamagedFile, LakeUnreadable, KeyError for an unknown column."""

    def once() -> pa.Table:
        with _proving(place) as file:
            return file.read(columns, filters)

    return _reopening(once)


def batches(place: Place, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Yield the published rows in parts; raises as ``read`` does, for damage at the end at the latest."""
    with _proving(place) as file:
        yield from file.batches(columns, rows)


def version(place: Place) -> str:
    """Return the version of what is published; raises MissingTable, DamagedFile, LakeUnreadable."""

    def once() -> str:
        with _proving(place):
            pass
        return _proven[place.path][1]

    return _reopening(once)


def count(place: Place) -> int:
    """Return how many rows the published file holds, without reading them."""
    with TableFile(place.path, place.name) as file:
        return file.num_rows()


def stamp(place: Place, key: bytes) -> str | None:
    """Return what the published file says of itself, as it stands."""
    with TableFile(place.path, place.name) as file:
        said = file.stamps().get(key)
    return said.decode() if said is not None else None


def read_kept(place: Place, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the file of a kept version; raises DamagedFile where it does not hold the rows that its name says."""
    with TableFile(path, place.name) as file:
        if _proven.get(path, (None, ""))[0] != file.identity:
            sha256, wanted = file.sha256(), path.stem
            records, _ = sound_records(place)
            is_known = any(record.version == wanted and record.sha256 == sha256 for record in records)
            if not is_known and file.rows_version() != wanted:
                raise damaged(place.name, f"is damaged in its kept version {wanted[:12]}")
            _proven[path] = file.identity, wanted
        return file.read(columns)


def recompute(place: Place) -> str:
    """Return the version that the rows of the published file have, computed anew."""
    with _proving(place) as file:
        return file.rows_version()


def _reopening(work: Callable[[], T]) -> T:
    """Do work on a file, and again where a network share gave its name to another file meanwhile."""
    for _ in range(_REOPENED):
        try:
            return work()
        except LakeUnreadable as error:
            if getattr(error.__cause__, "errno", None) != errno.ESTALE:
                raise
    return work()


@contextmanager
def _proving(place: Place) -> Iterator[TableFile]:
    """Yield the published file; to leave without an error means that it is proven."""
    with TableFile(place.path, place.name) as file:
        if _proven.get(place.path, (None, ""))[0] == file.identity:
            yield file
            return
    records, is_whole = sound_records(place)
    seen = _Seen(records, is_whole, place.next.exists())  # in this order, before opening: see _allowed
    with TableFile(place.path, place.name) as file:
        if file.size < _WORTH_A_THREAD_BYTES:
            sha256 = file.sha256()
            _proven[place.path] = file.identity, _judge(place, file, sha256, seen)
            yield file
            return
        with ThreadPoolExecutor(1) as pool:
            digest = pool.submit(file.sha256)
            yield file
            sha256 = digest.result()
        _proven[place.path] = file.identity, _judge(place, file, sha256, seen)


def _judge(place: Place, file: TableFile, sha256: str, seen: _Seen) -> str:
    """Return the version that the file holds; raises DamagedFile where it is none that was published."""
    now, is_whole = sound_records(place)
    allowed = _allowed(seen, now)
    for record in allowed:
        if record.sha256 == sha256:
            return record.version
    rows = file.rows_version()
    if any(record.version == rows for record in allowed):
        return rows
    is_lost = not (seen.is_whole and is_whole) or (
        all(record.version != rows for record in now) and place.kept(rows).exists()
    )
    said = file.stamps()
    names_itself = said.get(NAME_KEY, place.name.encode()) == place.name.encode()
    if is_lost and names_itself and said.get(VERSION_KEY, rows.encode()) == rows.encode():
        return rows
    raise damaged(place.name, _OTHER_BYTES)


def _allowed(seen: _Seen, now: Sequence[VersionRecord]) -> list[VersionRecord]:
    """Return the lines of which any may have been the published one at some time since ``seen``.

    A line is added before its file takes the place. So a file opened after the history was read holds the last line
    then, a later one, or the one before the last while that one's file still waited.
    """
    at = len(seen.records)
    return [
        *seen.records[at - 1 :],
        *now[at:],
        *(seen.records[at - 2 : at - 1] if seen.is_unfinished and at > 1 else ()),
    ]


def is_whole(place: Place, version: str) -> bool:
    """Tell whether a version is kept and its file holds the rows that its name says."""
    try:
        read_kept(place, place.kept(version), [])
    except (DamagedFile, MissingTable):
        return False
    return True
