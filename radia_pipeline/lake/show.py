"""Tables as people ask for them: what is published, first rows without restricted columns, history, violations."""

from __future__ import annotations

from datetime import UTC, datetime

from radia_pipeline.contracts.checks import check
from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.errors import BadInput, RadiaError
from radia_pipeline.lake.lake import WHOLE, Lake

MAX_CELL_CHARACTERS = 24
Rows = tuple[list[str], list[list[object]]]


def published(lake: Lake) -> list[tuple[str, str]]:
    """Return (table, partition) of everything published, in the contracts' order."""
    return [(table, partition) for table in contract_names() for partition in lake.partitions(table)]


def listing(lake: Lake) -> Rows:
    """Return one row for each published partition: rows, version, when."""
    rows: list[list[object]] = []
    for table, partition in published(lake):
        records = lake.history(table, partition)
        when = _time(records[-1].written_at) if records else "–"
        count = lake.read(table, partition, columns=list(contract(table).key[:1])).num_rows
        rows.append([table, partition, count, lake.version(table, partition)[:12], when])
    return ["table", "partition", "rows", "version", "published"], rows


def sample(lake: Lake, table: str, partition: str | None, count: int, version: str | None = None) -> Rows:
    """Return the first rows of a table, or of an earlier version of one partition; restricted columns stay out.

    Raises BadInput where a version of a partitioned table is asked for and no partition is named.
    """
    names = list(contract(table).open_columns)
    if version is None:
        found = lake.read(table, partition, columns=names)
    else:
        if partition is None and contract(table).partitioned:
            raise BadInput(
                f"Each partition of {table} has versions of its own", accepted=", ".join(lake.partitions(table)),
                do="name one with --partition",
            )  # fmt: skip
        found = lake.read_version(table, partition or WHOLE, version)
        names = [name for name in names if name in found.column_names]
    rows = found.slice(0, count).to_pylist()
    return names, [[_short(row[name]) for name in names] for row in rows]


def history(lake: Lake, table: str, partition: str) -> Rows:
    """Return the published versions of one partition, oldest first."""
    lake.version(table, partition)
    rows = [[record.version, record.rows, _time(record.written_at)] for record in lake.history(table, partition)]
    return ["version", "rows", "published"], rows


def violations(lake: Lake) -> dict[str, list[str]]:
    """Check everything published; returns the broken rules of each ``table/partition`` (empty where all hold)."""
    found: dict[str, list[str]] = {}
    for table, partition in published(lake):
        try:
            found[f"{table}/{partition}"] = list(map(str, check(table, conform(table, lake.read(table, partition)))))
        except RadiaError as error:
            found[f"{table}/{partition}"] = [str(error)]
    return found


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _short(value: object) -> object:
    text = str(value)
    if value is None or isinstance(value, int | float) or len(text) <= MAX_CELL_CHARACTERS:
        return value if not isinstance(value, list | dict) else text
    return text[: MAX_CELL_CHARACTERS - 1] + "…"
