"""Rows of a table that need not be in memory at once: what the lake checks, hashes and writes, a part at a time.

A table in memory is one such thing, a Parquet file another; who makes a table of many more rows than it has facts
(``labels``: study × class) hands on a third.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

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
