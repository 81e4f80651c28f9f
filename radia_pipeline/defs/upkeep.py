"""Upkeep of a lake's history: a nightly job that sends what MLflow could not take and ends runs whose process is gone.

It makes no table."""

import dagster as dg

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.jobs import MAX_RUNTIME
from radia_pipeline.defs.resources import Radia


@dg.op
def end_dead_trainings(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Set KILLED where MLflow says RUNNING and nobody writes any more: a killed process cannot say so itself."""
    from radia_pipeline.tracking.upkeep import tend

    sent, found = tend(radia.lake())
    context.log.info(f"the figures of {sent} trainings were sent that MLflow could not take before")
    context.log.info(f"{found.running} runs stood as running, {len(found.reaped)} of them were ended")


@dg.job(tags=MAX_RUNTIME)
def upkeep() -> None:
    """End MLflow runs whose process is gone."""
    end_dead_trainings()


upkeep_nightly = dg.ScheduleDefinition(
    job=upkeep,
    cron_schedule="17 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=AUTOMATED["upkeep_schedule"].does,
)
