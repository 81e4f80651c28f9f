"""Moves a lake's histories between SQLite beside it and Postgres: ``radia settings set database ADDRESS``.

Dagster's runs go with their logs, so that every materialization, check and cost is known there, and with what is
switched on; ticks of sensors and events outside of runs stay behind. MLflow's tables go row by row.
The old history is left as it is. Not here: where which history lies (``tracking/database``).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.storage.dagster_run import RunsFilter
from sqlalchemy import MetaData, create_engine, func, select, text

from radia_pipeline.defs.instance import dagster_home, is_edited, settings_text
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.ui import card_of
from radia_pipeline.errors import AlreadyRunning, BadInput, LakeLocked
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, change_settings
from radia_pipeline.tracking import database
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.history import database_uri

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

ROWS_AT_ONCE = 2_000
_VERSIONS = "alembic_version"


def set_database(lake: Lake, address: str | None, *, leaves_history: bool = False) -> dict[str, Any]:
    """Let a lake keep its histories in a Postgres database, or with None beside itself; returns what was moved.

    The schema is made here, once. Raises AlreadyRunning while the lake's pages are open, BadInput where the address is
    none, where the database holds a history already or a person has changed ``dagster.yaml``, LakeUnwritable where it
    does not answer.
    """
    wanted = database.checked(address) if address else None
    if is_edited(lake):
        raise BadInput(
            "A person has changed dagster.yaml of this lake: its storage is what stands there",
            do="delete that file, so that it follows the settings, or set the storage there",
        )
    try:
        with atomic.file_lock(card_of(lake).with_suffix(".lock"), wait_s=0):
            return _move(lake, wanted, leaves_history)
    except LakeLocked:
        raise AlreadyRunning("The pages of this lake are open", do="end `radia ui`, then start this again") from None


def _move(lake: Lake, wanted: str | None, leaves_history: bool) -> dict[str, Any]:
    before = database.set_for(lake.root)
    told: dict[str, Any] = {"database": wanted, "runs": 0, "trainings": 0, "left": False}
    if before == wanted:
        return told
    if wanted is None or leaves_history:
        told["left"] = True
    if wanted is not None:
        database.make_schemas(wanted)
        with database.exclusively(wanted, "the move of a history", wait_s=0), _instance(wanted) as new:
            uri = _made(lake, wanted)
            if not leaves_history:
                _require_empty(new, uri)
                with instance_of(lake) as old:
                    told["runs"] = copy_runs(old, new)
                told["trainings"] = copy_tables(_sqlite(lake), uri)
    change_settings(lake.root, database=wanted)
    dagster_home(lake)
    return told


@contextlib.contextmanager
def _instance(address: str) -> Iterator[dg.DagsterInstance]:
    """Open Dagster on a database, which makes its tables."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "dagster.yaml").write_text(settings_text(Settings(database=address)), encoding="utf-8")
        with dg.DagsterInstance.from_config(os.fspath(folder)) as instance:
            yield instance


def _sqlite(lake: Lake) -> str:
    """Return the address of MLflow's file beside the lake, made if need be and brought to MLflow's present form."""
    _ = Tracker(lake).client
    return database_uri(lake.root)


def _made(lake: Lake, address: str) -> str:
    """Let MLflow make its tables in a database; returns its address."""
    uri = database.in_schema(address, database.MLFLOW)
    _ = Tracker(uri).client
    return uri


def _require_empty(instance: dg.DagsterInstance, uri: str) -> None:
    runs = len(Tracker(uri).runs())
    if instance.get_runs_count() or runs:
        raise BadInput(
            "The database holds a history already",
            do="name an empty one, or add --leave-history to go on with what stands there",
        )


def copy_runs(old: dg.DagsterInstance, new: dg.DagsterInstance) -> int:
    """Copy every run with its log, the oldest first, and what is switched on; returns how many runs."""
    runs = old.get_run_records(RunsFilter(), ascending=True)
    for record in runs:
        run = record.dagster_run
        if run.job_snapshot_id:
            new.run_storage.add_job_snapshot(old.get_job_snapshot(run.job_snapshot_id))
        if run.execution_plan_snapshot_id:
            plan = old.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
            new.run_storage.add_execution_plan_snapshot(plan)
        new.run_storage.add_run(run)
        for entry in old.all_logs(run.run_id):
            new.event_log_storage.store_event(entry)
            event = entry.dagster_event
            if event is not None and event.is_job_event:
                new.run_storage.handle_run_event(run.run_id, event)
    for state in old.all_instigator_state():
        new.add_instigator_state(state)
    for backfill in old.get_backfills():
        new.add_backfill(backfill)
    return len(runs)


def copy_tables(old_uri: str, new_uri: str) -> int:
    """Copy every row of MLflow's tables into those that stand there, whose rows go; returns how many runs."""
    old, new = create_engine(old_uri), create_engine(new_uri)
    try:
        source, target = MetaData(), MetaData()
        source.reflect(old)
        target.reflect(new)
        tables = [table for table in target.sorted_tables if table.name in source.tables and table.name != _VERSIONS]
        with old.connect() as reading, new.begin() as writing:
            for table in reversed(tables):
                writing.execute(table.delete())
            for table in tables:
                shared = [column for column in source.tables[table.name].columns if column.name in table.columns]
                found = reading.execution_options(stream_results=True).execute(select(*shared))
                for rows in found.mappings().partitions(ROWS_AT_ONCE):
                    writing.execute(table.insert(), [_as_kept(table, dict(row)) for row in rows])
                _count_on(writing, table)
            return writing.execute(select(func.count()).select_from(target.tables["runs"])).scalar_one()
    finally:
        old.dispose()
        new.dispose()


def _as_kept(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with SQLite's 0 and 1 as truth values where they are such."""
    return {
        name: bool(value) if value is not None and table.columns[name].type.python_type is bool else value
        for name, value in row.items()
    }


def _count_on(connection: Connection, table: Table) -> None:
    """Let a table's own numbers go on after the highest that was copied."""
    for column in table.primary_key.columns:
        name = connection.scalar(
            text("select pg_get_serial_sequence(:table, :column)"), {"table": f'"{table.name}"', "column": column.name}
        )
        if name:
            highest = connection.scalar(select(func.max(column)))
            connection.execute(text("select setval(:name, :next, false)"), {"name": name, "next": (highest or 0) + 1})
