"""Runs the graph from a terminal: the same assets and jobs as in the UI, in this process, recorded in the same history.

One run per source partition, then the cohort, then the models. Nothing is computed here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import dagster as dg

from radia_pipeline import errors
from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.errors import RadiaError, RunFailed, UnknownName
from radia_pipeline.lake.lake import Lake

GLOBAL_JOB = "__ASSET_JOB"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class StepReport:
    """One run: what it materialized, for which partition, how long it took and, if so, why it failed."""

    name: str
    partition: str | None
    duration_s: float
    error: str | None = None


@dataclass(frozen=True)
class Plan:
    """Runs in order: asset keys and, where they are split by source, the partition."""

    runs: tuple[tuple[str, tuple[str, ...], str | None], ...]
    skipped: tuple[str, ...] = field(default=())


@contextlib.contextmanager
def instance_of(lake: Lake) -> Iterator[dg.DagsterInstance]:
    """Open the lake's Dagster instance."""
    home = dagster_home(lake)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = os.fspath(home)
    try:
        with dg.DagsterInstance.from_config(os.fspath(home)) as instance:
            yield instance
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
    runs: list[tuple[str, tuple[str, ...], str | None]] = []
    for level in _stages(graph, keys):
        names = tuple(sorted(key.to_user_string() for key in level))
        split = bool(graph.get(level[0]).partitions_def)
        runs += (
            [(_title(graph, level), names, source) for source in sources]
            if split
            else [(_title(graph, level), names, None)]
        )
    return Plan(tuple(runs))


def _upstream(graph, key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    queue = [key]
    while queue:
        node = graph.get(queue.pop())
        together = {sibling.asset for sibling in ()} | set(node.execution_set_asset_keys)
        for parent in {*node.parent_keys, *(together - found - {node.key})}:
            if parent not in found:
                found.add(parent)
                queue.append(parent)
    return found


def _stages(graph, keys: set[dg.AssetKey]) -> list[list[dg.AssetKey]]:
    """Cut the graph into the fewest alternations of partitioned and whole assets that respect its order."""
    left = set(keys)
    done = {key for key in graph.get_all_asset_keys() if key not in keys}
    stages: list[list[dg.AssetKey]] = []
    is_split = True
    while left:
        stage: list[dg.AssetKey] = []
        while ready := [
            key
            for key in sorted(left)
            if bool(graph.get(key).partitions_def) == is_split and graph.get(key).parent_keys <= done
        ]:
            stage += ready
            done |= set(ready)
            left -= set(ready)
        if stage:
            stages.append(stage)
        is_split = not is_split
    return stages


def _title(graph, keys: list[dg.AssetKey]) -> str:
    groups = dict.fromkeys(graph.get(key).group_name for key in keys)
    return " + ".join(groups)


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
    with instance_of(lake) if instance is None else contextlib.nullcontext(instance) as instance:
        for title, names, partition in plan.runs:
            if partition in failed_sources:
                continue
            on_start(title, partition)
            report = _run_one(job, instance, title, names, partition)
            reports.append(report)
            on_end(report)
            if report.error and partition is None:
                raise as_error(report.error)
            if report.error:
                failed_sources.add(partition)
                if failed_sources >= {source for _, _, source in plan.runs if source}:
                    raise as_error(report.error)
    return reports


def as_error(text: str) -> RadiaError:
    """Return the error that a failed step described as ``Kind: words``, so that its exit code stays."""
    kind, _, words = text.partition(": ")
    found = getattr(errors, kind, None)
    is_ours = isinstance(found, type) and issubclass(found, RadiaError)
    return found(words) if is_ours else RunFailed(text)


def _run_one(job, instance, title: str, names: tuple[str, ...], partition: str | None) -> StepReport:
    started = time.monotonic()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey.from_user_string(name) for name in names],
        partition_key=partition,
        run_config=QUIET,
        raise_on_error=False,
        tags={"radia/step": title.replace(" + ", "_")},
    )
    return StepReport(title, partition, time.monotonic() - started, None if result.success else _why(result))


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
