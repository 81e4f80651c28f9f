"""Tables as people ask for them: what is published, first rows without restricted columns, history, violations."""

from __future__ import annotations

from datetime import UTC, datetime

from radia_pipeline.contracts.checks import check
from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake

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


def sample(lake: Lake, table: str, partition: str | None, count: int) -> Rows:
    """Return the first rows of a table; columns that the contract calls restricted stay out."""
    names = [column.name for column in contract(table).columns.values() if column.classification != "restricted"]
    rows = lake.read(table, partition, columns=names).slice(0, count).to_pylist()
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
