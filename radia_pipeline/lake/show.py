"""Tables as people ask for them: what is published, first rows without restricted columns, history, violations."""

from __future__ import annotations

from datetime import UTC, datetime

from radia_pipeline.contracts.checks import check
from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.errors import BadInput, DamagedFile, LakeUnreadable, MissingTable, RadiaError
from radia_pipeline.lake import proof
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.lake.table_file import damaged
from radia_pipeline.lake.versions import sound_records

MAX_CELL_CHARACTERS = 24
AS_PUBLISHED = "as published"
Rows = tuple[list[str], list[list[object]]]


def published(lake: Lake) -> list[tuple[str, str]]:
    """Return (table, partition) of everything published, in the contracts' order."""
    return [(table, partition) for table in contract_names() for partition in lake.partitions(table)]


def listing(lake: Lake) -> Rows:
    """Return one row for each published partition: rows, version, when, and whether its file is what was published.

    A table that cannot be trusted shows no rows and no version; all others are listed beside it.
    """
    rows: list[list[object]] = []
    for table, partition in published(lake):
        place = lake.place(table, partition)
        records, _ = sound_records(place)
        when = _time(records[-1].written_at) if records else "–"
        try:
            version = lake.version(table, partition)
        except (DamagedFile, LakeUnreadable) as error:
            rows.append([table, partition, None, None, when, error.received])
            continue
        rows.append([table, partition, proof.count(place), version[:12], when, AS_PUBLISHED])
    return ["table", "partition", "rows", "version", "published", "state"], rows


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
                f"Each partition of {table} has versions of its own",
                accepted=", ".join(lake.partitions(table)),
                do="name one with --partition",
            )
        found = lake.read_version(table, partition or WHOLE, version)
        names = [name for name in names if name in found.column_names]
    rows = found.slice(0, count).to_pylist()
    return names, [[_short(row[name]) for name in names] for row in rows]


def history(lake: Lake, table: str, partition: str) -> Rows:
    """Return the published versions of one partition, oldest first; raises MissingTable where none ever was."""
    if not lake.exists(table, partition) and not lake.history(table, partition):
        raise MissingTable(f"The table {table}/{partition} has not been made", do="materialize it first")
    rows = [[record.version, record.rows, _time(record.written_at)] for record in lake.history(table, partition)]
    return ["version", "rows", "published"], rows


def violations(lake: Lake) -> dict[str, list[str]]:
    """Check everything published: its bytes and its rows against what was published, then its contract.

    Returns the broken rules of each ``table/partition``, an empty list where all hold.
    """
    found: dict[str, list[str]] = {}
    for table, partition in published(lake):
        try:
            version, rows = lake.version(table, partition), proof.recompute(lake.place(table, partition))
            broken = list(map(str, check(table, conform(table, lake.read(table, partition)))))
            if rows != version:
                broken.insert(0, str(damaged(f"{table}/{partition}", "does not hold the rows of its version")))
            found[f"{table}/{partition}"] = broken
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
