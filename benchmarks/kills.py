"""Every process of an open lake is killed while it works, again and again, on Postgres and on SQLite: what is left?

By hand: ``python benchmarks/kills.py --times 10`` kills run worker, step, trainer, MLflow, code server, daemon, web
server and database that often on each base. Exit status 1 where something was left after a minute, lost or doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from radia_pipeline.defs.move_history import set_database
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.defs.killing import FIRST, SECOND, make_lake, warded, whole, window
from radia_pipeline_tests.tracking.cluster import PASSWORD, running

RESULTS = Path(__file__).parent / "results" / "kills.json"
POSTGRES, SQLITE = "postgres", "sqlite"
PATIENCE_S = 1800.0


@contextlib.contextmanager
def based(lake: Lake, base: str) -> Iterator[Callable[[], None] | None]:
    """Let a lake's histories lie in a server of its own or beside it; yields how that is killed, if there is one."""
    if base == SQLITE:
        yield None
        return
    os.environ["PGPASSWORD"] = PASSWORD
    with running() as cluster:
        set_database(lake, cluster.make("radia"))

        def kill() -> None:
            cluster.kill()
            cluster.start()

        yield kill


def play(base: str, times: int, told: Callable[[dict[str, Any]], None]) -> None:
    """Kill each victim ``times`` times on one base; ``told`` hears of each round, so that a cut run keeps its table."""
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), patients=6, trained=300)
        with based(lake, base) as kill, warded(lake, kill_database=kill, patience_s=PATIENCE_S) as ward:
            for _ in range(times):
                for victims in (FIRST, SECOND):
                    begun = time.monotonic()
                    for name, found in window(ward, victims, PATIENCE_S):
                        told({"base": base, "victim": name, "since_s": round(time.monotonic() - begun, 1), **found})
                told({"base": base, "lost_or_doubled": whole(ward, PATIENCE_S)})


def table(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, by base and victim: how often killed, in how many of them something was left, the slowest in seconds."""
    found: dict[str, Any] = {}
    for one in rounds:
        of_base = found.setdefault(one["base"], {})
        if "lost_or_doubled" in one:
            of_base["rounds"] = of_base.get("rounds", 0) + 1
            of_base["lost_or_doubled"] = sorted({*of_base.get("lost_or_doubled", ()), *one["lost_or_doubled"]})
        elif one["killed"]:
            row = of_base.setdefault(one["victim"], {"killed": 0, "left_something": 0, "left": [], "slowest_s": 0.0})
            row["killed"] += 1
            row["left_something"] += bool(one["left"])
            row["left"] = sorted({*row["left"], *one["left"]})
            row["slowest_s"] = max(row["slowest_s"], one["held_after_s"])
    return found


def main() -> int:
    """Kill, keep the table, print it; 0 where nothing was left, lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--bases", nargs="+", choices=(POSTGRES, SQLITE), default=(POSTGRES, SQLITE))
    parser.add_argument("--keep", action="store_true", help="write results/kills.json")
    parser.add_argument("--rounds", type=Path, help="file of rounds, one a line, to which this call adds its own")
    options = parser.parse_args()
    rounds: list[dict[str, Any]] = []
    if options.rounds and options.rounds.exists():
        rounds += map(json.loads, options.rounds.read_text(encoding="utf-8").splitlines())

    def told(one: dict[str, Any]) -> None:
        rounds.append(one)
        if options.rounds:
            with options.rounds.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(one) + "\n")
        sys.stderr.write(json.dumps(one) + "\n")
        if options.keep:
            RESULTS.write_text(json.dumps(table(rounds), indent=2) + "\n", encoding="utf-8")

    for base in options.bases:
        play(base, options.times, told)
    found = table(rounds)
    print(json.dumps(found, indent=2))
    return int(any(one.get("left") or one.get("lost_or_doubled") for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
