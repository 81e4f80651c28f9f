"""Schedules: what the lake does by the clock. What costs is stopped until a person starts it (`radia automation`).

Their jobs start the command that a person would type, in a process of its own, since what has to be made, and in which
order, is found out when it begins. Not here: upkeep of the history (``upkeep``), sensors (``sensors``).
"""

import os
import subprocess

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.ingest import FRESH
from radia_pipeline.defs.jobs import MAX_RUNTIME
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.training import TERMINATION_S
from radia_pipeline.errors import RunFailed
from radia_pipeline.processes import children

TO_MANIFESTS = ("labels", "review", "cohort")
EVALUATION = ("evaluation",)


def _command(context: dg.OpExecutionContext, radia: Radia, *words: str) -> None:
    """Run a command of ``radia`` on the lake and hand on what it says; raises RunFailed where it fails."""
    command = children.module("radia_pipeline.cli.main", *words, "--lake", radia.lake_root)
    with children.running(
        command,
        children.environment(dict(os.environ)),
        grace_s=2 * TERMINATION_S,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            context.log.info(line.rstrip())
        process.wait()
    if process.returncode:
        raise RunFailed(f"`radia {' '.join(words)}` ended with code {process.returncode}", do="see the lines above")


@dg.op(config_schema={"groups": [str]})
def make_stale(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Make what is stale in these groups, in the graph's order."""
    named = [word for group in context.op_config["groups"] for word in ("--group", group)]
    _command(context, radia, "backfill", "--stale", *named)


@dg.op(config_schema={"why": str})
def retrain_if_due(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Retrain the champion's recipes unless something speaks against it."""
    _command(context, radia, "retrain", "--if-due", "--why", context.op_config["why"])


@dg.op
def back_up(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Make a set of the lake where its settings say, and thin out older ones."""
    _command(context, radia, "backup", "create")


@dg.op
def collect_versions(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Delete old versions of tables that nothing needs."""
    _command(context, radia, "tables", "collect")


@dg.op(config_schema={"part": str})
def collect_history(context: dg.OpExecutionContext, radia: Radia) -> None:
    """Delete what is old of one part of what the lake remembers."""
    _command(context, radia, "history", "collect", context.op_config["part"])


@dg.job(tags=MAX_RUNTIME, description="Delete what is old and not needed of one part of what the lake remembers.")
def collecting_history() -> None:
    """Delete what is old of the lake's history."""
    collect_history()


@dg.job(tags=MAX_RUNTIME, description="Delete old versions of tables that nothing needs.")
def collecting() -> None:
    """Delete old versions."""
    collect_versions()


@dg.job(tags=MAX_RUNTIME, description="Back up the lake with its history to the place that its settings name.")
def backing_up() -> None:
    """Back up the lake."""
    back_up()


@dg.job(tags=MAX_RUNTIME, description="Retrain the champion's recipes on today's manifests, up to the gate's verdict.")
def retraining() -> None:
    """Retrain the champion's recipes."""
    retrain_if_due()


@dg.job(tags=MAX_RUNTIME, description="Labels, pools and manifests, as far as something has changed.")
def to_manifests() -> None:
    """Bring labels, links, pools and manifests up to date."""
    make_stale()


@dg.job(tags=MAX_RUNTIME, description="Predictions, ensemble and scorecard, as far as something has changed.")
def to_scorecard() -> None:
    """Bring predictions, ensemble and scorecard up to date."""
    make_stale()


def _groups(groups: tuple[str, ...]) -> dict:
    return {"ops": {"make_stale": {"config": {"groups": list(groups)}}}}


freshness_job = dg.define_asset_job(
    "freshness", selection=FRESH, tags=MAX_RUNTIME, description="Ask of each source whether it has delivered lately."
)
manifests_nightly = dg.ScheduleDefinition(
    name="manifests_nightly",
    job=to_manifests,
    cron_schedule="30 1 * * *",
    run_config=_groups(TO_MANIFESTS),
    description=AUTOMATED["manifests_nightly"].does,
)
evaluation_weekly = dg.ScheduleDefinition(
    name="evaluation_weekly",
    job=to_scorecard,
    cron_schedule="0 3 * * 0",
    run_config=_groups(EVALUATION),
    description=AUTOMATED["evaluation_weekly"].does,
)


freshness_daily = dg.ScheduleDefinition(
    name="freshness_daily",
    job=freshness_job,
    cron_schedule="0 7 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=AUTOMATED["freshness_daily"].does,
)
collection_weekly = dg.ScheduleDefinition(
    name="collection_weekly", job=collecting, cron_schedule="0 6 * * 6", description=AUTOMATED["collection_weekly"].does
)
backup_nightly = dg.ScheduleDefinition(
    name="backup_nightly", job=backing_up, cron_schedule="0 5 * * *", description=AUTOMATED["backup_nightly"].does
)
retraining_monthly = dg.ScheduleDefinition(
    name="retraining_monthly",
    job=retraining,
    cron_schedule="0 20 1 * *",
    run_config={"ops": {"retrain_if_due": {"config": {"why": "monthly"}}}},
    description=AUTOMATED["retraining_monthly"].does,
)


@dg.schedule(
    job_name="monitoring", name="drift_daily", cron_schedule="45 23 * * *", description=AUTOMATED["drift_daily"].does
)
def drift_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the report of the day that ends, by the clock of deliveries (UTC)."""
    day = context.scheduled_execution_time.date().isoformat()
    return dg.RunRequest(run_key=f"drift:{day}", partition_key=day)


HISTORY = {
    "runs_weekly": ("runs", "30 6 * * 6"),
    "events_weekly": ("events", "15 6 * * 6"),
    "trainings_weekly": ("trainings", "45 6 * * 6"),
    "packed_weekly": ("packed", "0 7 * * 6"),
}
"""Schedule → the part of the history that it keeps small, and when."""
history_schedules = [
    dg.ScheduleDefinition(
        name=name,
        job=collecting_history,
        cron_schedule=cron,
        description=AUTOMATED[name].does,
        run_config={"ops": {"collect_history": {"config": {"part": part}}}},
    )
    for name, (part, cron) in HISTORY.items()
]


JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
    backing_up,
    collecting,
    collecting_history,
    retraining,
    to_manifests,
    to_scorecard,
    freshness_job,
]
SCHEDULES = [
    *history_schedules,
    backup_nightly,
    collection_weekly,
    drift_daily,
    retraining_monthly,
    manifests_nightly,
    evaluation_weekly,
    freshness_daily,
]
