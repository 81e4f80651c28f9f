"""Runs the graph from a terminal: the same assets and jobs as in the UI, in this process, recorded in the same history.

One run per source partition, then the cohort, then the models. Nothing is computed here.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import dagster as dg
from sqlalchemy.exc import OperationalError

from radia_pipeline import errors
from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.defs.training import POOL
from radia_pipeline.errors import LakeUnwritable, RadiaError, RunFailed, UnknownName
from radia_pipeline.lake.lake import Lake

SPLIT, WHOLE, TRAINING = "split", "whole", "training"
NOTED = (
    "joined", "patient_mismatches", "boxes_without_image", "studies_without_image", "images_without_label", "gone",
    "unreadable", "in_several_lists", "left_out", "excluded", "problems",
)  # fmt: skip
"""Counts of an asset's metadata that tell a person what did not fit; a terminal shows those that are not 0."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class StepReport:
    """One run: what it materialized, for which partition, how long it took, what did not fit, why it failed if so."""

    name: str
    partition: str | None
    duration_s: float
    error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One Dagster run: the assets that it makes and, where they are split by source, the partition."""

    title: str
    names: tuple[str, ...]
    partition: str | None = None


@dataclass(frozen=True)
class Plan:
    """Batches of runs, in order. The runs of a batch do not need each other; several trainings go at the same time."""

    batches: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs in order."""
        return tuple(run for batch in self.batches for run in batch)


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


def make_plan(definitions: dg.Definitions, sources: Iterable[str], until: str | None = None) -> Plan:
    """Order the graph into runs: sources one by one, then what needs all of them. ``until``: an asset and its upstream.

    Raises UnknownName for an asset that is not in the graph.
    """
    graph = definitions.resolve_asset_graph()
    keys = set(graph.materializable_asset_keys)
    if until is not None:
        wanted = dg.AssetKey.from_user_string(until)
        if wanted not in keys:
            names = sorted(key.to_user_string() for key in keys)
            raise UnknownName(f"Unknown asset {until!r}", accepted=", ".join(names))
        keys = {key for key in keys if key == wanted or key in _upstream(graph, wanted)}
    return Plan(tuple(_batch(graph, kind, stage, sources) for kind, stage in _stages(graph, keys)))


def _batch(graph, kind: str, stage: list[dg.AssetKey], sources: Iterable[str]) -> tuple[Run, ...]:
    names = tuple(sorted(key.to_user_string() for key in stage))
    if kind == TRAINING:
        return tuple(Run(name, (name,)) for name in names)
    title = " + ".join(dict.fromkeys(graph.get(key).group_name for key in stage))
    return tuple(Run(title, names, source) for source in sources) if kind == SPLIT else (Run(title, names),)


def _kind(graph, key: dg.AssetKey) -> str:
    if graph.get(key).partitions_def:
        return SPLIT
    return TRAINING if key.path[0] == "classifiers" else WHOLE


def _upstream(graph, key: dg.AssetKey) -> set[dg.AssetKey]:
    """Return everything that an asset is made from, with the siblings that the same step makes."""
    found: set[dg.AssetKey] = set()
    queue = [key]
    while queue:
        node = graph.get(queue.pop())
        new = (set(node.parent_keys) | set(node.execution_set_asset_keys)) - found
        found |= new
        queue.extend(new)
    return found


def _stages(graph, keys: set[dg.AssetKey]) -> list[tuple[str, list[dg.AssetKey]]]:
    """Cut the graph into few stages of one kind each (split by source, whole, training) that respect its order."""
    left = set(keys)
    done = {key for key in graph.get_all_asset_keys() if key not in keys}
    stages: list[tuple[str, list[dg.AssetKey]]] = []
    kinds = itertools.cycle((SPLIT, WHOLE, TRAINING))
    while left:
        kind = next(kinds)
        stage: list[dg.AssetKey] = []
        while ready := _ready(graph, left, done, kind):
            stage += ready
            done |= set(ready)
            left -= set(ready)
            if kind == TRAINING:  # one that starts from another waits for the next round
                break
        if stage:
            stages.append((kind, stage))
    return stages


def _ready(graph, left: set[dg.AssetKey], done: set[dg.AssetKey], kind: str) -> list[dg.AssetKey]:
    return [key for key in sorted(left) if _kind(graph, key) == kind and graph.get(key).parent_keys <= done]


def execute(
    definitions: dg.Definitions,
    lake: Lake,
    plan: Plan,
    *,
    on_start: Callable[[str, str | None], None],
    on_end: Callable[[StepReport], None],
    instance: dg.DagsterInstance | None = None,
) -> list[StepReport]:
    """Run the plan; a source that fails does not stop the others, a step that needs all of them stops the run.

    Raises RunFailed when nothing is left to go on with.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    reports: list[StepReport] = []
    failed_sources: set[str] = set()
    all_sources = {run.partition for run in plan.runs if run.partition}
    alone = instance is not None
    with contextlib.nullcontext(instance) if alone else instance_of(lake) as instance:
        for batch in plan.batches:
            wanted = [run for run in batch if run.partition not in failed_sources]
            together = 1 if alone else trainers_at_once(wanted)
            ended = (
                _side_by_side(lake, wanted, together, on_start)
                if together > 1
                else _in_turn(job, instance, wanted, on_start)
            )
            for report in ended:
                reports.append(report)
                on_end(report)
                if report.error and report.partition is not None:
                    failed_sources.add(report.partition)
                if report.error and (report.partition is None or failed_sources >= all_sources):
                    raise as_error(report.error)
    return reports


def trainers_at_once(batch: Sequence[Run]) -> int:
    """Return how many runs of a batch share this machine: trainings do, one a core, unless there is a GPU."""
    if len(batch) < 2 or batch[0].partition is not None or POOL is not None:
        return 1
    return max(1, min(len(batch), os.cpu_count() or 1))


def _in_turn(job, instance, batch: Sequence[Run], on_start: Callable[[str, str | None], None]) -> Iterator[StepReport]:
    for run in batch:
        on_start(run.title, run.partition)
        yield run_one(job, instance, run)


def _side_by_side(
    lake: Lake, batch: Sequence[Run], together: int, on_start: Callable[[str, str | None], None]
) -> Iterator[StepReport]:
    """Run a batch in processes of their own (two Dagster runs in one process block each other); reports as they end."""
    env = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // together)), **os.environ}
    with ThreadPoolExecutor(together) as pool:
        waiting = []
        for run in batch:
            on_start(run.title, run.partition)
            waiting.append(pool.submit(_in_a_process, lake, run, env))
        for done in as_completed(waiting):
            yield done.result()


def _in_a_process(lake: Lake, run: Run, env: dict[str, str]) -> StepReport:
    started = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-m", "radia_pipeline.defs.one_run", os.fspath(lake.root), *run.names]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stdout:
        with subprocess.Popen(command, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if line.startswith(f"  {run.names[0].rpartition('/')[2]}: "):
                    sys.stderr.write(line)  # what the training says of itself; the rest is Dagster's
                    sys.stderr.flush()
        stdout.seek(0)
        answer = stdout.read().strip().splitlines()
    is_whole = process.returncode == 0 and answer
    error = json.loads(answer[-1])["error"] if is_whole else "the process of the run ended early"
    return StepReport(run.title, run.partition, time.monotonic() - started, error)


def as_error(text: str) -> RadiaError:
    """Return the error that a failed step described as ``Kind: words``, so that its exit code stays."""
    kind, _, words = text.partition(": ")
    found = getattr(errors, kind, None)
    is_ours = isinstance(found, type) and issubclass(found, RadiaError)
    return found(words) if is_ours else RunFailed(text)


def run_one(job, instance, run: Run) -> StepReport:
    """Execute one run in this process and report on it."""
    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey.from_user_string(name) for name in run.names],
        partition_key=run.partition,
        run_config=QUIET,
        raise_on_error=False,
        tags={"radia/step": run.title.replace(" + ", "_").replace("/", "_")},
    )
    error = None if result.success else _why(result)
    return StepReport(run.title, run.partition, time.monotonic() - started, error, tuple(_notes(result)))


def _notes(result) -> Iterator[str]:
    """Say what did not fit in the input, from the counts that assets published: ``labels: patient mismatches 1``."""
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        counts: dict[str, int] = {}
        for name in NOTED:
            value = metadata[name].value if name in metadata else None
            parts = value if isinstance(value, dict) else {name: value}
            counts |= {part: count for part, count in parts.items() if isinstance(count, int) and count}
        key = event.asset_key.to_user_string()
        if counts:
            yield f"{key}: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        warnings = metadata["warnings"].value if "warnings" in metadata else []
        yield from (f"{key}: {warning}" for warning in warnings)


def _why(result) -> str:
    """Return the first failure in its own words; Dagster wraps the cause in errors of its own."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return error.message.strip() if error is not None else "a step failed"
    return "the run failed"
