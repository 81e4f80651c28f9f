"""``radia demo --rehearse``: changed films come to a demo lake and are ingested; the clock is written as if over weeks.

Not here: the films and the clock (``usecases.rehearsal``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from radia_pipeline.defs.drift import REPORT
from radia_pipeline.defs.one_run import Run, run_now
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.rehearsal import SOURCE, deliver_changed, fit_protocol, past_ends, write_clock

INGEST = ("images", "quarantine", "duplicates", "reports")
CLOCK = ("deliveries", "arrivals")


def rehearse(lake_root: Path) -> tuple[dict[str, Any], str]:
    """Let changed films come to a demo lake; returns what came as data and as text. Raises what a step did."""
    lake = Lake.open(lake_root, create=False)
    Pseudonymizer.from_environment(lake)
    found = deliver_changed(lake)
    run_now(lake, Run("ingest", INGEST, SOURCE))
    now = datetime.now(UTC)
    write_clock(lake, now)
    run_now(lake, Run("deliveries", CLOCK, SOURCE))
    fit_protocol(lake)
    if found.past_weeks:
        run_now(lake, Run("drift report", REPORT, past_ends(now).isoformat()))  # freezes what was usual then
    past = (
        f"What stood came in {found.past_weeks} weekly deliveries, so it is written now. " if found.past_weeks else ""
    )
    text = (
        f"{past}{found.films} films of {found.patients} other invented patients came in {found.weeks} weekly "
        "deliveries, all from a machine that makes them darker."
    )
    return vars(found), text
