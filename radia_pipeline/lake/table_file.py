"""One Parquet file of the lake through one open handle: whoever replaces its name meanwhile disturbs no reading.

Here: opening, hashing, reading, and what the operating system's and Parquet's complaints mean. Which file a partition
should have is ``proof``'s.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.errors import DamagedFile, LakeUnreadable, MissingTable
from radia_pipeline.lake.atomic import STORAGE_FAULTS
from radia_pipeline.lake.row_hash import rows_sha256
from radia_pipeline.lake.rows import FileRows

HASH_CHARACTERS = 32
VERSION_KEY, VOCABULARY_KEY, NAME_KEY = b"radia.version", b"radia.vocabulary", b"radia.table"
_CHUNK_BYTES = 1 << 20
_UNKNOWN_FIELD = re.compile(r"No match for FieldRef\.Name\((.*?)\)")


def ways_out(name: str) -> str:
    """Return what a person can do about a damaged ``table/partition``."""
    table, _, partition = name.partition("/")
    which = f"{table} --partition {partition}" if partition != "all" else table
    return (
        f"take back what was published with `radia tables restore {which}` on this lake, "
        "or publish it anew: materialize it, or run `radia run` up to it"
    )


def damaged(name: str, what: str = "is damaged") -> DamagedFile:
    """Return the error of a ``table/partition`` whose file cannot be trusted."""
    return DamagedFile(f"The table {name} {what}", do=ways_out(name))


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Translate what the operating system and Parquet say while a ``table/partition`` is read.

    Raises MissingTable, LakeUnreadable or DamagedFile.
    """
    try:
        yield
    except FileNotFoundError:
        raise MissingTable(
            f"The table {name} has not been made, or its file is gone",
            do=f"materialize it, or run `radia run` up to it; if it was there, {ways_out(name)}",
        ) from None
    except OSError as error:
        if error.errno not in STORAGE_FAULTS:
            raise damaged(name) from None  # Parquet's own complaints about a file's end and pages are OSErrors too
        raise LakeUnreadable(
            f"The table {name} cannot be read: the storage {STORAGE_FAULTS[error.errno]}",
            do="look after the disk or share that the lake lies on, then try again",
        ) from error
    except pa.ArrowKeyError:
        raise
    except pa.ArrowException:
        raise damaged(name) from None


class TableFile:
    """The file at ``path``, which is or was published as ``name`` (``table/partition``); to be used in ``with``.

    Reading raises MissingTable, LakeUnreadable, DamagedFile.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path, self.name = path, name or f"{path.parent.name}/{path.stem}"

    def __enter__(self) -> TableFile:
        with readable(self.name):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @cached_property
    def identity(self) -> tuple[int, ...]:
        """What changes with every write: device, inode, size, times of content and of inode in nanoseconds."""
        with readable(self.name):
            at = os.fstat(self._fd)
        return at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns

    @property
    def size(self) -> int:
        """Bytes."""
        return self.identity[2]

    def sha256(self) -> str:
        """Return the hash of the file's bytes."""
        digest, at = hashlib.sha256(), 0
        with readable(self.name):
            while chunk := os.pread(self._fd, _CHUNK_BYTES, at):
                digest.update(chunk)
                at += len(chunk)
        return digest.hexdigest()

    def num_rows(self) -> int:
        """Return how many rows the file says that it holds."""
        with self._parquet() as file:
            return file.metadata.num_rows

    def columns(self) -> dict[str, pa.DataType]:
        """Return name → type of the columns."""
        with self._parquet() as file:
            return {field.name: field.type for field in file.schema_arrow}

    def stamps(self) -> dict[bytes, bytes]:
        """Return the metadata that the file carries about itself."""
        with self._parquet() as file:
            return dict(file.schema_arrow.metadata or {})

    def read(self, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
        """Read the rows; raises KeyError for a column that the file has not."""
        with self._parquet() as file:
            if missing := set(columns or ()) - set(file.schema_arrow.names):
                raise KeyError(*missing)
            if filters is None:
                return file.read(columns=columns)
        with readable(self.name):
            try:
                return pq.read_table(self._source(), columns=columns, filters=filters, partitioning=None)
            except pa.ArrowInvalid as error:  # of a column that is filtered by
                if (unknown := _UNKNOWN_FIELD.match(str(error))) is None:
                    raise
                raise KeyError(unknown[1]) from None

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Yield those of the columns that the file has, a part of the rows at a time."""
        with self._parquet() as file:
            kept = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(rows, columns=kept):
                yield pa.Table.from_batches([batch]).select(kept)

    def rows_version(self) -> str:
        """Recompute the data version: the logical hash of the rows that the file holds now."""
        with self._parquet() as file:
            return rows_sha256(FileRows(file))[:HASH_CHARACTERS]

    def _source(self) -> pa.NativeFile:
        # The same open file by its number: pyarrow knows no file descriptors, and a path may name another file by now.
        return pa.OSFile(f"/proc/self/fd/{self._fd}")

    @contextmanager
    def _parquet(self) -> Iterator[pq.ParquetFile]:
        # Not ``read_table``, which would import pandas first: that takes longer than reading.
        with readable(self.name), self._source() as source, pq.ParquetFile(source) as file:
            yield file
