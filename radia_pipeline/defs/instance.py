"""The Dagster instance of a lake: its settings and where its history lies. One text serves every lake."""

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
storage:
  sqlite:
    base_dir: {base}/storage
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {base}/artifacts
compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {base}/compute_logs
# SQLite locks under many parallel steps: few runs at a time, and one step at a time on the GPU pool.
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


def dagster_home(lake: Lake) -> Path:
    """Return the lake's DAGSTER_HOME, with its ``dagster.yaml`` written."""
    home = (lake.history_dir / "dagster").absolute()
    text = SETTINGS.format(base=home.as_posix())
    path = home / "dagster.yaml"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        atomic.write_text(path, text)
    return home
