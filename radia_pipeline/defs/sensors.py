"""Sensors: what starts a run by itself when something new is there. Each, asked twice, starts nothing twice.

They look, and compare with what they saw before; the rules are the domain's (``sources.watermark``). What they start
are the groups' jobs. Schedules are in ``schedules``, notices in ``notices``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.jobs import GATE_JOB
from radia_pipeline.defs.resources import Radia
from radia_pipeline.sources.registry import registered
from radia_pipeline.sources.registry import source as find_source
from radia_pipeline.sources.watermark import ARRIVING, AT_REST, Watch, look_at

WHY = "radia/why"
"""Tag of runs that nobody started by hand: what started them."""
_PARTITION = "dagster/partition"


def _new_deliveries(context: dg.SensorEvaluationContext, radia: Radia) -> dg.SensorResult | dg.SkipReason:
    """Ingest a source once what lies in its folder has changed and then been the same for the lake's quiet time."""
    settings = radia.settings()
    if settings.sources_root is None:
        return dg.SkipReason("The lake does not know where deliveries lie: `radia run --sources-root DIR` once")
    before = json.loads(context.cursor or "{}")
    requests, arriving = [], []
    after = dict(before)
    for name in registered():
        root = find_source(name).locate(Path(settings.sources_root))
        mark = look_at(root) if root is not None else None
        if mark is None:  # nothing delivered, or a share that is away
            continue
        known = Watch.of(before.get(name))
        state, watch = known.look(mark, radia.now_s(), settings.quiet_s)
        if state == AT_REST and _is_running(context.instance, "ingest", name):
            state, watch = ARRIVING, known  # asked again when that one has ended
        after[name] = watch.record()
        if state == AT_REST:
            requests.append(_request(f"{name}:{mark.digest}:{watch.since_s:.0f}", "new delivery", name))
        arriving += [f"{name} ({mark.files} files)"] * (state == ARRIVING)
    waits = f"Waits until these have been the same for {settings.quiet_s:.0f} s: {', '.join(arriving)}"
    skip = None if requests else (waits if arriving else "Nothing new lies in the deliveries' folders")
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(after), skip_reason=skip)


def _new_readings(context: dg.SensorEvaluationContext, radia: Radia) -> dg.SensorResult | dg.SkipReason:
    """Make truth and review queue anew once readings were added and nobody has read for the lake's quiet time."""
    mark = look_at(radia.lake().readings_path)
    if mark is None:
        return dg.SkipReason("Nobody has read yet")
    known = Watch.of(json.loads(context.cursor) if context.cursor else None)
    state, watch = known.look(mark, radia.now_s(), radia.settings().quiet_s)
    if state == AT_REST and _is_running(context.instance, "review"):
        return dg.SkipReason("The job review is running; asked again when it has ended")
    requests = [_request(f"readings:{mark.digest}", "new readings")] if state == AT_REST else []
    skip = None if requests else ("Somebody is reading" if state == ARRIVING else "No new readings")
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(watch.record()), skip_reason=skip)


def _new_challenger(context: dg.SensorEvaluationContext, radia: Radia) -> dg.RunRequest | dg.SkipReason:
    """Ask the gate about a released ensemble that it has not judged; who approves it is a person's act."""
    from radia_pipeline.evaluation.gate import unjudged

    basis = unjudged(radia.lake())
    if basis is None:
        return dg.SkipReason("No released ensemble waits for the gate")
    return _request(f"gate:{basis}", "new challenger")


def _drift_retraining(context: dg.SensorEvaluationContext, radia: Radia) -> dg.RunRequest | dg.SkipReason:
    """Retrain where the newest drift report freezes promotions or proposes a rollback; once for each set of alarms."""
    from radia_pipeline.monitoring.actions import alarms, demanded
    from radia_pipeline.monitoring.protocol import FREEZE

    demand = demanded(radia.lake())
    found = alarms(demand, FREEZE)
    if not found:
        return dg.SkipReason("No drift report asks for it" if demand.day else "There is no drift report")
    identity = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
    config = {"ops": {"retrain_if_due": {"config": {"why": f"drift, report of {demand.day}"}}}}
    return dg.RunRequest(run_key=f"drift:{identity}", run_config=config, tags={WHY: "drift"})


def _request(run_key: str, why: str, partition: str | None = None) -> dg.RunRequest:
    return dg.RunRequest(run_key=run_key, partition_key=partition, tags={WHY: why})


def _is_running(instance: DagsterInstance, job: str, partition: str | None = None) -> bool:
    """Tell whether a run of a job is waiting or under way, whoever started it."""
    tags = {_PARTITION: partition} if partition else {}
    return bool(instance.get_run_ids(RunsFilter(job_name=job, statuses=NOT_FINISHED_STATUSES, tags=tags), limit=1))


def build_sensors(look_every_s: float) -> list[dg.SensorDefinition]:
    """Return all of them. ``look_every_s``: how often folders are looked at; the others look more rarely."""
    jobs = {
        "new_deliveries": ("ingest", _new_deliveries, 1),
        "new_readings": ("review", _new_readings, 1),
        "new_challenger": (GATE_JOB, _new_challenger, 5),
        "drift_retraining": ("retraining", _drift_retraining, 60),
    }
    look = [
        dg.sensor(
            name=name,
            job_name=job,
            minimum_interval_seconds=round(rarely * look_every_s),
            description=AUTOMATED[name].does,
        )(ask)
        for name, (job, ask, rarely) in jobs.items()
    ]
    follow = dg.AutomationConditionSensorDefinition(
        "labels_follow",
        target=dg.AssetSelection.assets(
            "report_mentions", "labels", "box_annotations"
        ).required_multi_asset_neighbors(),
        description=AUTOMATED["labels_follow"].does,
        run_tags={WHY: "reports or images changed"},
    )
    return [*look, follow]
