"""Ways to break a lake that stands, and rows to break it with."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.publishing import publish
from radia_pipeline.lake.row_hash import table_sha256
from radia_pipeline.lake.rows import TableRows
from radia_pipeline.lake.table_file import HASH_CHARACTERS

CHANGES = ("fsync", "replace", "unlink")
"""Calls of the operating system at which a writer can be cut: before and after each, the disk holds something else."""
READS = ("open", "pread", "fstat")
NEVER = 1_000_000


def ident(number: int) -> str:
    return f"{number:032x}"


def labels(count: int, value: int = 1, source: str = "nih_cxr14") -> list[dict]:
    """Return rows of ``labels``: that many studies with one label."""
    same = {"source": source, "patient_key": ident(1), "class": "Edema", "origin": "table"}
    return [{**same, "study_id": ident(n), "said": value, "value": value} for n in range(count)]


def rewrite(path: Path, content: bytes, *, in_place: bool = False) -> None:
    """Give a file other bytes: under its name as a new file, or in the file itself, as pandas and editors do."""
    if not in_place:
        path.unlink()
    path.write_bytes(content)


def edit(path: Path, column: str, value: object, *, in_place: bool = False) -> None:
    """Set a column to one value and keep all that the file says of itself."""
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index(column)
    field = table.schema.field(at)
    changed = table.set_column(at, field, pa.array([value] * table.num_rows, field.type))
    sink = pa.BufferOutputStream()
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), sink, compression="zstd")
    rewrite(path, sink.getvalue().to_pybytes(), in_place=in_place)


def publish_as(lake: Lake, table: str, partition: str, rows: pa.Table, words: str | None = None) -> None:
    """Publish rows as an earlier release would have, whatever today's contract says; ``words``: its vocabulary."""
    place = lake.place(table, partition)
    with lake.lock(f"{table}.{partition}"):
        publish(place, table_sha256(rows)[:HASH_CHARACTERS], TableRows(rows), words or lake.vocabulary_version)


def history_path(lake: Lake, table: str, partition: str) -> Path:
    return lake.place(table, partition).folder / "history.jsonl"


@contextmanager
def failing(number: int, fault: int = errno.EIO, calls: tuple[str, ...] = CHANGES) -> Iterator[list[str]]:
    """Let the disk refuse the call of that number (from 1) and all later ones; yields the names of the calls made.

    ``fault`` -1: the process ends there instead, as by SIGKILL.
    """
    made: list[str] = []

    def refusing(name: str):
        real = getattr(os, name)

        def call(*arguments, **named):
            made.append(name)
            if len(made) < number:
                return real(*arguments, **named)
            if fault < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(fault, os.strerror(fault))

        return call

    with mock.patch.multiple(os, **{name: refusing(name) for name in calls}):
        yield made
