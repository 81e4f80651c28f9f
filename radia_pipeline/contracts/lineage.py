"""Where a table's columns come from: what its contract names (ODCS ``transformSourceObjects``), and inherited keys."""

from __future__ import annotations

from collections.abc import Iterable

from radia_pipeline.contracts.tables import Contract, contract

INHERITED = frozenset(
    {"source", "image_id", "study_id", "patient_key", "group_id", "pool", "fold", "path", "view", "recipe"}
)
"""One concept has one name everywhere, so that a column of such a name is its upstream table's column of that name."""


def column_sources(terms: Contract, upstream: Iterable[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return, for each column that is made from others, their tables and names. ``upstream``: tables that are read."""
    tables = [name for name in upstream if name != terms.table]
    found = {}
    for column in terms.columns.values():
        named = tuple(source for source in column.made_from if source[0] in tables)
        if not named and column.name in INHERITED:
            named = tuple((name, column.name) for name in tables if column.name in contract(name).columns)[:1]
        if named:
            found[column.name] = named
    return found
