"""``radia champion``: the gate, an approval and a rollback as runs of the lake's history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radia_pipeline.defs.champion import STEP
from radia_pipeline.defs.one_run import Run, run_now
from radia_pipeline.evaluation.champion import history
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.champion_text import gate_found


def ask_gate(lake: Lake) -> dict[str, Any]:
    """Materialize ``gate_verdicts`` as a run of the lake's history; returns the verdicts. Raises what the step did."""
    run_now(lake, Run("gate", ("gate_verdicts",)))
    return gate_found(lake)


def act(lake: Lake, told: Mapping[str, Any]) -> dict[str, Any]:
    """Approve or roll back as a run of the lake's history, an approval after the gate; returns what came of it.

    Raises PromotionRefused, and what the steps raised.
    """
    names = ("champion",) if told.get("rollback") else ("gate_verdicts", "champion")
    run_now(lake, Run("champion", names, config={STEP: told}))
    last = history(lake)[-1]
    return {
        "act": last.kind,
        "release": last.candidate.release if last.candidate else None,
        "standing": last.standing,
        "before": last.before,
        "waived": list(last.waived),
        "stated_shift": last.stated_shift,
    }
