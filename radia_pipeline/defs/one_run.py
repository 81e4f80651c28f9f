"""One Dagster run: in this process, or in one of its own (``python -m radia_pipeline.defs.one_run LAKE ASSET...``).

``pipeline`` starts such processes where several runs go at the same time: two runs in one process block each other. The
last line of standard output is ``{"error": words, "failure": record}``. Not here: which runs there are, in what order.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.defs.tables import failed_with
from radia_pipeline.defs.training import TERMINATION_S
from radia_pipeline.errors import LakeUnwritable, RadiaError, RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import children
from radia_pipeline.processes.failures import as_record, from_record
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import watch_parents
from radia_pipeline.tracking.provenance import process_tags

GRACE_S = TERMINATION_S + 2
"""Between asking a run's process to stop and killing it; it waits as long for its training."""
NOTED = (
    "joined",
    "patient_mismatches",
    "boxes_without_image",
    "studies_without_image",
    "images_without_label",
    "gone",
    "unreadable",
    "in_several_lists",
    "left_out",
    "excluded",
    "problems",
)
"""Counts of an asset's metadata that tell a person what did not fit; a terminal shows those that are not 0."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class StepReport:
    """One run: what it materialized, for which partition, how long it took, what did not fit, why it failed if so.

    ``error``: why, in words; ``failure``: the same, as what may be raised.
    """

    name: str
    partition: str | None
    duration_s: float
    error: str | None = None
    notes: tuple[str, ...] = ()
    failure: RadiaError | None = None


@dataclass(frozen=True)
class Run:
    """One Dagster run: the assets that it makes and, where they are split by source, the partition. ``tags``: more of
    them, which a step may read; ``config``: step → what it is told."""

    title: str
    names: tuple[str, ...]
    partition: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@contextlib.contextmanager
def instance_of(lake: Lake) -> Iterator[dg.DagsterInstance]:
    """Open the lake's Dagster instance."""
    home = dagster_home(lake)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = os.fspath(home)
    try:
        with dg.DagsterInstance.from_config(os.fspath(home)) as instance:
            yield instance
    except OperationalError as error:
        raise LakeUnwritable(
            f"Dagster's history beside the lake cannot be written ({error.orig}); tables of the lake are intact",
            do="free space or rights there, end other programs that hold it, then start again: it continues",
        ) from None
    finally:
        if before is None:
            os.environ.pop("DAGSTER_HOME", None)
        else:
            os.environ["DAGSTER_HOME"] = before


def run_one(job: dg.JobDefinition, instance: dg.DagsterInstance, run: Run) -> StepReport:
    """Execute one run in this process and report on it."""
    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey.from_user_string(name) for name in run.names],
        partition_key=run.partition,
        run_config={**QUIET, "ops": {step: {"config": dict(told)} for step, told in run.config.items()}},
        raise_on_error=False,
        tags={"radia/step": run.title.replace(" + ", "_").replace("/", "_"), **process_tags(), **run.tags},
    )
    error, failure = (None, None) if result.success else _why(result)
    return StepReport(run.title, run.partition, time.monotonic() - started, error, tuple(_notes(result)), failure)


def run_now(lake: Lake, run: Run) -> None:
    """Execute one run of the lake's history in this process; raises what its first failed step raised."""
    job = build_defs(lake_root=lake.root).resolve_implicit_global_asset_job_def()
    with instance_of(lake) as instance:
        report = run_one(job, instance, run)
    if report.error is not None:
        raise report.failure or RunFailed(f"The step {run.title} failed: {report.error}")


def _notes(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Say what did not fit in the input, from the counts that assets published: ``labels: patient mismatches 1``."""
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        counts: dict[str, int] = {}
        for name in NOTED:
            value = metadata[name].value if name in metadata else None
            parts = value if isinstance(value, dict) else {name: value}
            counts |= {part: count for part, count in parts.items() if isinstance(count, int) and count}
        key = event.materialization.asset_key.to_user_string()
        if counts:
            yield f"{key}: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        warnings = metadata["warnings"].value if "warnings" in metadata else []
        if isinstance(warnings, list | tuple):
            yield from (f"{key}: {warning}" for warning in warnings)


def _why(result: dg.ExecuteInProcessResult) -> tuple[str, RadiaError]:
    """Return the first failure in words and as an error; Dagster wraps the cause in errors of its own."""
    text = "the run failed"
    for event in result.all_events:
        if event.is_step_failure:
            failure = failed_with(event)
            if failure is not None:
                return f"{failure.kind}: {failure}", failure
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            text = error.message.strip() if error is not None else "a step failed"
            break
    return text, RunFailed(text)


def run_apart(lake: Lake, run: Run, env: dict[str, str], stop: StopRequest) -> StepReport:
    """Execute one run in a process of its own, which ends in order when ``stop`` is set; report on it."""
    started = time.monotonic()
    command = children.module(__spec__.name, lake.root, *run.names)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdout:
        group = children.running(
            command, env, grace_s=GRACE_S, stop=stop, stdout=stdout, stderr=subprocess.PIPE, text=True
        )
        with group as process:
            for line in process.stderr or ():
                if line.startswith(f"  {run.names[0].rpartition('/')[2]}: "):
                    sys.stderr.write(line)  # what the training says of itself; the rest is Dagster's
                    sys.stderr.flush()
            process.wait()
        stdout.seek(0)
        answer = stdout.read().strip().splitlines()
    is_whole = process.returncode == 0 and answer
    took_s = time.monotonic() - started
    if not is_whole:
        text = "the process of the run ended early"
        return StepReport(run.title, run.partition, took_s, text, failure=RunFailed(text))
    said = json.loads(answer[-1])
    failure = from_record(said["failure"]) if said["error"] else None
    return StepReport(run.title, run.partition, took_s, said["error"], failure=failure)


def main() -> None:
    """Run the assets and print what came of it; a signal, or the death of whoever started this, interrupts the run."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    watch_parents(lambda _reason: os.kill(os.getpid(), signal.SIGINT))
    lake, names = Lake.open(Path(sys.argv[1]), create=False), tuple(sys.argv[2:])
    job = build_defs(lake_root=lake.root).resolve_implicit_global_asset_job_def()
    with instance_of(lake) as instance:
        report = run_one(job, instance, Run(names[0], names))
    record = as_record(report.failure) if report.failure else None
    sys.stdout.write(json.dumps({"error": report.error, "failure": record}) + "\n")


if __name__ == "__main__":
    main()
