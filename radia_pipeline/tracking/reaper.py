"""Ends runs that nobody writes to any more: a killed process cannot say that it was killed.

Not here: the ending of a run by the process that owns it (``tracked_run``, ``recorder``); Dagster's runs (``defs``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import owner_lives
from radia_pipeline.tracking.tracked_run import TrackedRun

SILENT_AFTER_S = 24 * 3600.0  # a run of another machine whose last metric is older is taken for dead


@dataclass(frozen=True)
class ReapResult:
    """How many runs stood as RUNNING, and which of them were ended (MLflow run ids)."""

    running: int
    reaped: tuple[str, ...]


def reap(tracker: Tracker, *, silent_after_s: float = SILENT_AFTER_S) -> ReapResult:
    """Set KILLED where a run's process is gone, or where its host is another one and it has been silent for so long."""
    running = tracker.runs(status="RUNNING")
    reaped = [run.run_id for run in running if _is_dead(run, silent_after_s) and _end(tracker, run, silent_after_s)]
    return ReapResult(len(running), tuple(reaped))


def _end(tracker: Tracker, run: TrackedRun, silent_after_s: float) -> bool:
    """End a run, unless another process has taken it over meanwhile; returns whether it was ended."""
    with tracker.exclusively():
        if run.status != "RUNNING" or not _is_dead(run, silent_after_s):
            return False
        run.fail("ProcessGone", status="KILLED")
        return True


def dead(tracker: Tracker, *, silent_after_s: float = SILENT_AFTER_S) -> list[TrackedRun]:
    """Return the runs that stand as RUNNING and that nobody writes to any more."""
    return [run for run in tracker.runs(status="RUNNING") if _is_dead(run, silent_after_s)]


def _is_dead(run: TrackedRun, silent_after_s: float) -> bool:
    lives = owner_lives(run.tags)
    if lives is not None:
        return not lives
    return time.time() - _last_sign_s(run) > silent_after_s


def _last_sign_s(run: TrackedRun) -> float:
    """Unix time of the newest metric, or of the run's start."""
    found = run.tracker.client.get_run(run.run_id)
    newest = max((metric.timestamp for metric in found.data._metric_objs), default=0)
    return max(newest, found.info.start_time) / 1000
