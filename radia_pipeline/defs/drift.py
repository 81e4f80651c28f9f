"""``radia drift``: a day's report and a new reference as runs of the lake's history."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from radia_pipeline.defs.monitoring import STEP, today
from radia_pipeline.defs.one_run import Run, run_now
from radia_pipeline.defs.partitions import FIRST_DAY
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.arrived import watched_sources
from radia_pipeline.pages.drift import PAGE
from radia_pipeline.usecases.drift_text import shown

REPORT = ("drift_report", "drift_examples", "drift_performance", "shadow_differences")


def make_report(lake: Lake, day: str | None) -> dict[str, Any]:
    """Materialize the report of a day (default: today) and its page; returns it as data. Raises what the step did.

    Raises BadInput for what is no day, or one to come.
    """
    chosen = day or today().isoformat()
    try:
        is_known = FIRST_DAY <= date.fromisoformat(chosen).isoformat() <= today().isoformat()
    except ValueError:
        is_known = False
    if not is_known:
        raise BadInput(f"No report can be made of the day {chosen!r}", accepted=f"YYYY-MM-DD from {FIRST_DAY} to today")
    run_now(lake, Run("drift report", REPORT, chosen))
    return {**shown(lake, chosen), "page": os.fspath(lake.root.absolute() / PAGE)}


def freeze_reference(lake: Lake, source: str, *, by: str, reason: str) -> dict[str, Any]:
    """Freeze a source's reference anew; raises what the step did."""
    if source not in watched_sources(lake):
        raise BadInput(f"No source {source!r} stands in the lake", accepted=", ".join(watched_sources(lake)))
    run_now(
        lake,
        Run("drift reference", ("drift_reference",), config={STEP: {"source": source, "by": by, "reason": reason}}),
    )
    return {"source": source, "streams": lake.read("drift_reference", columns=["stream"]).num_rows}
