"""What `radia doctor` asks of Dagster and MLflow: settings, runs that nobody works on, slots that nobody gives back.

Everything is read; the settings are read as they stand, before anything could write them anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.scheduler.instigation import InstigatorStatus

from radia_pipeline.defs.instance import MAX_RUNTIME_S
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.retention import size_bytes
from radia_pipeline.defs.schedules import HISTORY
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.usecases import doctor
from radia_pipeline.usecases.doctor import UNSAFE, WARNING, Asked, Check, Examined, Said
from radia_pipeline.usecases.doctor_lake import LAKE
from radia_pipeline.usecases.doctor_machine import MACHINE

_MOST_ON_SQLITE = 2
_SILENT_S = 24 * 3600.0
_HEARTBEAT_S = 300.0
_MANY_RUNS, _LARGE_BYTES = 3_000, 1 << 30
"""From here on every backup carries what nobody looks at; pages do not wait for it (benchmarks/history.py)."""
_KEPT_SMALL_BY = ("runs_weekly", "events_weekly")
_OPEN = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]


def examine(lake: Lake, *, is_production: bool = False) -> Examined:
    """Ask everything of a lake and of this machine; nothing is changed."""
    asked = Asked(lake, is_production, dict(os.environ), time.time())
    return doctor.run(asked, {**MACHINE, **LAKE, **DAGSTER})


def _settings(asked: Asked) -> dict | None:
    path = asked.lake.history_dir / "dagster" / "dagster.yaml"
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, UnicodeDecodeError):
        said = None
    return said if isinstance(said, dict) else {}


def concurrency(asked: Asked) -> Iterator[Said]:
    """More runs at once than SQLite bears, and a GPU that two steps may take."""
    said = _settings(asked)
    if said is None:
        return
    asks = said.get("concurrency") or {}
    most = (asks.get("runs") or {}).get("max_concurrent_runs")
    is_sqlite = "postgres" not in str(said.get("storage") or "")
    if is_sqlite and (most is None or not 0 <= most <= _MOST_ON_SQLITE):
        yield (
            UNSAFE,
            f"{'any number of' if most is None or most < 0 else most} runs at once on SQLite, which locks",
            f"`radia settings set most_runs {_MOST_ON_SQLITE}`, or Postgres (`radia settings set database …`)",
        )
    limit = (asks.get("pools") or {}).get("default_limit")
    wanted = read_settings(asked.lake.root).pool_limit
    if limit != wanted:
        taken = f"a pool takes {limit or 'any number of'} steps at once, and the lake's setting is {wanted}"
        yield UNSAFE, taken, "`radia settings set pool_limit N`, N the GPUs of this machine, not dagster.yaml by hand"


def dagster_telemetry(asked: Asked) -> Iterator[Said]:
    """Whether Dagster may report to its maker, and whether a password stands in its settings."""
    said = _settings(asked)
    if said is None:
        return
    if (said.get("telemetry") or {}).get("enabled") is not False:
        yield UNSAFE, "Dagster's telemetry is not switched off", "set telemetry.enabled: false in dagster.yaml"
    if _has_password(said):
        yield UNSAFE, "a password stands in dagster.yaml", "take it from the environment (password: {env: …})"


def _has_password(said: object) -> bool:
    if isinstance(said, dict):
        return any(
            (name == "password" and isinstance(value, str) and value)
            or (name.endswith("_url") and isinstance(value, str) and _names_password(value))
            or _has_password(value)
            for name, value in said.items()
        )
    return isinstance(said, list) and any(map(_has_password, said))


def _names_password(address: str) -> bool:
    user = address.partition("://")[2].rpartition("@")[0]
    return ":" in user and not user.endswith(":")


def stuck_runs(asked: Asked) -> Iterator[Said]:
    """Runs that stand as running and of which nothing was heard for a day; runs that wait for ever."""
    if not _has_history(asked):
        return
    with instance_of(asked.lake) as instance:
        for record in instance.get_run_records(dg.RunsFilter(statuses=_OPEN)):
            silent_s = asked.now_s - max(record.update_timestamp.timestamp(), record.start_time or 0.0)
            if silent_s > _SILENT_S or asked.now_s - (record.start_time or asked.now_s) > MAX_RUNTIME_S:
                what = f"run {record.dagster_run.run_id[:8]} stands as running, silent for {silent_s / 3600:.0f} h"
                yield UNSAFE, what, "terminate it in the page (Runs, force termination), then start it again"
        for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
            waits_s = asked.now_s - record.create_timestamp.timestamp()
            if waits_s > _SILENT_S:
                yield (
                    WARNING,
                    f"run {record.dagster_run.run_id[:8]} has waited for {waits_s / 3600:.0f} h",
                    "see whether the daemon runs (`radia ui`) and what holds its pool",
                )


def pool_slots(asked: Asked) -> Iterator[Said]:
    """Limits that were raised by hand, and slots of runs that have ended."""
    if not _has_history(asked):
        return
    with instance_of(asked.lake) as instance:
        log = instance.event_log_storage
        wanted = read_settings(asked.lake.root).pool_limit
        for pool in log.get_pool_limits():
            if pool.limit > wanted:
                said = f"pool {pool.name} takes {pool.limit} steps at once, and the lake's setting is {wanted}"
                yield UNSAFE, said, f"set it to {wanted} (page, Deployment, Pools)"
        for name in log.get_concurrency_keys():
            for run_id in log.get_concurrency_info(name).active_run_ids:
                run = instance.get_run_by_id(run_id)
                if run is None or run.is_finished:
                    yield (
                        UNSAFE,
                        f"a slot of pool {name} is held by a run that has ended",
                        "free it (page, Deployment, Pools, Free slots)",
                    )


def mlflow_runs(asked: Asked) -> Iterator[Said]:
    """Trainings that stand as running and whose process is gone."""
    if not (asked.lake.history_dir / "mlflow.db").exists():
        return
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.reaper import dead

    count = len(dead(Tracker(asked.lake)))
    if count:
        yield WARNING, f"{count} MLflow runs stand as RUNNING without a process", "upkeep_schedule ends them at night"


def daemon(asked: Asked) -> Iterator[Said]:
    """In production, whether the daemon lives that starts schedules and sensors."""
    if not (asked.is_production and _has_history(asked)):
        return
    with instance_of(asked.lake) as instance:
        newest = max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)
    if asked.now_s - newest > _HEARTBEAT_S:
        yield (
            WARNING,
            "Dagster's daemon is silent: no schedule and no sensor acts",
            "let `radia ui` run as a service (deploy/radia-ui.service)",
        )


def history_size(asked: Asked) -> Iterator[Said]:
    """A history that has grown large while nothing deletes what is old of it."""
    if not _has_history(asked):
        return
    with instance_of(asked.lake) as instance:
        runs, taken = instance.get_runs_count(), size_bytes(instance)
        if runs <= _MANY_RUNS and taken <= _LARGE_BYTES:
            return
        states = instance.all_instigator_state()
    on = {one.instigator_name for one in states if one.status == InstigatorStatus.RUNNING}
    off = [name for name in HISTORY if name in _KEPT_SMALL_BY and name not in on]
    if off:
        yield (
            WARNING,
            f"Dagster's history holds {runs} runs and takes {taken / 1e9:.1f} GB, and {' and '.join(off)} are off",
            f"`radia automation start {off[0]}`, or now: `radia history collect`, first with --dry-run",
        )


def _has_history(asked: Asked) -> bool:
    return Path(asked.lake.history_dir / "dagster").is_dir()


DAGSTER: dict[str, Check] = {
    "concurrency": concurrency,
    "dagster_telemetry": dagster_telemetry,
    "stuck_runs": stuck_runs,
    "pool_slots": pool_slots,
    "mlflow_runs": mlflow_runs,
    "daemon": daemon,
    "history_size": history_size,
}
"""Name of a check → the check. Settings come before anything opens the history, which may write them anew."""
