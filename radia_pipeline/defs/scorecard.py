"""``radia scorecard``: judge the models of a lake, write the page; with a name and a reason, release the ensemble."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from radia_pipeline.defs.evaluation import RELEASE_BY, RELEASE_WHY
from radia_pipeline.defs.one_run import Run, run_now
from radia_pipeline.evaluation.release import Release
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.evaluation import SCORECARD
from radia_pipeline.usecases.summary import model_figures, models_text, test_pool_counts

TABLES = ("scorecard", "scorecard_subgroups", "test_predictions")


def make_scorecard(lake: Lake, given: Release | None = None) -> tuple[dict[str, Any], str]:
    """Materialize the scorecard as a run of the lake's history and write its page; returns data and text.

    ``given``: who releases the ensemble and why. Raises what the step raised.
    """
    tags = {RELEASE_BY: given.who, RELEASE_WHY: given.why} if given else {}
    run_now(lake, Run("scorecard", TABLES, tags=tags))
    page = lake.root.absolute() / SCORECARD
    found = {"models": model_figures(lake), "test_pool": test_pool_counts(lake), "page": os.fspath(page)}
    return found, f"{models_text(found)}\n\nPage: {_shown(page)}"


def _shown(page: Path) -> str:
    return os.fspath(page)
