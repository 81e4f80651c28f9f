"""Quality rules of a contract, run over a whole table as one DuckDB query. Schemas are built in ``tables``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.columnar import fixed_shape, has_fixed_shape, is_strictly_ordered
from radia_pipeline.contracts.tables import Column, Contract, contract
from radia_pipeline.errors import ContractViolation

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_KEYED_ROWS = 5
"""How many offending rows a refusal shows: enough to find the cause, few enough to read."""


@dataclass(frozen=True)
class Rule:
    """One check: ``violation`` is a DuckDB condition that holds for the rows that break the rule."""

    name: str
    column: str
    violation: str


@dataclass(frozen=True)
class Violation:
    """A broken rule: how many rows break it, and the keys of the first few."""

    table: str
    column: str
    rule: str
    count: int
    rows: tuple[str, ...]

    def __str__(self) -> str:
        shown = f" (rows {'; '.join(self.rows)})" if self.rows else ""
        return f"{self.column}: {self.rule} broken by {self.count} rows{shown}"


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _column_rules(column: Column) -> list[Rule]:
    name = f'"{column.name}"'
    rules = []
    if column.is_required:
        rules.append(Rule("required", column.name, f"{name} is null"))
    if column.valid_values is not None:
        listed = ", ".join(_literal(value) for value in column.valid_values)
        rules.append(Rule("valid_values", column.name, f"{name} not in ({listed})"))
    if column.minimum is not None:
        rules.append(Rule("minimum", column.name, f"{name} < {column.minimum}"))
    if column.maximum is not None:
        rules.append(Rule("maximum", column.name, f"{name} > {column.maximum}"))
    if str(column.type) in ("float", "double"):
        rules.append(Rule("finite", column.name, f"not isfinite({name})"))
    if column.pattern is not None:
        rules.append(Rule("pattern", column.name, f"not regexp_full_match({name}, {_literal(column.pattern)})"))
    return rules


def rules_of(terms: Contract) -> list[Rule]:
    """Return every row-wise rule of a contract, in the order of its columns."""
    rules = [rule for column in terms.columns.values() for rule in _column_rules(column)]
    rules += [Rule(rule.name, "row", f"not coalesce(({rule.condition}), false)") for rule in terms.row_rules]
    return rules


def check(table: str, data: pa.Table) -> list[Violation]:
    """Return the broken rules of a table that conforms to its schema; an empty list means that it may be published."""
    return check_terms(contract(table), data)


def check_terms(terms: Contract, data: pa.Table) -> list[Violation]:
    """Return the broken rules of a contract, as ``check`` does for one that lies in ``data_contracts/``."""
    import duckdb

    if data.num_rows == 0:
        return []
    rules = [rule for rule in rules_of(terms) if not _holds_at_a_glance(rule, terms, data)]
    counts = [f"count_if({rule.violation})" for rule in rules] or ["0"]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("data", data)
        (found,) = connection.execute(f"select {', '.join(counts)} from data").fetchall()
        violations = [
            Violation(terms.table, rule.column, rule.name, int(count), _keyed_rows(connection, terms, rule.violation))
            for rule, count in zip(rules, found)
            if count
        ]
        repeated = [] if is_strictly_ordered(data, terms.key) else _repeated_keys(connection, terms, data.num_rows)
    return violations + repeated


def _holds_at_a_glance(rule: Rule, terms: Contract, data: pa.Table) -> bool:
    """Tell whether a rule certainly holds without asking DuckDB: no nulls, or values of a fixed shape."""
    if rule.name == "required":
        return data[rule.column].null_count == 0
    shape = fixed_shape(terms.columns[rule.column].pattern) if rule.name == "pattern" else None
    return shape is not None and has_fixed_shape(data[rule.column], shape)


def _key_text(terms: Contract) -> str:
    parts = [f"coalesce(cast(\"{name}\" as varchar), 'null')" for name in terms.key]
    return f"concat_ws('/', {', '.join(parts)})"


def _keyed_rows(connection: DuckDBPyConnection, terms: Contract, condition: str) -> tuple[str, ...]:
    if not terms.key:
        return ()
    query = f"select {_key_text(terms)} from data where {condition} limit {MAX_KEYED_ROWS}"
    return tuple(row[0] for row in connection.execute(query).fetchall())


def _repeated_keys(connection: DuckDBPyConnection, terms: Contract, rows: int) -> list[Violation]:
    if not terms.key:
        return []
    columns = ", ".join(f'"{name}"' for name in terms.key)
    ((distinct,),) = connection.execute(f"select count(*) from (select distinct {columns} from data)").fetchall()
    if distinct == rows:
        return []
    query = (
        f"select {_key_text(terms)} from data group by {columns}, {_key_text(terms)} having count(*) > 1 "
        f"limit {MAX_KEYED_ROWS}"
    )
    shown = tuple(row[0] for row in connection.execute(query).fetchall())
    return [Violation(terms.table, ", ".join(terms.key), "unique", rows - distinct, shown)]


def check_parts(table: str, parts: Iterable[pa.Table]) -> list[Violation]:
    """Return what ``check`` does of rows that come a part at a time, in order of the table's key."""
    terms = contract(table)
    if any(not terms.columns[name].is_required for name in terms.key):
        whole = list(parts)  # nulls stand last, whatever is equal to them
        return check_terms(terms, pa.concat_tables(whole)) if whole else []
    found: dict[tuple[str, str], Violation] = {}
    before: pa.Table | None = None
    for part in parts:
        for violation in [*check_terms(terms, part), *_across(terms, before, part)]:
            known = found.get((violation.column, violation.rule), replace(violation, count=0, rows=()))
            rows = (*known.rows, *violation.rows)[:MAX_KEYED_ROWS]
            found[(violation.column, violation.rule)] = replace(known, count=known.count + violation.count, rows=rows)
        before = part.slice(part.num_rows - 1) if part.num_rows else before
    return list(found.values())


def _across(terms: Contract, before: pa.Table | None, part: pa.Table) -> list[Violation]:
    """Return a key that repeats the last one of the part before, and rows that are in another order than the key's."""
    if not terms.key or not part.num_rows:
        return []
    keys = part.select(list(terms.key))
    keys = keys if before is None else pa.concat_tables([before.select(list(terms.key)), keys])
    if is_strictly_ordered(keys, terms.key) or any(column.null_count for column in keys.columns):
        return []
    name = ", ".join(terms.key)
    if before is not None and keys.slice(0, 1).equals(keys.slice(1, 1)):
        shown = "/".join(str(value) for value in keys.slice(0, 1).to_pylist()[0].values())
        return [Violation(terms.table, name, "unique", 1, (shown,))]
    rows = keys.take(pc.sort_indices(keys, sort_keys=[(column, "ascending") for column in terms.key]))
    return [] if rows.equals(keys) else [Violation(terms.table, name, "order", 1, ())]


def require_parts(table: str, parts: Iterable[pa.Table]) -> None:
    """Raise ContractViolation, naming table, column, rule, count and up to five keyed rows, unless every rule holds."""
    violations = check_parts(table, parts)
    if violations:
        raise ContractViolation(
            f"Table {table} breaks its contract: " + " | ".join(str(violation) for violation in violations),
            do=f"look at data_contracts/{table}.yaml; nothing was published and the previous table is intact",
            table=table,
        )
