"""Runs the graph from a terminal: the same assets and jobs as in the UI, in this process, recorded in the same history.

One run per source partition, then the cohort, then the models. Nothing is computed here.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from radia_pipeline.defs.one_run import Run, StepReport, instance_of, run_apart, run_one
from radia_pipeline.defs.partitions import SOURCES
from radia_pipeline.defs.tables import ASKED_FOR
from radia_pipeline.defs.training import pool_of
from radia_pipeline.errors import UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import named

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph, BaseAssetNode

SPLIT, WHOLE, TRAINING = "split", "whole", "training"


@dataclass(frozen=True)
class Plan:
    """Batches of runs, in order. The runs of a batch do not need each other; several trainings go at the same time."""

    batches: tuple[tuple[Run, ...], ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs in order."""
        return tuple(run for batch in self.batches for run in batch)


@dataclass(frozen=True)
class Listener:
    """Who hears of a plan's runs: of title and partition as one starts, of its report as it ends."""

    started: Callable[[str, str | None], None] = lambda _title, _partition: None
    ended: Callable[[StepReport], None] = lambda _report: None


def make_plan(definitions: dg.Definitions, sources: Iterable[str], until: str | None = None) -> Plan:
    """Order the graph into runs: sources one by one, then what needs all of them. ``until``: an asset and its upstream.

    Raises UnknownName for an asset that is not in the graph.
    """
    graph = definitions.resolve_asset_graph()
    keys = {key for key in graph.materializable_asset_keys if is_of_a_run(graph.get(key))}
    if until is not None:
        wanted = dg.AssetKey.from_user_string(until)
        if wanted not in keys:
            names = sorted(key.to_user_string() for key in keys)
            raise UnknownName(f"Unknown asset {until!r}", accepted=", ".join(names))
        keys = {key for key in keys if key == wanted or key in _upstream(graph, wanted)}
    return Plan(tuple(_batch(graph, kind, stage, sources) for kind, stage in _stages(graph, keys)))


def is_of_a_run(node: BaseAssetNode) -> bool:
    """Tell whether an asset belongs to a run of everything: not what a person asks for, nor what a day does."""
    return ASKED_FOR not in node.tags and node.partitions_def in (None, SOURCES)


def _batch(graph: BaseAssetGraph, kind: str, stage: list[dg.AssetKey], sources: Iterable[str]) -> tuple[Run, ...]:
    names = tuple(sorted(key.to_user_string() for key in stage))
    if kind == TRAINING:
        return tuple(Run(name, (name,)) for name in names)
    title = " + ".join(dict.fromkeys(graph.get(key).group_name for key in stage))
    return tuple(Run(title, names, source) for source in sources) if kind == SPLIT else (Run(title, names),)


def _kind(graph: BaseAssetGraph, key: dg.AssetKey) -> str:
    if graph.get(key).partitions_def:
        return SPLIT
    return TRAINING if key.path[0] == "classifiers" else WHOLE


def _upstream(graph: BaseAssetGraph, key: dg.AssetKey) -> set[dg.AssetKey]:
    """Return everything that an asset is made from, with the siblings that the same step makes."""
    found: set[dg.AssetKey] = set()
    queue = [key]
    while queue:
        node = graph.get(queue.pop())
        new = (set(node.parent_keys) | set(node.execution_set_asset_keys)) - found
        found |= new
        queue.extend(new)
    return found


def _stages(graph: BaseAssetGraph, keys: set[dg.AssetKey]) -> list[tuple[str, list[dg.AssetKey]]]:
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


def _ready(graph: BaseAssetGraph, left: set[dg.AssetKey], done: set[dg.AssetKey], kind: str) -> list[dg.AssetKey]:
    return [key for key in sorted(left) if _kind(graph, key) == kind and graph.get(key).parent_keys <= done]


def execute(
    definitions: dg.Definitions,
    lake: Lake,
    plan: Plan,
    listener: Listener,
    *,
    instance: dg.DagsterInstance | None = None,
    still: Callable[[Run], Run | None] = lambda run: run,
) -> list[StepReport]:
    """Run the plan; a source that fails does not stop the others, a step that needs all of them stops the run.

    ``still``: asked before each batch what of a run is still wanted.
    Raises RunFailed when nothing is left to go on with.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    reports: list[StepReport] = []
    failed_sources: set[str] = set()
    all_sources = {run.partition for run in plan.runs if run.partition}
    alone, waits = instance is not None, pool_of(read_settings(lake.root).training_pool) is not None
    with contextlib.nullcontext(instance) if instance is not None else instance_of(lake) as history:
        for batch in plan.batches:
            wanted = [now for run in batch if run.partition not in failed_sources and (now := still(run))]
            together = 1 if alone or waits else trainers_at_once(wanted)
            ended = (
                _side_by_side(lake, wanted, together, listener)
                if together > 1
                else _in_turn(job, history, wanted, listener)
            )
            for report in ended:
                reports.append(report)
                listener.ended(report)
                if report.error and report.partition is not None:
                    failed_sources.add(report.partition)
                if report.failure and (report.partition is None or failed_sources >= all_sources):
                    raise report.failure
    return reports


def trainers_at_once(batch: Sequence[Run]) -> int:
    """Return how many runs of a batch share this machine: trainings do, one a core."""
    if len(batch) < 2 or batch[0].partition is not None:
        return 1
    return max(1, min(len(batch), os.cpu_count() or 1))


def _in_turn(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    batch: Sequence[Run],
    listener: Listener,
) -> Iterator[StepReport]:
    for run in batch:
        listener.started(run.title, run.partition)
        yield run_one(job, instance, run)


def _side_by_side(lake: Lake, batch: Sequence[Run], together: int, listener: Listener) -> Iterator[StepReport]:
    """Run a batch in processes of their own (two Dagster runs in one process block each other); reports as they end."""
    shared = children.threads(max(1, (os.cpu_count() or 1) // together))
    env = children.environment({**shared, **os.environ, **named()})
    stop = StopRequest()
    with ThreadPoolExecutor(together) as pool:
        try:
            waiting = []
            for run in batch:
                listener.started(run.title, run.partition)
                waiting.append(pool.submit(run_apart, lake, run, env, stop))
            for done in as_completed(waiting):
                yield done.result()
        except KeyboardInterrupt:
            stop.set("interrupted")
            pool.shutdown(wait=False, cancel_futures=True)
            raise
