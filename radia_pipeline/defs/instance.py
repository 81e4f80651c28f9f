"""The Dagster instance of a lake: its settings and where its history lies. One text serves every lake.

It names no place: Dagster keeps everything in the folder that DAGSTER_HOME names, so that a history can be moved and
copied.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import Settings, read_settings
from radia_pipeline.tracking import database

MAX_RUNTIME_S = 7 * 24 * 3600
MOST_RUNS, MOST_RUNS_POSTGRES = 2, 8
"""Runs that go at once where nobody set it: SQLite locks under more."""
SETTINGS = """\
# Dagster's settings for one lake. SQLite suits few runs at once; many want Postgres (radia settings set database).
telemetry:
  enabled: false
nux:
  enabled: false
{storage}# SQLite locks under many parallel steps: few runs at a time, and one step at a time on the GPU pool.
concurrency:
  runs:
    max_concurrent_runs: {most_runs}
  pools:
    default_limit: {pool_limit}
    granularity: op
# Each run has a process of its own, which the monitoring asks: a run whose process is gone is ended, its slots freed.
run_launcher:
  module: radia_pipeline.defs.run_launcher
  class: ProcessRunLauncher
run_monitoring:
  enabled: true
  poll_interval_seconds: 10
  start_timeout_seconds: 300
  cancel_timeout_seconds: 60
  max_runtime_seconds: 604800
  free_slots_after_run_end_seconds: 10
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 30
  auto_materialize:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 30
"""
AT_THE_ROOT = """\
storage:
  sqlite:
    base_dir: .radia/lake.history/dagster
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: .radia/lake.history/dagster
compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: .radia/lake.history/dagster/storage
"""
"""Where the checkout's own ``dagster.yaml`` keeps the default lake's history: it may be read without a DAGSTER_HOME."""
_MOVED = {
    "storage/history": "history",
    "storage/schedules": "schedules",
    "artifacts/storage": "storage",
    "compute_logs": "storage",
}


_STAMP = "# Written by radia, which follows `radia settings`. A file that a person has changed is kept as it is."
_BEFORE: dict[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "concurrency": {"runs": {"max_concurrent_runs": 2}, "pools": {"default_limit": 1, "granularity": "op"}},
    "run_monitoring": {"enabled": True, "max_runtime_seconds": MAX_RUNTIME_S, "free_slots_after_run_end_seconds": 60},
    "retention": {
        "schedule": {"purge_after_days": 90},
        "sensor": {"purge_after_days": {"skipped": 7, "failure": 30, "success": 30}},
    },
}
"""What earlier releases wrote, but for where the storage lies; they put no stamp on it."""
_PLACES = ("storage", "local_artifact_storage", "compute_logs")


def dagster_home(lake: Lake) -> Path:
    """Return the lake's DAGSTER_HOME, its ``dagster.yaml`` as the settings say; one that a person changed stays."""
    home = (lake.history_dir / "dagster").absolute()
    text = stamped(settings_text(read_settings(lake.root)))
    path = home / "dagster.yaml"
    if not path.exists() or (path.read_text(encoding="utf-8") != text and not is_edited(lake)):
        with atomic.file_lock(home / "layout.lock"):
            _move_storage(home)
            atomic.write_text(path, text)
    return home


def settings_text(settings: Settings, storage: str = "") -> str:
    """Return Dagster's settings for a lake's. ``storage``: where SQLite's files lie, if not in DAGSTER_HOME."""
    if settings.database:
        address = database.in_schema(settings.database, database.DAGSTER)
        storage = f"storage:\n  postgres:\n    postgres_url: {json.dumps(address)}\n"
    most_runs = settings.most_runs or (MOST_RUNS_POSTGRES if settings.database else MOST_RUNS)
    return SETTINGS.format(storage=storage, most_runs=most_runs, pool_limit=settings.pool_limit)


def stamped(text: str) -> str:
    """Return a file's text with a first line by which it is seen whether a person has changed the rest."""
    return f"{_STAMP} {hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}"


def is_edited(lake: Lake) -> bool:
    """Whether a person has changed the lake's ``dagster.yaml``: it then rules, and settings that stand in it do not."""
    path = lake.history_dir / "dagster" / "dagster.yaml"
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    if first.startswith(_STAMP):
        return stamped(rest) != text
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return True
    return not isinstance(found, dict) or {key: one for key, one in found.items() if key not in _PLACES} != _BEFORE


def _move_storage(home: Path) -> None:
    """Bring the folders of an earlier release, which its settings named by whole addresses, to where Dagster looks."""
    for old, new in _MOVED.items():
        for entry in sorted((home / old).iterdir()) if (home / old).is_dir() else ():
            target = home / new / entry.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                entry.rename(target)
