"""The Dagster instance of a lake: its settings and where its history lies. One text serves every lake.

It names no place: Dagster keeps everything in the folder that DAGSTER_HOME names, so that a history can be moved and
copied.
"""

from __future__ import annotations

from pathlib import Path

from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

MAX_RUNTIME_S = 7 * 24 * 3600
SETTINGS = """\
# Dagster's settings for one lake. SQLite and local folders suit one machine; several want Postgres.
telemetry:
  enabled: false
nux:
  enabled: false
{storage}# SQLite locks under many parallel steps: few runs at a time, and one step at a time on the GPU pool.
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    default_limit: 1
    granularity: op
# A run whose machine died stays STARTED until this ends it; no run of a lake takes a week.
run_monitoring:
  enabled: true
  max_runtime_seconds: 604800
  free_slots_after_run_end_seconds: 60
retention:
  schedule:
    purge_after_days: 90
  sensor:
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
    "storage/history": "history", "storage/schedules": "schedules", "artifacts/storage": "storage",
    "compute_logs": "storage",
}  # fmt: skip


def dagster_home(lake: Lake) -> Path:
    """Return the lake's DAGSTER_HOME, with its ``dagster.yaml`` written."""
    home = (lake.history_dir / "dagster").absolute()
    text = SETTINGS.format(storage="")
    path = home / "dagster.yaml"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with atomic.file_lock(home / "layout.lock"):
            _move_storage(home)
            atomic.write_text(path, text)
    return home


def _move_storage(home: Path) -> None:
    """Bring the folders of an earlier release, which its settings named by whole addresses, to where Dagster looks."""
    for old, new in _MOVED.items():
        for entry in sorted((home / old).iterdir()) if (home / old).is_dir() else ():
            target = home / new / entry.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                entry.rename(target)
