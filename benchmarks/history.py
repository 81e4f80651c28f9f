"""A year of daily use in a lake's history: sizes, and how long Dagster's pages wait, before and after what is old went.

By hand: ``python benchmarks/history.py`` makes the small demo, takes the logs of its runs as examples of each kind of
run, copies them (rows as Dagster wrote them, ids and times changed) into 365 days of a hospital's use, and asks
Dagster's GraphQL what its pages ask; on SQLite and, where it is installed, on Postgres. ``--example LAKE`` takes the
history of another lake. Exit status 1 where anything is staler, or forgotten that failed, than before.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from sqlalchemy import func, insert, select, text, update

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.history import delivered
from radia_pipeline.defs.move_history import set_database
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.retention import collect_events, collect_runs, size_bytes
from radia_pipeline.defs.stale import FAILED, STALE, due
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.defs.opened import Opened, opened
from radia_pipeline_tests.tracking.cluster import PASSWORD, programs, running

RESULTS = Path(__file__).parent / "results" / "history.json"
DAYS, DAY_S = 365, 86_400.0
TIMES = 5
DAGSTER_ALONE = ("--without", "review", "--without", "mlflow")
REPORT = '["drift_report"]'
SHORT = ("freshness", "upkeep", "backing_up", "collecting_history")
"""Jobs of a few events that run each day; the log of one of them stands for all."""
A_DAY, A_WEEK, A_MONTH = {"ingest": 2, "labels": 2, "cohort": 1, "monitoring": 1}, {"evaluation": 1}, {"training": 1}
"""Group → how often its runs go: two deliveries a day, labels after each, manifests at night, a drift report, a weekly
evaluation, a monthly retraining. Of groups that run by source, one source delivers."""
SENSORS = {
    "new_deliveries": 60,
    "new_readings": 60,
    "notices": 60,
    "new_challenger": 300,
    "drift_retraining": 3600,
    "labels_follow": 30,
}
"""Sensor → seconds between its ticks; those of a week stand, as Dagster's daemon keeps them."""
QUERIES = {
    "runs": "{ runsFeedOrError(limit: 30, view: RUNS) { ... on RunsFeedConnection { results { id runStatus creationTime"
    " startTime endTime jobName tags { key value } assetSelection { path } } } } }",
    "timeline": "{ runsOrError(limit: 500, filter: {updatedAfter: SINCE}) { ... on Runs { results { runId status"
    " startTime endTime pipelineName } } } }",
    "assets": "{ assetNodes { assetKey { path } staleStatus assetMaterializations(limit: 1) { runId timestamp }"
    ' partitionStats { numMaterialized numFailed numPartitions } latestRunForPartition(partition: "ccsmtl")'
    " { status } } }",
    "one asset": '{ assetOrError(assetKey: {path: ["manifest"]}) { ... on Asset { assetMaterializations(limit: 50) {'
    " runId timestamp partition metadataEntries { label } } } } }",
    "automation": '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",'
    ' repositoryLocationName: "radia_pipeline"}) { ... on Sensors { results { name sensorState {'
    " ticks(limit: 25) { tickId status timestamp } runsCount } } } } }",
    "jobs": "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on RepositoryLocation"
    " { repositories { jobs { name runs(limit: 5) { runId status } } } } } } } } }",
}
"""What a page asks first, with the fields that touch the history."""


def grow(lake: Lake, days: int) -> dict[str, Any]:
    """Let a history be one of ``days`` of use; returns how many runs and events were added."""
    with instance_of(lake) as instance:
        examples = examples_of(instance)
        rng, count, begun = random.Random(0), Counter(), time.time() - days * DAY_S
        copier = Copier(instance)
        for day in range(days):
            midnight_s = begun + day * DAY_S
            wanted = dict(A_DAY) | (A_WEEK if day % 7 == 6 else {}) | (A_MONTH if day % 30 == 29 else {})
            asked = [
                (run, midnight_s + rng.uniform(0.1, 0.9) * DAY_S, _day(midnight_s) if group == "monitoring" else None)
                for group, times in wanted.items()
                for _ in range(times)
                for run in examples[group]
            ]
            asked += [(examples["short"][0], midnight_s + 3600 * number, None) for number, _ in enumerate(SHORT)]
            count["events"] += copier.add(sorted(asked, key=lambda one: one[1]))
            count["runs"] += len(asked)
        copier.end()
        for name, every_s in SENSORS.items():
            count["ticks"] += tick(instance, name, every_s)
    return dict(count)


def examples_of(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """Return, by group, the runs of the example that stand for one of its kind: those that ended well, each kind once,
    those by source for one source."""
    graph = build_defs(lake_root=Path(os.environ["RADIA_LAKE"])).resolve_asset_graph()
    found: dict[str, list[str]] = {group: [] for group in (*A_DAY, *A_WEEK, *A_MONTH, "short")}
    seen = set()
    for record in instance.get_run_records(ascending=True):
        run = record.dagster_run
        keys = sorted(key.to_user_string() for key in run.asset_selection or ())
        source = run.tags.get("dagster/partition")
        if not run.is_success or not keys or source not in (None, "ccsmtl") or tuple(keys) in seen:
            continue
        seen.add(tuple(keys))
        key = dg.AssetKey.from_user_string(keys[0])
        group = graph.get(key).group_name if graph.has(key) else "training"  # a recipe that the lake has no more
        if group in found:
            found[group].append(run.run_id)
        if keys == ["manifest"]:
            found["short"].append(run.run_id)  # one step that says little
    found["monitoring"] = found["monitoring"] or found["labels"][:1]
    found["short"] = found["short"][:1] or found["labels"][:1]
    return found


@dataclass(frozen=True)
class Example:
    """A run's rows as Dagster wrote them."""

    run: dict[str, Any]
    tags: list[dict[str, Any]]
    events: list[dict[str, Any]]
    event_tags: list[dict[str, Any]]
    checks: list[dict[str, Any]]


class Copier:
    """Adds runs like others that ended at other times: the same rows under other ids, all of a day in one go."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self._examples = instance, {}
        self._is_sqlite = isinstance(instance.event_log_storage, SqliteEventLogStorage)
        with instance.event_log_storage.index_connection() as connection:
            self._next = 1 + connection.scalar(select(func.max(SqlEventLogStorageTable.c.id)))

    def _example(self, run: str) -> Example:
        if run not in self._examples:
            events, tags, checks = SqlEventLogStorageTable, AssetEventTagsTable, AssetCheckExecutionsTable
            with self._instance.run_storage.connect() as connection:
                row = _rows(connection, select(RunsTable).where(RunsTable.c.run_id == run))[0]
                run_tags = _rows(connection, select(RunTagsTable).where(RunTagsTable.c.run_id == run))
            with self._instance.event_log_storage.index_connection() as connection:
                found = _rows(connection, select(events).where(events.c.run_id == run).order_by(events.c.id))
                ids = [one["id"] for one in found]
                event_tags = _rows(connection, select(tags).where(tags.c.event_id.in_(ids)))
                executions = _rows(connection, select(checks).where(checks.c.run_id == run))
            self._examples[run] = Example(row, run_tags, found, event_tags, executions)
        return self._examples[run]

    def add(self, asked: list[tuple[str, float, str | None]]) -> int:
        """Add runs: which they are like, when they end, and the day whose drift report they made, if they did;
        returns how many events."""
        rows: dict[Any, list[dict[str, Any]]] = {}
        last, count = {}, 0
        for run, at_s, day in asked:
            one, new = self._example(run), str(uuid.uuid4())
            shift = dt.timedelta(seconds=at_s - one.run["end_time"])
            ended = dt.datetime.fromtimestamp(at_s, dt.UTC).replace(tzinfo=None)
            rows.setdefault(RunsTable, []).append(
                _without_id(one.run)
                | {
                    "run_id": new,
                    "run_body": one.run["run_body"].replace(run, new),
                    "create_timestamp": ended,
                    "update_timestamp": ended,
                    "start_time": one.run["start_time"] + shift.total_seconds(),
                    "end_time": at_s,
                }
            )
            rows.setdefault(RunTagsTable, []).extend(_without_id(tag) | {"run_id": new} for tag in one.tags)
            ids = {event["id"]: self._next + number for number, event in enumerate(one.events)}
            self._next += len(ids)
            is_day = {"asset_key": REPORT, "partition": day} if day else {}
            for event in one.events:
                moved = {
                    "id": ids[event["id"]],
                    "run_id": new,
                    "event": event["event"].replace(run, new),
                    "timestamp": event["timestamp"] + shift,
                }
                rows.setdefault(SqlEventLogStorageTable, []).append(
                    event | moved | (is_day if event["asset_key"] else {})
                )
                if event["asset_key"]:
                    last[event["asset_key"]] = new
            rows.setdefault(AssetEventTagsTable, []).extend(
                _without_id(tag) | {"event_id": ids[tag["event_id"]]} | ({"asset_key": REPORT} if day else {})
                for tag in one.event_tags
            )
            if not day:
                rows.setdefault(AssetCheckExecutionsTable, []).extend(
                    _without_id(check)
                    | {"run_id": new, "evaluation_event_storage_id": ids.get(check["evaluation_event_storage_id"])}
                    for check in one.checks
                )
            count += self._copy_file(run, new, shift.total_seconds()) if self._is_sqlite else len(ids)
        with self._instance.run_storage.connect() as connection:
            for table in (RunsTable, RunTagsTable):
                connection.execute(insert(table), rows[table])
        with self._instance.event_log_storage.index_connection() as connection:
            for table in (SqlEventLogStorageTable, AssetEventTagsTable, AssetCheckExecutionsTable):
                if rows.get(table):
                    connection.execute(insert(table), rows[table])
            for key, run in last.items():
                connection.execute(
                    update(AssetKeyTable).where(AssetKeyTable.c.asset_key == key).values(last_run_id=run)
                )
        return count

    def _copy_file(self, run: str, new: str, shift_s: float) -> int:
        log = self._instance.event_log_storage
        path = shutil.copy(log.path_for_shard(run), log.path_for_shard(new))
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            return database.execute(
                "update event_logs set run_id = ?, event = replace(event, ?, ?), timestamp = strftime("
                "'%Y-%m-%d %H:%M:%f', timestamp, ?)",
                (new, run, new, f"{shift_s:+f} seconds"),
            ).rowcount

    def end(self) -> None:
        """Let Postgres go on counting after what was added."""
        if not self._is_sqlite:
            with self._instance.event_log_storage.index_connection() as connection:
                connection.execute(
                    text("select setval(pg_get_serial_sequence('event_logs', 'id'), :last)"), {"last": self._next}
                )


def _rows(connection, wanted) -> list[dict[str, Any]]:
    return [dict(one) for one in connection.execute(wanted).mappings()]


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def tick(instance: dg.DagsterInstance, name: str, every_s: float) -> int:
    """Add the week of ticks of a sensor that found nothing; returns how many."""
    count, now_s = int(7 * DAY_S / every_s), time.time()
    tables = instance.schedule_storage
    told = TickData(f"origin of {name}", name, InstigatorType.SENSOR, TickStatus.SKIPPED, now_s, selector_id=name)
    instance.create_tick(told)
    from dagster._core.storage.schedules.schema import JobTickTable as ticks

    with tables.connect() as connection:
        one = dict(connection.execute(select(ticks).order_by(ticks.c.id.desc()).limit(1)).mappings().one())
        del one["id"]
        rows = [
            {**one, "timestamp": one["timestamp"] - dt.timedelta(seconds=number * every_s)}
            for number in range(count, 0, -1)
        ]
        connection.execute(insert(ticks), rows)
    return count


def _day(at_s: float) -> str:
    return dt.datetime.fromtimestamp(at_s, dt.UTC).date().isoformat()


def state(lake: Lake) -> dict[str, Any]:
    """Return what retention must leave as it is: what is due, and the newest of each asset and partition."""
    definitions, sources = build_defs(lake_root=lake.root), delivered(lake)
    with instance_of(lake) as instance:
        told: dict[str, Any] = {
            what: [(one.asset, one.partition, one.why) for one in due(definitions, instance, sources, what)]
            for what in (STALE, FAILED)
        }
        events = SqlEventLogStorageTable.c
        newest = select(events.asset_key, events.partition, events.dagster_event_type, func.max(events.id)).where(
            events.asset_key.is_not(None),
            events.dagster_event_type.not_like("FRESHNESS%"),  # the daemon's, not runs'
        )
        newest = newest.group_by(events.asset_key, events.partition, events.dagster_event_type)
        with instance.event_log_storage.index_connection() as connection:
            told["newest"] = sorted(map(str, connection.execute(newest).all()))
    return told


def asked(pages: Opened) -> dict[str, dict[str, float]]:
    """Return by page how long its query takes: seconds of the clock, and of processor in Dagster's web server and the
    code server, which other work on the machine moves less. Medians of some, the first left out."""
    found = {}
    for name, query in QUERIES.items():
        said, took, worked = query.replace("SINCE", str(time.time() - DAY_S)), [], []
        for _ in range(TIMES + 1):
            begun, worked_s = time.monotonic(), _worked_s(pages)
            answer = pages.ask(said)
            took.append(time.monotonic() - begun)
            worked.append(_worked_s(pages) - worked_s)
            assert answer is not None and "PythonError" not in json.dumps(answer), (name, answer)
        found[name] = {"s": round(statistics.median(took[1:]), 3), "cpu_s": round(statistics.median(worked[1:]), 3)}
    return found


def _worked_s(pages: Opened) -> float:
    """Return the seconds of processor that the servers behind Dagster's page have used."""
    found = 0.0
    for name in ("Dagster", "code server"):
        for process in (own := pages.process(name), *own.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                found += used.user + used.system
    return found


def measured(lake: Lake, days: int) -> dict[str, Any]:
    """Ask a lake's pages, grow its history, ask them, let what is old go, and ask again."""
    told: dict[str, Any] = {"days": days}
    with opened(lake, *DAGSTER_ALONE) as pages:
        told["example"] = {**_size(lake), "pages": asked(pages)}
    begun = time.monotonic()
    told |= {"added": grow(lake, days), "grown_in_s": round(time.monotonic() - begun, 1)}
    before = state(lake)
    with opened(lake, *DAGSTER_ALONE) as pages:
        told["before"] = {**_size(lake), "pages": asked(pages)}
        with instance_of(lake) as instance:
            for name, collect, keep in (("runs", collect_runs, 90), ("events", collect_events, 30)):
                begun = time.monotonic()
                found = collect(instance, keep_days=keep)
                told[name] = {**vars(found), "took_s": round(time.monotonic() - begun, 1)}
        told["after"] = {**_size(lake), "pages": asked(pages)}
    after = state(lake)
    told["compared"] = {what: len(found) for what, found in before.items()}
    told["differs"] = {
        what: [one for one in [*found, *after[what]] if (one in found) != (one in after[what])]
        for what, found in before.items()
        if found != after[what]
    }
    told["is_the_same"] = not told["differs"]
    return told


def _size(lake: Lake) -> dict[str, Any]:
    with instance_of(lake) as instance:
        return {"runs": instance.get_runs_count(), "mb": _mb(instance), "files": _files(instance)}


def _mb(instance: dg.DagsterInstance) -> float:
    return round(size_bytes(instance) / 1e6, 1)


def _files(instance: dg.DagsterInstance) -> int:
    return sum(len(names) for _, _, names in os.walk(instance.root_directory))


@contextlib.contextmanager
def copied(example: Path, base: str) -> Iterator[Lake]:
    """Yield a copy of a lake whose history lies in SQLite or in a Postgres of its own."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        for suffix in ("", ".history"):
            shutil.copytree(example.with_name(example.name + suffix), folder / f"lake{suffix}")
        lake = Lake.open(folder / "lake", create=False)
        os.environ["RADIA_LAKE"] = os.fspath(lake.root)
        if base == "postgres":
            os.environ["PGPASSWORD"] = PASSWORD
            set_database(lake, held.enter_context(running()).make("year"))
        yield lake


def main() -> int:
    """Simulate the year on each base; keep and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--example", type=Path, help="whose history gives the examples (default: the small demo)")
    parser.add_argument("--bases", nargs="+", choices=("sqlite", "postgres"), default=("sqlite", "postgres"))
    parser.add_argument("--keep", action="store_true", help="write results/history.json")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, shared: compare within one base"}
    with tempfile.TemporaryDirectory() as folder:
        example = options.example
        if example is None:
            from radia_pipeline.defs.demo import run_demo

            run_demo(example := Path(folder) / "demo", is_small=True, is_fresh=True)
        for base in options.bases:
            if base == "postgres" and programs() is None:
                continue
            with copied(example.absolute(), base) as lake:
                found[base] = measured(lake, options.days)
            sys.stderr.write(json.dumps({base: found[base]}) + "\n")
            if options.keep:
                RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return int(not all(found[base]["is_the_same"] for base in options.bases if base in found))


if __name__ == "__main__":
    sys.exit(main())
