"""What is due in a lake's graph, and why: made from data or by rules that have changed since, or failed.

The verdicts are Dagster's own, those of the page, by data versions: what was made again and came out the same makes
nothing stale. Costs are what the last runs took. Not here: doing it (``backfill``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleCause, StaleStatus
from dagster._core.loader import LoadingContext

from radia_pipeline.defs.pipeline import is_of_a_run

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

STALE, FAILED = "stale", "failed"
NEVER_MADE = "was never made"


@dataclass(frozen=True)
class Due:
    """One asset, or its part of one source, that is due. ``why``: in words; ``cost_s``: what it took last, None where
    that is not known; ``follows``: it is due only if what it is made from comes out otherwise; ``at_s``: when it
    failed, seconds since 1970."""

    asset: str
    partition: str | None
    why: str
    cost_s: float | None
    follows: bool = False
    at_s: float | None = None


class _Loading(LoadingContext):
    """What Dagster's resolver loads records through, for as long as one question takes."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._loaders: dict[Any, Any] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict:
        return self._loaders


def due(definitions: dg.Definitions, instance: dg.DagsterInstance, sources: Collection[str], what: str) -> list[Due]:
    """Return what is due, in the graph's order. ``sources``: partitions that are delivered; ``what``: STALE or FAILED.

    What a person asks for, and what belongs to a day, is never due by itself.
    """
    graph = definitions.resolve_asset_graph()
    parts = [
        (key, partition)
        for key in graph.toposorted_asset_keys
        if key in graph.materializable_asset_keys and is_of_a_run(graph.get(key))
        for partition in (sorted(sources) if graph.get(key).partitions_def else [None])
    ]
    if what == FAILED:
        return [*_failed(instance, parts)]
    whys = dict(_stale(graph, instance, parts))
    return [
        Due(key.to_user_string(), partition, why, last_cost_s(instance, key, partition), follows)
        for key, partition, why, follows in _with_followers(graph, parts, whys)
    ]


def _stale(graph: BaseAssetGraph, instance: dg.DagsterInstance, parts: Iterable) -> Iterator[tuple[tuple, str]]:
    resolver = CachingStaleStatusResolver(instance, graph, _Loading(instance))
    for key, partition in parts:
        status = resolver.get_status(key, partition)
        if status == StaleStatus.MISSING:
            yield (key, partition), NEVER_MADE
        elif status == StaleStatus.STALE:
            causes = resolver.get_stale_causes(key, partition)
            yield (key, partition), _words(causes)


def _words(causes: Iterable[StaleCause]) -> str:
    """Return why, each cause once: the rules of making it, or what it is made from."""
    changed = sorted({cause.dependency.asset_key.to_user_string() for cause in causes if cause.dependency is not None})
    told = ["is made by other rules or settings now"] * any(cause.dependency is None for cause in causes)
    return "; ".join([*told, *([f"changed: {', '.join(changed)}"] if changed else [])])


def _with_followers(
    graph: BaseAssetGraph, parts: list, whys: dict
) -> Iterator[tuple[dg.AssetKey, str | None, str, bool]]:
    """Yield what is due, and what is made from it, which is due only if that comes out otherwise."""
    moved: dict[dg.AssetKey, set[str | None]] = {}
    for key, partition in parts:
        above = [
            parent.to_user_string()
            for parent in sorted(graph.get(key).parent_keys)
            if (before := moved.get(parent)) and (partition is None or None in before or partition in before)
        ]
        if (key, partition) not in whys and not above:
            continue
        moved.setdefault(key, set()).add(partition)
        why = whys.get((key, partition))
        yield key, partition, why or f"if these come out otherwise: {', '.join(above)}", why is None


def _failed(instance: dg.DagsterInstance, parts: Iterable) -> Iterator[Due]:
    for key, partition in parts:
        planned = instance.get_latest_planned_materialization_info(key, partition)
        if planned is None:
            continue
        made = _last_made(instance, key, partition)
        record = instance.get_run_record_by_id(planned.run_id)
        if record is None:
            continue
        is_over = record.dagster_run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
        if is_over and (made is None or made.storage_id < planned.storage_id):
            cost_s = last_cost_s(instance, key, partition)
            why = "failed when it was last tried"
            yield Due(key.to_user_string(), partition, why, cost_s, at_s=record.end_time)


def _last_made(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[partition]) if partition else dg.AssetRecordsFilter(key)
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def last_cost_s(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> float | None:
    """Return how many seconds the step took that last made an asset; None where the history does not say."""
    made = _last_made(instance, key, partition)
    if made is None:
        return None
    event = made.event_log_entry.dagster_event
    stats = instance.get_run_step_stats(made.run_id, [event.step_key]) if event and event.step_key else []
    if not stats or stats[0].start_time is None or stats[0].end_time is None:
        return None
    return stats[0].end_time - stats[0].start_time


def total_cost_s(found: Iterable[Due], steps: dict[str, tuple[str, ...]]) -> tuple[float, int]:
    """Return the seconds that the last runs took, each step once, and how many parts have no known cost.

    ``steps``: asset → those that one step makes together.
    """
    known: dict[tuple[tuple[str, ...], str | None], float | None] = {}
    for one in found:
        place = (steps.get(one.asset, (one.asset,)), one.partition)
        known[place] = one.cost_s if known.get(place) is None else known[place]
    return sum(cost for cost in known.values() if cost is not None), sum(cost is None for cost in known.values())
