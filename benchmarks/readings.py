"""The store of readings at 0 and at 50,000 lines, and its verification.

Append times are printed beside the disk's own fsync of the same minute: the ratio of the two appends is the claim,
since the machine may be shared. Whether figures on sets hold for the pool is measured by ``reading_sets.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import READ, file_of, record_of
from radia_pipeline.readings.membership import sha256_of
from radia_pipeline.readings.reading import Reading, as_record
from radia_pipeline.readings.store import Store

RESULT = Path(__file__).parent / "results" / "readings.json"
APPENDS = 200


def a_reading(number: int) -> Reading:
    """Return a reading of all classes, as the page would hand it on."""
    answers = dict.fromkeys(vocabulary().classes, 0)
    return Reading("ccsmtl", f"{number:032x}", "r1", "blind", f"k-{number}", answers, tuple(answers), set_id="s")


def with_set(lake: Lake, studies: int) -> Lake:
    """Close a set of so many studies; returns the lake."""
    fixed = {
        "set_id": "s",
        "source": "ccsmtl",
        "pool": "test",
        "stratum": "rest",
        "inclusion_probability": 0.5,
        "seed": 0,
        "frame_studies": studies,
        "frame_groups": studies,
        "vocabulary_version": vocabulary().version,
    }
    rows = [{**fixed, "study_id": f"{number:032x}", "group_id": f"{number:032x}"} for number in range(studies)]
    sha256 = sha256_of(rows)
    Store(lake).close_set("s", sha256)
    lake.write("reading_sets", [{**row, "members_sha256": sha256} for row in rows])
    return lake


def p95_s(values: list[float]) -> float:
    """Return the 95th percentile."""
    return float(np.quantile(values, 0.95))


def fsync_s(folder: Path) -> list[float]:
    """Return how long the disk takes to make 2,000 appended bytes durable, often."""
    found = []
    with (folder / "probe").open("ab", buffering=0) as file:
        for _ in range(APPENDS):
            file.write(b"x" * 2000)
            start = time.perf_counter()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - start)
    return found


def append_s(store: Store, first: int) -> list[float]:
    """Return how long each of APPENDS appends takes."""
    found = []
    for number in range(first, first + APPENDS):
        reading = a_reading(number)
        start = time.perf_counter()
        store.append(reading)
        found.append(time.perf_counter() - start)
    return found


def store_times(folder: Path, lines: int) -> dict[str, float]:
    """Measure appends in turn to an empty store and to one of so many lines, and the verification of the long one."""
    studies = lines + 4 * APPENDS
    short, long = (with_set(Lake.open(folder / name), studies) for name in ("short", "long"))
    file_of(long).append(record_of(number + 1, READ, as_record(a_reading(number))) for number in range(1, lines + 1))
    start = time.perf_counter()
    many = Store(long)
    verified_s = time.perf_counter() - start
    few, at_0, at_many, disk = Store(short), [], [], fsync_s(folder)
    for place in range(3):
        at_0 += append_s(few, place * APPENDS)
        at_many += append_s(many, lines + 1 + place * APPENDS)
    return {
        "lines": lines,
        "append_at_0_p95_ms": 1000 * p95_s(at_0),
        "append_at_many_p95_ms": 1000 * p95_s(at_many),
        "append_ratio_p95": p95_s(at_many) / p95_s(at_0),
        "append_ratio_median": float(np.median(at_many) / np.median(at_0)),
        "fsync_p95_ms": 1000 * p95_s(disk),
        "verification_s": verified_s,
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = store_times(Path(folder), options.lines)
    result = {"machine": f"{os.cpu_count()} cores, shared", "store": store}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
