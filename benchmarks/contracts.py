"""Contract checks on a large table: seconds, memory, and which planted violations are caught.

Prints the time of ``contracts.checks.check`` on 1,000,000 rows of ``pseudo_boxes``-like and ``labels`` data and of a
25-column view of ``images``, beside one pass of pyarrow.compute over the same rules, in one run.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.checks import check, rules_of
from radia_pipeline.contracts.tables import Contract, contract

RESULT = Path(__file__).parent / "results" / "contracts.json"


def images_table(rows: int) -> pa.Table:
    """Return a valid ``images`` table with ``rows`` rows (33 columns)."""
    terms = contract("images")
    ids = pa.array([f"{n:032x}" for n in range(rows)])
    long_hash = pa.array([f"{n:064x}" for n in range(rows)])
    phash = pa.array([f"{n:016x}" for n in range(rows)])
    columns = {}
    for column in terms.columns.values():
        if column.pattern and "{64}" in column.pattern:
            columns[column.name] = long_hash
        elif column.pattern and "{32}" in column.pattern:
            columns[column.name] = ids
        elif column.pattern and "{16}" in column.pattern:
            columns[column.name] = phash
        elif column.pattern:
            columns[column.name] = pa.array(["20200101"] * rows)
        elif column.valid_values:
            columns[column.name] = pa.array(np.resize(np.array(column.valid_values, dtype=object), rows))
        elif column.type == pa.string():
            columns[column.name] = pa.array(["text"] * rows)
        elif pa.types.is_list(column.type):
            columns[column.name] = pa.array([[]] * rows, column.type)
        elif column.type == pa.float64():
            columns[column.name] = pa.array(np.full(rows, 0.5))
        else:
            columns[column.name] = pa.array(np.full(rows, 16), column.type)
    return pa.table([columns[name] for name in terms.schema.names], schema=terms.schema)


def with_pyarrow(terms: Contract, data: pa.Table) -> int:
    """Count violations of the same column rules with pyarrow.compute, one pass a rule."""
    found = 0
    for column in terms.columns.values():
        values = data[column.name]
        if column.is_required:
            found += values.null_count
        if column.valid_values is not None:
            known = pc.is_in(values, pa.array(column.valid_values, column.type))
            found += pc.sum(pc.and_(pc.invert(known), pc.is_valid(values))).as_py()
        if column.minimum is not None:
            found += pc.sum(pc.less(values, column.minimum)).as_py() or 0
        if column.pattern is not None:
            found += pc.sum(pc.invert(pc.match_substring_regex(values, column.pattern))).as_py() or 0
    keys = data.select(list(terms.key)).group_by(list(terms.key)).aggregate([])
    return found + data.num_rows - keys.num_rows


def planted(data: pa.Table) -> dict[str, bool]:
    """Break every rule of the contract in one row and say whether the check names it."""
    terms = contract("images")
    caught = {}
    for rule in rules_of(terms):
        if rule.column == "row":
            continue
        column = terms.columns[rule.column]
        bad = {
            "required": None,
            "valid_values": "∅",
            "minimum": -1e9,
            "maximum": 1e9,
            "finite": float("nan"),
            "pattern": "x",
        }
        value = bad[rule.name]
        if column.type in (pa.int8(), pa.int16(), pa.int32()) and value is not None:
            value = -100 if value < 0 else 100
        changed = pa.concat_arrays([pa.array([value], column.type), data[rule.column].combine_chunks().slice(1)])
        place = data.schema.get_field_index(rule.column)
        loose = data.set_column(place, pa.field(rule.column, column.type), changed)
        caught[f"{rule.column}.{rule.name}"] = any(
            v.rule == rule.name and v.column == rule.column for v in check("images", loose)
        )
    twice = pa.concat_tables([data, data.slice(0, 1)])
    caught["key.unique"] = any(v.rule == "unique" for v in check("images", twice))
    return caught


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    data = images_table(rows)
    terms = contract("images")
    timings = {}
    for name, work in (
        ("duckdb (ours)", lambda: len(check("images", data))),
        ("pyarrow.compute", lambda: with_pyarrow(terms, data)),
    ):
        best = min(_timed(work) for _ in range(3))
        timings[name] = best
        print(f"{name:18} {best:6.2f} s   ratio to ours {best / timings['duckdb (ours)']:.2f}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        check("images", data)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    caught = planted(images_table(1000))
    print(
        f"{rows:,} rows x {len(terms.columns)} columns, {len(rules_of(terms))} rules; "
        f"memory grew {grown:.0f} MB in 5 more checks"
    )
    print(f"planted violations caught: {sum(caught.values())} of {len(caught)}")
    for name, is_caught in caught.items():
        if not is_caught:
            print(f"  missed: {name}")
    RESULT.write_text(
        json.dumps(
            {"rows": rows, "columns": len(terms.columns), "seconds": timings, "grown_mb": grown, "caught": caught},
            indent=1,
        )
        + "\n"
    )


def _timed(work) -> float:
    started = time.perf_counter()
    assert work() == 0
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
