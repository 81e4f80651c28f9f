"""Jobs: one for each group of assets, so that a steward can run a step without knowing its assets."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.defs.instance import MAX_RUNTIME_S
from radia_pipeline.defs.tables import ASKED_FOR

GROUP_JOBS = {
    "ingest": "Read deliveries: images, quarantine, duplicates, reports.",
    "labels": "Reports and tables to labels and boxes.",
    "review": "Truth of the reading sets, labels to read again.",
    "cohort": "Links, pools, evaluation sets, manifests, data profile.",
    "training": "Train every recipe.",
    "evaluation": "Predictions, ensemble, scorecard.",
    "localisation": "Saliency benchmark and pseudo boxes.",
    "detection": "Detector and its scorecard.",
    "monitoring": "The drift report of a day.",
}


MAX_RUNTIME = {"dagster/max_runtime": str(MAX_RUNTIME_S)}
"""A tag of runs: on an op, Dagster's monitoring does not read it."""
GATE_JOB = "gate"


def group_jobs() -> list:
    """Return the job of each group, and the gate's."""
    gate = dg.define_asset_job(
        GATE_JOB, selection=["gate_verdicts"], description="Ask the gate about the released ensemble.", tags=MAX_RUNTIME
    )
    jobs = [
        dg.define_asset_job(
            group,
            selection=dg.AssetSelection.groups(group) - dg.AssetSelection.tag(ASKED_FOR, ""),
            description=text,
            tags=MAX_RUNTIME,
        )
        for group, text in GROUP_JOBS.items()
    ]
    return [*jobs, gate]
