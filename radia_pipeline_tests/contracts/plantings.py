"""Tables that keep a contract in every row, and one planted violation for each of its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.checks import Rule, rules_of
from radia_pipeline.contracts.tables import Column, Contract

ROW_RULES = {
    "stored_within_original": {"width_px": 5000},
    "null_has_no_origin": {"origin": "none"},
    "folds_in_train_only": {"pool": "test"},
    "span_not_empty": {"span_end": 0},
    "a_mention_is_named": {"rests_on": "table"},
    "an_interval_has_a_width": {"low": 0.5, "high": 0.5},
    "arrived": {"delivery": None, "report_delivery": None},
    "every_file_ends_somewhere": {"files": 5},
}
"""What breaks each row rule in a table of ``valid_table``; a new row rule needs its planting here."""
_ENDS = {"span_start": 1, "span_end": 2, "low": 0.25, "high": 0.75}


DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def valid_table(terms: Contract, rows: int) -> pa.Table:
    """Return rows that keep every rule."""
    columns = [_values(column, rows) for column in terms.columns.values()]
    return pa.table(columns, schema=terms.schema)


def _values(column: Column, rows: int) -> pa.Array:
    fixed = re.fullmatch(r"\^\[0-9(a-f)?\]\{(\d+)\}\$", column.pattern or "")
    if fixed and fixed[1]:
        return pa.array([f"{number:0{fixed[2]}x}" for number in range(rows)])
    if fixed:
        return pa.array([f"{20_000_101:0{fixed[2]}d}"] * rows)
    if column.pattern == DAY:
        return pa.array(["2026-01-31"] * rows)
    if column.valid_values is not None:
        places = np.arange(rows) % len(column.valid_values) if column.key_position is not None else np.zeros(rows, int)
        return pa.array(column.valid_values, column.type).take(pa.array(places))
    if pa.types.is_list(column.type):
        return pa.array([[]] * rows, column.type)
    if column.type == pa.string():
        return pa.array([f"{column.name} {number:08d}" for number in range(rows)])
    number = _ENDS.get(column.name, column.minimum if column.minimum is not None else min(0.5, column.maximum or 1))
    if column.key_position is not None and pa.types.is_integer(column.type):
        return pa.array(np.arange(rows) + int(number)).cast(column.type)
    return pa.array(np.full(rows, number)).cast(column.type, safe=False)


def plantings(terms: Contract, data: pa.Table) -> Iterator[tuple[str, str, pa.Table]]:
    """Yield (column, rule, table with that rule broken in its first row), for every rule and for the key."""
    for rule in rules_of(terms):
        broken = ROW_RULES[rule.name] if rule.column == "row" else {rule.column: _bad_value(terms, rule)}
        yield rule.column, rule.name, _with_first_row(data, broken)
    yield ", ".join(terms.key), "unique", pa.concat_tables([data, data.slice(0, 1)])


def _bad_value(terms: Contract, rule: Rule) -> object:
    column = terms.columns[rule.column]
    if rule.name in ("minimum", "maximum"):
        bound = column.minimum if rule.name == "minimum" else column.maximum
        return bound + (-1 if rule.name == "minimum" else 1)
    other = "∅" if column.type == pa.string() else 100
    return {"required": None, "valid_values": other, "finite": float("nan"), "pattern": "x"}[rule.name]


def _with_first_row(data: pa.Table, values: dict[str, object]) -> pa.Table:
    for name, value in values.items():
        place, kind = data.schema.get_field_index(name), data.schema.field(name).type
        rest = data[name].combine_chunks().slice(1)
        data = data.set_column(place, pa.field(name, kind), pa.concat_arrays([pa.array([value], kind), rest]))
    return data
