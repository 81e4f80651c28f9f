"""Deletes trainings from a lake's MLflow history that are old and that nothing needs: runs, figures, files, models.

What stays whatever its age: what runs, what was ever a champion, the newest version of each registered model, and each
training whose model the caller names. The lake's own ``models/`` is not touched. Not here: which models tables cite
(the caller's), the ending of runs whose process is gone (``reaper``).
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radia_pipeline.tracking.artifacts import folder_of
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.history import history_root, import_mlflow
from radia_pipeline.tracking.models import TAG_STANDING
from radia_pipeline.tracking.provenance import TAG_FINGERPRINT
from radia_pipeline.tracking.tracked_run import TrackedRun

DAY_MS = 24 * 3600 * 1000
TAG_COLLECTED = "radia.collected"
"""Marks a run that a collection is deleting: a collection that was cut off is ended by the next."""


@dataclass(frozen=True)
class Trainings:
    """How many runs there were, how many went, how many are older and stay, and the bytes of files that went."""

    runs: int
    deleted: int
    needed: int
    freed_bytes: int


def collect(
    tracker: Tracker, cited: Collection[str], *, keep_days: float, dry_run: bool = False, now_s: float | None = None
) -> Trainings:
    """Delete trainings that ended more than ``keep_days`` ago and that nothing needs; what a person deleted in MLflow's
    page goes when as long has passed since. ``cited``: fingerprints of models that stay; ``dry_run`` only counts."""
    deadline_ms = int(1000 * (time.time() if now_s is None else now_s) - keep_days * DAY_MS)
    runs = tracker.runs()
    published = _published(tracker)
    old = [run for run in runs if _ended_before(run, deadline_ms)]
    going = [run for run in old if run.run_id not in published and run.tags.get(TAG_FINGERPRINT) not in set(cited)]
    result = Trainings(len(runs), len(going), len(old) - len(going), 0)
    if dry_run:
        return result
    for run in going:
        run.log_tags({TAG_COLLECTED: "1"})
        tracker.client.delete_run(run.run_id)
    freed = sum(_purge(tracker, run) for run in _deleted(tracker, deadline_ms))
    return Trainings(result.runs, result.deleted, result.needed, freed)


def _published(tracker: Tracker) -> set[str]:
    """Return the runs of registered versions that are, or were, champion, and of each model's newest and challenger."""
    found: set[str] = set()
    for model in tracker.client.search_registered_models():
        versions = tracker.client.search_model_versions(f"name = '{model.name}'")
        named = {str(number) for number in model.aliases.values()}
        newest = max((int(one.version) for one in versions), default=0)
        found |= {
            one.run_id
            for one in versions
            if one.run_id and (str(one.version) in named or int(one.version) == newest or TAG_STANDING in one.tags)
        }
    return found


def _ended_before(run: TrackedRun, deadline_ms: int) -> bool:
    info = run.tracker.client.get_run(run.run_id).info
    return info.status in ("FINISHED", "FAILED", "KILLED") and (info.end_time or info.start_time) < deadline_ms


def _deleted(tracker: Tracker, deadline_ms: int) -> list[Any]:
    """Return the runs that stand as deleted: by a collection, or by a person so long ago."""
    mlflow, token = import_mlflow(), None
    found: list[Any] = []
    while True:
        page = tracker.client.search_runs(
            [tracker.experiment_id], run_view_type=mlflow.entities.ViewType.DELETED_ONLY, page_token=token
        )
        found += page
        token = page.token
        if not token:
            break
    by_hand = set(_store(tracker)._get_deleted_runs(older_than=max(0, int(time.time() * 1000) - deadline_ms)))
    return [run for run in found if TAG_COLLECTED in run.data.tags or run.info.run_id in by_hand]


def _purge(tracker: Tracker, run: Any) -> int:
    """Delete a run for good, what it registered first and its row last; returns the bytes of its files."""
    client, store, freed = tracker.client, _store(tracker), 0
    run_id = run.info.run_id
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        client.delete_model_version(version.name, version.version)
    for model in client.search_logged_models([tracker.experiment_id], f"source_run_id = '{run_id}'"):
        freed += _erase(tracker, f"models/{model.model_id}")
        with contextlib.suppress(import_mlflow().exceptions.MlflowException):
            client.delete_logged_model(model.model_id)
        store._hard_delete_logged_model(model.model_id)
    freed += _erase(tracker, run_id)
    _delete_links(store, run_id)
    store._hard_delete_run(run_id)
    return freed


def _delete_links(store: Any, run_id: str) -> None:
    """Delete what says which data and which model belonged to a run: MLflow leaves it."""
    from mlflow.store.tracking.dbmodels.models import SqlInput
    from sqlalchemy import or_

    with store.ManagedSessionMaker(read_only=False) as session:
        ours = or_(SqlInput.source_id == run_id, SqlInput.destination_id == run_id)
        session.query(SqlInput).filter(ours).delete(synchronize_session=False)


def _store(tracker: Tracker) -> Any:
    """Return MLflow's own store, which alone deletes for good; `mlflow gc` asks the same."""
    _ = tracker.client
    from mlflow.tracking._tracking_service.utils import _get_store

    return _get_store(tracker.uri)


def _erase(tracker: Tracker, name: str) -> int:
    if tracker.lake_root is None:
        return 0
    place: Path = folder_of(history_root(tracker.lake_root)) / name
    taken = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    shutil.rmtree(place, ignore_errors=True)
    return taken
