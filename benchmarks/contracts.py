"""Contract checks on a large table: seconds, memory, and which planted violations are caught.

Run: ``.venv/bin/python -m benchmarks.contracts [--rows 1000000]``. Times ``contracts.checks`` on 1,000,000 rows of the
first 25 columns of ``images`` and of the whole contract, beside one pass of pyarrow.compute over the same rules, in one
run. Then breaks every rule of every contract once and prints the table of rules and what was caught.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.checks import check, check_terms, rules_of
from radia_pipeline.contracts.tables import Contract, contract, contract_names
from radia_pipeline_tests.contracts.plantings import plantings, valid_table

RESULT = Path(__file__).parent / "results" / "contracts.json"
COLUMNS = 25
REPETITIONS = 5


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


def first_columns(terms: Contract, count: int) -> Contract:
    """Return a contract with its first columns only."""
    return replace(terms, columns=dict(islice(terms.columns.items(), count)))


def caught() -> dict[str, dict[str, list[int]]]:
    """Break each rule of each contract in one row: contract → kind of rule → [caught, planted]."""
    found: dict[str, dict[str, list[int]]] = {}
    for name in contract_names():
        terms = contract(name)
        seen, all_planted = Counter(), Counter()
        for column, rule, table in plantings(terms, valid_table(terms, 9)):
            kind = "row rule" if column == "row" else rule
            all_planted[kind] += 1
            seen[kind] += any((v.column, v.rule) == (column, rule) for v in check(name, table))
        found[name] = {kind: [seen[kind], count] for kind, count in all_planted.items()}
    return found


def timed(terms: Contract, data: pa.Table) -> dict[str, float]:
    """Return the best of several runs in seconds of both ways, and the memory by which ours grew afterwards."""
    ways: dict[str, Callable[[], int]] = {
        "ours": lambda: len(check_terms(terms, data)),
        "pyarrow.compute": lambda: with_pyarrow(terms, data),
    }
    figures = {name: [_timed(work) for _ in range(REPETITIONS)] for name, work in ways.items()}
    before = _memory_mb()
    for _ in range(REPETITIONS):
        check_terms(terms, data)
    middle = statistics(figures)
    return {"rules": len(rules_of(terms)), **middle, "grown_mb": round(_memory_mb() - before, 1)}


def statistics(figures: dict[str, list[float]]) -> dict[str, float]:
    """Return the best and the worst run of each way."""
    return {
        f"{name}, {what}": round(pick(runs), 3)
        for name, runs in figures.items()
        for what, pick in (("best", min), ("worst", max))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    terms = contract("images")
    result: dict = {"rows": rows, "timings": {}}
    for count in (COLUMNS, len(terms.columns)):
        part = first_columns(terms, count)
        figures = timed(part, valid_table(part, rows))
        result["timings"][f"{count} columns"] = figures
        print(f"{rows:,} rows x {count} columns: {figures}", flush=True)
    result["caught"] = caught()
    kinds = sorted({kind for found in result["caught"].values() for kind in found})
    print(f"{'contract':22}" + "".join(f"{kind:>14}" for kind in kinds))
    for name, found in result["caught"].items():
        cells = ("/".join(map(str, found[kind])) if kind in found else "–" for kind in kinds)
        print(f"{name:22}" + "".join(f"{cell:>14}" for cell in cells))
    pairs = [pair for found in result["caught"].values() for pair in found.values()]
    result["caught in all"] = [sum(one for one, _ in pairs), sum(count for _, count in pairs)]
    print("caught in all: {} of {}".format(*result["caught in all"]))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    assert work() == 0
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
