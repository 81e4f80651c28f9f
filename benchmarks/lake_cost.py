"""What proving tables costs: an earlier release and this checkout write and read 1,000,000 rows, turn about in one run.

    python -m benchmarks.lake_cost [--before REVISION] [--rows 1000000]

Tables: `labels`, which compresses well, and `images`, most of whose bytes are hashes that do not. Each round starts
both releases anew (a first reading proves the file) and takes the time of one write of changed rows, of the first
reading, of a second one, and of a single column, each also in processor time. Ratios of the least times, since other
work on a machine only adds to them; the earlier release comes from `git archive`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "lake_cost.json"
BEFORE = "4292d6d3a18b1db66398ef6b0a041892ce5bcefa"
COMPILED_ONCE = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{tempfile.gettempdir()}/lake_cost"}
"""Libraries are compiled in the first round and not again."""
WORK = """
import json, sys, time
import numpy as np, pyarrow as pa, duckdb, pandas
import pyarrow.parquet as pq
from pathlib import Path
from radia_pipeline.contracts.tables import contract
from radia_pipeline.lake.lake import Lake
table, source, root, turn = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
lake, rows = Lake.open(root), pq.read_table(source, partitioning=None)
rows = rows.slice(turn) if turn else rows
found = {}
def timed(name, work):
    since, busy = time.perf_counter(), time.process_time()
    work()
    found[name], found[f"{name}, processor"] = time.perf_counter() - since, time.process_time() - busy
timed("write", lambda: lake.write(table, rows, "nih_cxr14"))
del rows
reader = Lake(root)
if hasattr(sys.modules.get("radia_pipeline.lake.proof"), "_proven"):
    sys.modules["radia_pipeline.lake.proof"]._proven.clear()
timed("first read", lambda: reader.read(table, "nih_cxr14"))
timed("second read", lambda: reader.read(table, "nih_cxr14"))
timed("one column", lambda: reader.read(table, "nih_cxr14", columns=["study_id"]))
print(json.dumps(found))
"""


def hashes(rng, count: int, characters: int):
    """Return that many hexadecimal texts."""
    import pyarrow as pa

    raw = rng.integers(0, 256, (count, characters // 2), dtype="uint8")
    return pa.array([bytes(row).hex() for row in raw])


def labels_table(rows: int):
    """Return rows of ``labels``: studies × classes."""
    import numpy as np
    import pyarrow as pa

    from radia_pipeline.contracts.tables import conform
    from radia_pipeline.contracts.vocabulary import vocabulary

    rng, classes = np.random.default_rng(5), vocabulary().classes
    studies = rows // len(classes) + 1
    at = pa.array(np.repeat(np.arange(studies), len(classes))[:rows])
    said = pa.array(rng.integers(0, 2, rows).astype(np.int8))
    return conform(
        "labels",
        pa.table(
            {
                "source": pa.array(["nih_cxr14"] * rows),
                "study_id": hashes(rng, studies, 32).take(at),
                "patient_key": hashes(rng, studies, 32).take(at),
                "class": pa.array(np.tile(np.array(classes), studies)[:rows]),
                "said": said,
                "value": said,
                "origin": pa.array(["table"] * rows),
            }
        ),
    )


def images_table(rows: int):
    """Return rows of ``images``, repeated from one valid row, with hashes of their own."""
    import numpy as np
    import pyarrow as pa

    from radia_pipeline.contracts.tables import conform
    from radia_pipeline_tests.cohort.lakes import image_row

    rng, row = np.random.default_rng(6), image_row("nih_cxr14", "a.png", "p", "s")
    table = conform("images", [row]).take(pa.array(np.zeros(rows, dtype=np.int64)))
    for name, characters in (
        ("image_id", 32),
        ("study_id", 32),
        ("patient_key", 32),
        ("pixel_sha256", 64),
        ("file_sha256", 64),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), hashes(rng, rows, characters))
    return table


TABLES = {"labels": labels_table, "images": images_table}


def earlier(revision: str, folder: Path) -> Path:
    """Unpack package and contracts of a revision."""
    packed = subprocess.run(
        ["git", "archive", revision, "radia_pipeline", "data_contracts"], cwd=ROOT, capture_output=True, check=True
    )
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def measure(checkout: Path, *arguments: object) -> dict[str, float]:
    """Return seconds of one round in one checkout."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORK, *map(str, arguments)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), **COMPILED_ONCE},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(name: str, table, before: Path, folder: Path, rounds: int) -> dict:
    """Return the least times of both and their ratios."""
    import pyarrow.parquet as pq

    source = folder / f"{name}.parquet"
    pq.write_table(table, source)
    taken: dict[str, list[dict[str, float]]] = {"before": [], "after": []}
    for turn in range(rounds):
        order = [("before", before), ("after", ROOT)]
        for who, checkout in order if turn % 2 else reversed(order):
            taken[who].append(measure(checkout, name, source, folder / f"{who} {name}", turn))
    least = {who: {what: min(one[what] for one in runs) for what in runs[0]} for who, runs in taken.items()}
    ratios = {what: round(least["after"][what] / least["before"][what], 3) for what in least["before"]}
    seconds = {who: {what: round(value, 4) for what, value in one.items()} for who, one in least.items()}
    size = next((folder / f"after {name}" / name).glob("*.parquet")).stat().st_size
    return {"rows": table.num_rows, "megabytes": round(size / 1e6, 1), "seconds": seconds, "after_to_before": ratios}


def main() -> None:
    """Measure, keep, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--table", choices=TABLES, action="append", help="only this one; the others' figures stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = earlier(given.before, folder / "before")
        found = {
            name: {
                **compare(name, TABLES[name](given.rows), before, folder, given.rounds),
                "load_average": round(os.getloadavg()[0], 1),
            }
            for name in given.table or TABLES
        }
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    result = {**known, "before": given.before, "rounds": given.rounds, **found}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
