"""Keeping a history in order: what trainings could not send is sent, and runs of dead processes end.

MLflow's server does it every few seconds while it runs (``server``), a nightly job of Dagster's in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.courier import deliver_left
from radia_pipeline.tracking.reaper import ReapResult, reap

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


def tend(lake: Lake) -> tuple[int, ReapResult]:
    """Send what trainings of a lake could not, then end runs whose process is gone; returns how many, and which.

    Raises whatever MLflow or its database raise.
    """
    tracker = Tracker(lake)
    return deliver_left(lake, tracker), reap(tracker)
