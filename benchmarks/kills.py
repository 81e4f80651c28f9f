"""Every process of an open lake is killed while it works, again and again, on Postgres and on SQLite: what is left?

By hand: ``python benchmarks/kills.py --times 10`` kills run worker, step, trainer, MLflow, code server, daemon, web
server and database that often on each base, after eight runs at once on Postgres. Exit status 1 where something was
left after a minute, lost or doubled, and where a run ended as it should not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from radia_pipeline.defs.move_history import set_database
from radia_pipeline.defs.ui import CODE_SERVER, DAEMON, DAGSTER
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.defs.killing import (
    ALL_SOURCES,
    FILMS,
    FIRST,
    SECOND,
    SOURCES,
    Ward,
    make_lake,
    warded,
    whole,
    window,
)
from radia_pipeline_tests.defs.opened import wait_for
from radia_pipeline_tests.tracking.cluster import PASSWORD, running

RESULTS = Path(__file__).parent / "results" / "kills.json"
POSTGRES, SQLITE = "postgres", "sqlite"
PATIENCE_S = 1800.0
NONE: dict[str, Any] = {"ended": {}}


@contextlib.contextmanager
def based(lake: Lake, base: str) -> Iterator[Callable[[], None] | None]:
    """Let a lake's histories lie in a server of its own or beside it; yields how that is killed, if there is one."""
    if base == SQLITE:
        yield None
        return
    os.environ["PGPASSWORD"] = PASSWORD
    with running() as cluster:
        set_database(lake, cluster.make("radia"))
        yield cluster.crash


def at_once(ward: Ward) -> dict[str, Any]:
    """Read every delivery's films and two deliveries' reports, all at once; returns how the runs ended, and how many
    of them were at work in the same moment."""
    begun, most = time.monotonic(), 0
    runs = [ward.pages.launch_together(*FILMS, partition=name) for name in ALL_SOURCES]
    runs += [ward.pages.launch("reports", partition=name) for name in SOURCES]

    def have_ended() -> bool:
        nonlocal most
        most = max(most, sum(map(ward.goes_on, runs)))
        return all(map(ward.has_ended, runs))

    wait_for(have_ended, PATIENCE_S, "every run has ended")
    ended = Counter(ward.run(run).status.value for run in runs)
    return {"runs": len(runs), "most_at_once": most, "ended": ended, "seconds": round(time.monotonic() - begun, 1)}


def play(base: str, times: int, seed: int, told: Callable[[dict[str, Any]], None]) -> None:
    """Kill each victim ``times`` times on one base; ``told`` hears of each window, to keep when it is cut."""
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder), patients=6, trained=600, others=2)
        words = ("--without", "review")
        with based(lake, base) as kill, warded(lake, *words, kill_database=kill, patience_s=PATIENCE_S) as ward:
            ward.chance = random.Random(seed)
            if base == POSTGRES:
                told({"base": base, "at_once": at_once(ward)})
            for _ in range(times):
                for victims in (FIRST, SECOND):
                    told({"base": base, **window(ward, victims)})
            told({"base": base, "lost_or_doubled": whole(ward)})


def table(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return by base how often each victim was killed and how the runs ended that it worked for; of the windows how
    many there were, what was left, the slowest in seconds until nothing was; what was lost or doubled in the end."""
    found: dict[str, Any] = {}
    for one in rounds:
        of_base = found.setdefault(one["base"], {"victims": {}, "windows": 0, "left": [], "slowest_s": 0.0})
        if "lost_or_doubled" in one:
            of_base["lost_or_doubled"] = sorted({*of_base.get("lost_or_doubled", ()), *one["lost_or_doubled"]})
        elif "at_once" in one:
            of_base.setdefault("at_once", []).append(one["at_once"])
        else:
            of_base["windows"] += 1
            of_base["left"] += [f"{', '.join(one['killed'])}: {what}" for what in one["left"]]
            of_base["slowest_s"] = max(of_base["slowest_s"], one["held_after_s"])
            for name in one["killed"]:
                row = of_base["victims"].setdefault(name, {"killed": 0, "ended": {}})
                row["killed"] += 1
                how = one["ended"][name]
                row["ended"][how] = row["ended"].get(how, 0) + 1
    return found


def wrong(found: dict[str, Any]) -> list[str]:
    """Return what of a table is not as it must be: anything left, lost or doubled, and runs that died with a server."""
    said = []
    for base, of_base in found.items():
        said += [f"{base}: {what}" for what in (*of_base["left"], *of_base.get("lost_or_doubled", ()))]
        said += [f"{base}: {one}" for one in of_base.get("at_once", ()) if one["ended"] != {"SUCCESS": one["runs"]}]
        if base == SQLITE:
            ends = {
                how for name in (CODE_SERVER, DAEMON, DAGSTER) for how in of_base["victims"].get(name, NONE)["ended"]
            }
            said += [f"{base}: a run ended in {how} when a server was killed" for how in sorted(ends - {"SUCCESS"})]
    return said


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
        play(base, options.times, len(rounds), told)
    found = table(rounds)
    print(json.dumps(found, indent=2))
    for what in wrong(found):
        sys.stderr.write(f"{what}\n")
    return int(bool(wrong(found)))


if __name__ == "__main__":
    sys.exit(main())
