"""Keeps a lake's Dagster history small: old runs go, and of old runs that stay their figures and not every line.

What is newest stays whatever its age: of each asset and partition the newest materialization, plan, failure and check,
of each sensor and schedule the newest run, and what a run that stays was begun again from. So data versions, what is
stale and what failed are the same before and after. Not here: MLflow's runs (``tracking/collect``), tables' versions
(``lake/collect``), ticks of what is switched on, which Dagster's daemon deletes (``instance``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import BackfillTagsTable, BulkActionsTable, RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG, SCHEDULE_NAME_TAG, SENSOR_NAME_TAG
from sqlalchemy import Column, MetaData, ScalarSelect, Table, delete, func, or_, select

DAY_S = 24 * 3600.0
AT_ONCE = 200
"""Runs of one transaction: pages and runs that write wait for no longer than that."""
SPARE = 0.25
"""Share of a file of SQLite that must be empty before it is written anew without it."""
_BUSY_S = 30.0
_CHATTER = frozenset(
    one.value
    for one in (
        DagsterEventType.ENGINE_EVENT,
        DagsterEventType.LOGS_CAPTURED,
        DagsterEventType.HANDLED_OUTPUT,
        DagsterEventType.LOADED_INPUT,
        DagsterEventType.STEP_INPUT,
        DagsterEventType.STEP_WORKER_STARTING,
        DagsterEventType.STEP_WORKER_STARTED,
        DagsterEventType.RESOURCE_INIT_STARTED,
        DagsterEventType.RESOURCE_INIT_SUCCESS,
        DagsterEventType.OBJECT_STORE_OPERATION,
        DagsterEventType.HOOK_COMPLETED,
        DagsterEventType.HOOK_SKIPPED,
    )
)
"""Events that tell how a run was executed and not what came of it; lines of loggers have no type and go likewise."""


@dataclass(frozen=True)
class Collected:
    """What a collection came to: ``runs``: how many there were; ``deleted``: how many of them went; ``needed``: how
    many are older and stay; ``events``: events that went (none are counted on a dry run); ``ticks``: of sensors and
    schedules; ``freed_bytes``: files that became smaller, 0 in Postgres, which uses the room again by itself."""

    runs: int = 0
    deleted: int = 0
    needed: int = 0
    events: int = 0
    ticks: int = 0
    freed_bytes: int = 0


def collect_runs(
    instance: dg.DagsterInstance, *, keep_days: float, dry_run: bool = False, now_s: float | None = None
) -> Collected:
    """Delete runs that ended more than ``keep_days`` ago and that nothing needs, with their events, logs and files.

    Cut off, the next one goes on: a run's row goes last. ``dry_run`` only counts.
    """
    before, old = size_bytes(instance), _ended_before(instance, _deadline(keep_days, now_s))
    kept = old & needed_runs(instance, old)
    going = sorted(old - kept)
    events = 0
    if not dry_run:
        for batch in _batches(going):
            events += _delete(instance, batch)
        _delete_backfills(instance, _deadline(keep_days, now_s))
        compact(instance)
    freed = 0 if dry_run else max(0, before - size_bytes(instance))
    return Collected(instance.get_runs_count() + len(going) * (not dry_run), len(going), len(kept), events, 0, freed)


def collect_events(
    instance: dg.DagsterInstance, *, keep_days: float, dry_run: bool = False, now_s: float | None = None
) -> Collected:
    """Delete what runs that ended more than ``keep_days`` ago said while they worked, and ticks as old.

    Their outcome stays: plans, materializations, checks, starts, ends and failures of steps and of the run.
    """
    deadline = _deadline(keep_days, now_s)
    before, old = size_bytes(instance), sorted(_ended_before(instance, deadline))
    if dry_run:
        return Collected(instance.get_runs_count(), needed=len(old))
    events = sum(_thin(instance, batch) for batch in _batches(old))
    ticks = _delete_ticks(instance, deadline)
    compact(instance)
    freed = max(0, before - size_bytes(instance))
    return Collected(instance.get_runs_count(), needed=len(old), events=events, ticks=ticks, freed_bytes=freed)


def needed_runs(instance: dg.DagsterInstance, old: Collection[str]) -> set[str]:
    """Return the runs that stay whatever their age. ``old``: those that would go."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    of_assets = select(func.max(events.id)).where(events.asset_key.is_not(None))
    of_assets = of_assets.group_by(events.asset_key, events.dagster_event_type, events.partition)
    of_checks = select(func.max(checks.id)).group_by(
        checks.asset_key, checks.check_name, checks.partition, checks.execution_status
    )
    with _log(instance).index_connection() as connection:
        found = set(connection.scalars(select(events.run_id).where(events.id.in_(of_assets))))
        found |= set(connection.scalars(select(checks.run_id).where(checks.id.in_(of_checks))))
        found |= set(connection.scalars(select(AssetKeyTable.c.last_run_id)))
        # SQLite gives the number of a last row that is gone again, and sensors count by it
        found |= set(connection.scalars(select(events.run_id).where(events.id == _newest(SqlEventLogStorageTable))))
    runs, tags = RunsTable.c, RunTagsTable.c
    of_automation = (
        select(func.max(runs.id))
        .select_from(RunsTable.join(RunTagsTable, runs.run_id == tags.run_id))
        .where(tags.key.in_((SENSOR_NAME_TAG, SCHEDULE_NAME_TAG)))
        .group_by(tags.key, tags.value)
    )
    with _runs(instance).connect() as connection:
        newest = or_(runs.id.in_(of_automation), runs.id == _newest(RunsTable))
        found |= set(connection.scalars(select(runs.run_id).where(newest)))
        family = select(tags.run_id, tags.value).where(tags.key.in_((ROOT_RUN_ID_TAG, PARENT_RUN_ID_TAG)))
        begun_from = connection.execute(family).all()
    while True:
        more = {above for run, above in begun_from if run in found or run not in old} - found
        if not more:
            return found - {None, ""}
        found |= more


def size_bytes(instance: dg.DagsterInstance) -> int:
    """Return what the history takes: files beside the lake, and the tables of a database that holds them."""
    root = Path(instance.root_directory)
    files = sum(path.stat().st_size for path in _files(root))
    if _is_sqlite(instance):
        return files
    name = func.format("%I.%I", _PG.c.schemaname, _PG.c.tablename)
    taken = select(func.pg_total_relation_size(name)).where(_PG.c.schemaname == func.current_schema())
    with _runs(instance).connect() as connection:
        return files + sum(connection.scalars(taken))


def compact(instance: dg.DagsterInstance) -> None:
    """Give back the room of rows that are gone; files of SQLite that somebody writes to are left for the next time."""
    if _is_sqlite(instance):
        for path in (path for path in _files(Path(instance.root_directory)) if path.name in _SHARED):
            with contextlib.suppress(sqlite3.OperationalError):
                _vacuum(path)


_PG = Table("pg_tables", MetaData(), Column("schemaname"), Column("tablename"), schema="pg_catalog")
_SHARED = ("index.db", "runs.db", "schedules.db")


def _deadline(keep_days: float, now_s: float | None) -> dt.datetime:
    """Return the moment before which things are old, as the history has it: UTC without saying so."""
    at_s = (time.time() if now_s is None else now_s) - keep_days * DAY_S
    return dt.datetime.fromtimestamp(at_s, dt.UTC).replace(tzinfo=None)


def _newest(table: Table) -> ScalarSelect:
    return select(func.max(table.c.id)).scalar_subquery()


def _ended_before(instance: dg.DagsterInstance, deadline: dt.datetime) -> set[str]:
    ended = RunsTable.c.status.in_([status.value for status in FINISHED_STATUSES])
    with _runs(instance).connect() as connection:
        old = select(RunsTable.c.run_id).where(ended, RunsTable.c.update_timestamp < deadline)
        return set(connection.scalars(old))


def _batches(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    return (runs[start : start + AT_ONCE] for start in range(0, len(runs), AT_ONCE))


def _delete(instance: dg.DagsterInstance, runs: Sequence[str]) -> int:
    """Delete runs, their rows last; returns how many events."""
    log, events = _log(instance), SqlEventLogStorageTable.c
    with log.index_connection() as connection:
        ids = select(events.id).where(events.run_id.in_(runs))
        connection.execute(delete(AssetEventTagsTable).where(AssetEventTagsTable.c.event_id.in_(ids)))
        connection.execute(delete(AssetCheckExecutionsTable).where(AssetCheckExecutionsTable.c.run_id.in_(runs)))
        count = connection.execute(delete(SqlEventLogStorageTable).where(events.run_id.in_(runs))).rowcount
    for run in runs:
        if isinstance(log, SqliteEventLogStorage):
            count += _unlink_log(Path(log.path_for_shard(run)))
        shutil.rmtree(Path(instance.storage_directory()) / run, ignore_errors=True)
    with _runs(instance).connect() as connection:
        connection.execute(delete(RunTagsTable).where(RunTagsTable.c.run_id.in_(runs)))
        connection.execute(delete(RunsTable).where(RunsTable.c.run_id.in_(runs)))
    return count


def _unlink_log(path: Path) -> int:
    """Delete the file of one run's log; returns how many events were in it alone."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as database:
        (count,) = database.execute("select count(*) from event_logs").fetchone()
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        one.unlink(missing_ok=True)
    return count


def _delete_backfills(instance: dg.DagsterInstance, deadline: dt.datetime) -> None:
    """Delete backfills that ended and of which no run is left."""
    actions, states = BulkActionsTable.c, [status.value for status in BULK_ACTION_TERMINAL_STATUSES]
    with _runs(instance).connect() as connection:
        old = select(actions.key).where(actions.status.in_(states), actions.timestamp < deadline)
        left = set(connection.scalars(select(RunsTable.c.backfill_id).where(RunsTable.c.backfill_id.is_not(None))))
        going = sorted(set(connection.scalars(old)) - left)
        for batch in _batches(going):
            connection.execute(delete(BackfillTagsTable).where(BackfillTagsTable.c.backfill_id.in_(batch)))
            connection.execute(delete(BulkActionsTable).where(actions.key.in_(batch)))


def _thin(instance: dg.DagsterInstance, runs: Sequence[str]) -> int:
    """Delete what runs said while they worked; returns how many events."""
    for run in runs:
        shutil.rmtree(Path(instance.storage_directory()) / run / "compute_logs", ignore_errors=True)
    log = _log(instance)
    if isinstance(log, SqliteEventLogStorage):
        return sum(_thin_file(Path(log.path_for_shard(run))) for run in runs)
    events = SqlEventLogStorageTable.c
    is_chatter = or_(events.dagster_event_type.is_(None), events.dagster_event_type.in_(_CHATTER))
    with log.index_connection() as connection:
        going = delete(SqlEventLogStorageTable).where(events.run_id.in_(runs), is_chatter)
        return connection.execute(going).rowcount


def _thin_file(path: Path) -> int:
    if not path.exists():
        return 0
    marks = ", ".join("?" * len(_CHATTER))
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as database:
        with database:
            count = database.execute(
                f"delete from event_logs where dagster_event_type is null or dagster_event_type in ({marks})",
                sorted(_CHATTER),
            ).rowcount
        if count:
            database.execute("vacuum")
    return count


def _delete_ticks(instance: dg.DagsterInstance, deadline: dt.datetime) -> int:
    """Delete ticks as old, also of what is switched off, which Dagster's daemon leaves; the newest of each stays."""
    ticks = JobTickTable.c
    newest = select(func.max(ticks.id)).group_by(ticks.job_origin_id, ticks.selector_id)
    with _ticks(instance).connect() as connection:
        going = delete(JobTickTable).where(ticks.timestamp < deadline, ticks.id.not_in(newest))
        return connection.execute(going).rowcount


# SQLite and Postgres, the two that the pipeline sets up, are both of SQL.
def _log(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    return cast(SqlEventLogStorage, instance.event_log_storage)


def _runs(instance: dg.DagsterInstance) -> SqlRunStorage:
    return cast(SqlRunStorage, instance.run_storage)


def _ticks(instance: dg.DagsterInstance) -> SqlScheduleStorage:
    return cast(SqlScheduleStorage, instance.schedule_storage)


def _is_sqlite(instance: dg.DagsterInstance) -> bool:
    return isinstance(instance.event_log_storage, SqliteEventLogStorage)


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def _vacuum(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as database:
        (pages,), (spare,) = (
            database.execute(f"pragma {name}").fetchone() for name in ("page_count", "freelist_count")
        )
        if pages and spare / pages > SPARE:
            database.execute("vacuum")
            database.execute("pragma wal_checkpoint(truncate)")
