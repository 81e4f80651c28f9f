"""Keeps what a lake remembers small: its runs, their events, its trainings, its tables' versions, its packed images.

Each part goes by a setting of its own (``keep_…_days``) and has a schedule of its own. Here: which parts there are,
what each asks, and which models tables cite. Not here: how a part is deleted (``retention``, ``tracking/collect``,
``lake/collect``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG_PREFIX
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import func, or_, select

from radia_pipeline.defs import retention
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.errors import AlreadyRunning, LakeLocked
from radia_pipeline.evaluation.champion import history as acts_of
from radia_pipeline.lake import atomic, collect
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, read_settings
from radia_pipeline.tracking import collect as tracked
from radia_pipeline.tracking.client import Tracker

Counts = dict[str, Any]
_POINTER = "latest.json"


def collect_parts(
    lake: Lake, parts: Collection[str] = (), *, dry_run: bool = False, now_s: float | None = None
) -> dict[str, Counts]:
    """Delete what is old and not needed of these parts, all if none is named; returns the counts of each.

    ``dry_run`` only counts. Raises AlreadyRunning while another collection works on the lake.
    """
    settings = read_settings(lake.root)
    try:
        lake.history_dir.mkdir(parents=True, exist_ok=True)
        with atomic.file_lock(lake.history_dir / "collecting.lock", wait_s=0):
            return {name: PARTS[name](lake, settings, dry_run, now_s) for name in PARTS if not parts or name in parts}
    except LakeLocked:
        raise AlreadyRunning("What this lake remembers is being collected already", do="wait until that ends") from None


def _runs(lake: Lake, settings: Settings, dry_run: bool, now_s: float | None) -> Counts:
    with instance_of(lake) as instance:
        return asdict(retention.collect_runs(instance, keep_days=settings.keep_runs_days, dry_run=dry_run, now_s=now_s))


def _events(lake: Lake, settings: Settings, dry_run: bool, now_s: float | None) -> Counts:
    with instance_of(lake) as instance:
        return asdict(
            retention.collect_events(instance, keep_days=settings.keep_events_days, dry_run=dry_run, now_s=now_s)
        )


def _trainings(lake: Lake, settings: Settings, dry_run: bool, now_s: float | None) -> Counts:
    with instance_of(lake) as instance:
        cited = cited_models(lake, instance)
    found = tracked.collect(Tracker(lake), cited, keep_days=settings.keep_trainings_days, dry_run=dry_run, now_s=now_s)
    return asdict(found)


def _versions(lake: Lake, settings: Settings, dry_run: bool, now_s: float | None) -> Counts:
    return asdict(collect.collect(lake, keep_days=settings.keep_versions_days, dry_run=dry_run, now_s=now_s))


def _packed(lake: Lake, settings: Settings, dry_run: bool, now_s: float | None) -> Counts:
    return asdict(collect.collect_packed(lake, keep_days=settings.keep_packed_days, dry_run=dry_run, now_s=now_s))


PARTS: Mapping[str, Callable[[Lake, Settings, bool, float | None], Counts]] = {
    "runs": _runs,
    "events": _events,
    "trainings": _trainings,
    "versions": _versions,
    "packed": _packed,
}
"""Name of a part → what collects it."""


def cited_models(lake: Lake, instance: dg.DagsterInstance) -> set[str]:
    """Return the fingerprints of the models that something names: the newest of each recipe and detector, every
    champion there was, what tables as they stand were made with, and what any of those learned from."""
    known = {folder.name: folder for folder in _model_folders(lake.models_dir)}
    found = {json.loads(pointer.read_text("utf-8")).get("fingerprint") for pointer in lake.models_dir.rglob(_POINTER)}
    for act in acts_of(lake):
        found |= set(act.candidate.fingerprints.values()) if act.candidate else set()
        found.add((act.detector or "").rpartition("/")[2])
    found |= _made_with(instance)
    found &= set(known)
    while more := {name for one in found for name in _named_in(known[one], known)} - found:
        found |= more
    return found


def _model_folders(models_dir: Path) -> Iterator[Path]:
    yield from (card.parent for card in models_dir.rglob("model.json"))


def _named_in(folder: Path, known: Mapping[str, Path]) -> Iterator[str]:
    text = (folder / "model.json").read_text(encoding="utf-8", errors="replace")
    yield from (name for name in known if f'"{name}"' in text)


def _made_with(instance: dg.DagsterInstance) -> set[str]:
    """Return the data versions of the newest materializations, and of what those were made from."""
    events, tags = SqlEventLogStorageTable.c, AssetEventTagsTable.c
    newest = (
        select(func.max(events.id))
        .where(events.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value)
        .group_by(events.asset_key, events.partition)
    )
    is_version = or_(tags.key == DATA_VERSION_TAG, tags.key.startswith(INPUT_DATA_VERSION_TAG_PREFIX))
    log = cast(SqlEventLogStorage, instance.event_log_storage)  # SQLite and Postgres are both of SQL
    with log.index_connection() as connection:
        return set(connection.scalars(select(tags.value).where(tags.event_id.in_(newest), is_version)))


def sizes(lake: Lake) -> dict[str, int]:
    """Return the bytes of each place that grows with time."""
    with instance_of(lake) as instance:
        dagster = retention.size_bytes(instance)
    history = lake.history_dir
    return {
        "dagster": dagster,
        "mlflow": sum(_bytes(history / name) for name in ("mlflow.db", "mlflow_artifacts")),
        "versions": _bytes(lake.root / "_versions"),
        "packed": _bytes(lake.packed_dir),
        "models": _bytes(lake.models_dir),
    }


def _bytes(place: Path) -> int:
    if place.is_file():
        return place.stat().st_size
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
