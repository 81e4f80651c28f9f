"""Rows of a table that need not be in memory at once: what the lake checks, hashes and writes, a part at a time.

A table in memory is one such thing, a Parquet file another; who makes a table of many more rows than it has facts
(``labels``: study × class) hands on a third.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_OF_A_PART = 1 << 18
"""Rows that are handled at a time: some 30 MB of ``labels``, and a row group of its file."""


class Rows(Protocol):
    """Rows in an order that stays. They are asked for several times, and give the same each time."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield all rows, some at a time, with these columns or all."""


class TableRows:
    """Rows of a table in memory."""

    def __init__(self, table: pa.Table, rows_of_a_part: int = ROWS_OF_A_PART) -> None:
        self._table, self._rows = table, rows_of_a_part
        self.schema, self.num_rows = table.schema, table.num_rows

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield slices, which share the table's memory."""
        table = self._table if columns is None else self._table.select(list(columns))
        for start in range(0, self.num_rows, self._rows):
            yield table.slice(start, self._rows)


class FileRows:
    """Rows of an open Parquet file, with the types that were written: Parquet calls the items of a list ``element``."""

    def __init__(self, file: pq.ParquetFile, rows_of_a_part: int = ROWS_OF_A_PART) -> None:
        self._file, self._rows, self.num_rows = file, rows_of_a_part, file.metadata.num_rows
        self.schema = pa.schema(
            [pa.field(field.name, _plain(field.type), nullable=field.nullable) for field in file.schema_arrow]
        )

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield what is read at a time."""
        names = self.schema.names if columns is None else list(columns)
        kinds = pa.schema([self.schema.field(name) for name in names])
        for batch in self._file.iter_batches(self._rows, columns=names):
            yield pa.Table.from_batches([batch]).select(names).replace_schema_metadata(None).cast(kinds)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return kind


@contextmanager
def waiting(tables: Iterable[pa.Table], schema: pa.Schema, folder: Path) -> Iterator[FileRows]:
    """Write tables, of one schema, into a file without a name in a folder and yield their rows, a table at a time.

    Nothing of it is left, however the process ends. Raises the operating system's OSError.
    """
    most = 1
    with tempfile.TemporaryFile(dir=folder) as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
                most = max(most, table.num_rows)
        file.flush()
        with pq.ParquetFile(file) as read:
            yield FileRows(read, most)
