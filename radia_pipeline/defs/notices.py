"""The sensor that tells people: runs that failed, sources that have fallen silent, decisions that wait for somebody.

Not here: how a notice is sent and that it is sent once (``usecases.notices``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster import DagsterEventType, RunsFilter

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import failed_with
from radia_pipeline.errors import RadiaError
from radia_pipeline.usecases.notices import Notice

LOOKS_BACK = dt.timedelta(days=2)
"""Failures of before are history when the first address is set."""


@dg.sensor(
    minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING, description=AUTOMATED["notices"].does
)
def notices(context: dg.SensorEvaluationContext, radia: Radia) -> dg.SkipReason | None:
    """Send what nobody has been told yet to the webhook or the mail relay of the environment; without one, none."""
    from radia_pipeline.usecases.notices import send_new
    from radia_pipeline.usecases.status import occasions

    try:
        sent = send_new(radia.lake(), [*failures(context.instance), *occasions(radia.lake(), radia.now_s())])
    except RadiaError as error:
        context.log.error(f"{error.kind}: {error}")
        return dg.SkipReason(f"{error.kind}: {error}")
    return dg.SkipReason(f"{len(sent)} notices sent" if sent else "Nobody needs to be told anything")


def failures(instance: dg.DagsterInstance) -> Iterator[Notice]:
    """Return a notice for each run that failed in the last two days: its job, its source, why in our own words."""
    since = dt.datetime.now(dt.UTC) - LOOKS_BACK
    runs = instance.get_runs(RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since), limit=100)
    for run in reversed(list(runs)):
        source = run.tags.get("dagster/partition")
        what = run.tags.get("radia/step") or run.job_name
        where = f"{what} of {source}" if source else what
        yield Notice(
            f"failed:{run.run_id}",
            f"RadIA: {where} failed",
            f"{_why(instance, run.run_id)}\nRun {run.run_id[:8]} in Dagster's page shows it whole. "
            "Earlier tables are intact.\nWhat failed is made again by `radia backfill --failed`.",
        )


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the first failure in our own words; of a foreign error only its kind: its words may hold anything."""
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records:
        if (event := record.event_log_entry.dagster_event) is None:
            continue
        ours = failed_with(event)
        if ours is not None:
            return f"{ours.kind}: {ours}"
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        return error.cls_name or "a step failed" if error is not None else "a step failed"
    return "The run ended before a step could say why."
