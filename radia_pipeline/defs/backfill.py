"""``radia backfill``: makes what is stale, or what failed, in the graph's order, and says before what and why.

Each part is a run of the lake's history, as in the page. Before a batch begins it is asked again what is still due:
what came out as before makes nothing after it. Not here: what is due (``stale``), how runs are executed (``pipeline``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.jobs import GROUP_JOBS
from radia_pipeline.defs.one_run import Run, instance_of
from radia_pipeline.defs.pipeline import Plan, execute, make_plan
from radia_pipeline.defs.run import Outcome, following
from radia_pipeline.defs.stale import NEVER_MADE, STALE, Due, due, total_cost_s
from radia_pipeline.defs.training_lines import duration
from radia_pipeline.drawing.text import table
from radia_pipeline.errors import AlreadyRunning, BadInput, LakeLocked, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.sources.registry import locate_all

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

COSTLY = ("training", "detection")
"""Groups that are made again only when they are named: they take hours."""


def backfill(
    lake: Lake, what: str, *, groups: Sequence[str] = (), sources: Sequence[str] = (), is_dry: bool = False
) -> tuple[dict[str, Any], str]:
    """Make what is due; returns it as data and as text. ``what``: stale or failed; ``groups``: only these, by default
    all but the costly ones; ``is_dry``: say it and make nothing.

    Raises UnknownName for a group that is none, AlreadyRunning where another one works on this lake.
    """
    if unknown := sorted(set(groups) - set(GROUP_JOBS)):
        raise UnknownName(f"Unknown group {unknown[0]!r}", accepted=", ".join(GROUP_JOBS))
    definitions = build_defs(lake_root=lake.root)
    with instance_of(lake) as instance:
        present = _delivered(lake, sources)
        found = due(definitions, instance, present, what)
        wanted = set(groups or (name for name in GROUP_JOBS if name not in COSTLY))
        graph = definitions.resolve_asset_graph()
        chosen = _chosen(graph, found, wanted)
        left_out = sorted({_group(graph, one) for one in found} - wanted)
        told = _told(what, chosen, left_out, _steps(graph))
        if is_dry or not chosen:
            return told, as_text(told)
        with alone(lake):
            outcome = _make(definitions, instance, lake, present, what, chosen)
    told |= {"made": outcome.made, "failed": outcome.failed, "notes": outcome.notes}
    return told, as_text(told)


@contextlib.contextmanager
def alone(lake: Lake) -> Iterator[None]:
    """Hold the lake for one backfill or retraining; raises AlreadyRunning where another one holds it."""
    try:
        lock = lake.lock("work", wait_s=0)
        with lock:
            yield
    except LakeLocked:
        raise AlreadyRunning(
            "Another backfill or retraining works on this lake", do="wait until it has ended, then start this again"
        ) from None


def _delivered(lake: Lake, sources: Sequence[str]) -> list[str]:
    root = read_settings(lake.root).sources_root
    if root is None:
        raise BadInput("The lake does not know where deliveries lie", do="run `radia run --sources-root DIR` once")
    present, _ = locate_all(Path(root), sources or None)
    return list(present)


def _group(graph: BaseAssetGraph, one: Due) -> str:
    return graph.get(dg.AssetKey.from_user_string(one.asset)).group_name


def _chosen(graph: BaseAssetGraph, found: Sequence[Due], groups: set[str]) -> list[Due]:
    """Return what is due in these groups, without what nobody can make yet, since something above it is not there."""
    unmade = {(one.asset, one.partition) for one in found if one.why == NEVER_MADE}
    chosen: list[Due] = []
    for one in found:
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey.from_user_string(one.asset)).parent_keys}
        lacks = any(name in parents and _meet(part, one.partition) for name, part in unmade)
        if _group(graph, one) in groups and not lacks:
            chosen.append(one)
            unmade.discard((one.asset, one.partition))
    return chosen


def _meet(part: str | None, other: str | None) -> bool:
    """Tell whether two parts touch: the same source, or one of them is of all sources."""
    return part is None or other is None or part == other


def _make(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    lake: Lake,
    present: list[str],
    what: str,
    chosen: Sequence[Due],
) -> Outcome:
    names = {(one.asset, one.partition) for one in chosen}
    whole = make_plan(definitions, present)
    batches = (tuple(filter(None, (_only(run, names) for run in batch))) for batch in whole.batches)
    plan = Plan(tuple(batch for batch in batches if batch))

    def still(run: Run) -> Run | None:
        now = due(definitions, instance, present, what)
        return _only(run, names & {(one.asset, one.partition) for one in now if not one.follows})

    with following() as (outcome, listener):
        execute(definitions, lake, plan, listener, instance=instance, still=still)
    return outcome


def _only(run: Run, names: set[tuple[str, str | None]]) -> Run | None:
    kept = tuple(name for name in run.names if (name, run.partition) in names)
    return replace(run, names=kept) if kept else None


def _steps(graph: BaseAssetGraph) -> dict[str, tuple[str, ...]]:
    return {
        key.to_user_string(): tuple(sorted(one.to_user_string() for one in graph.get(key).execution_set_asset_keys))
        for key in graph.materializable_asset_keys
    }


def _told(
    what: str, chosen: Sequence[Due], left_out: Sequence[str], steps: dict[str, tuple[str, ...]]
) -> dict[str, Any]:
    cost_s, unknown = total_cost_s(chosen, steps)
    return {
        "what": what,
        "due": [vars(one) for one in chosen],
        "left_out": list(left_out),
        "cost_s": round(cost_s, 1),
        "without_known_cost": unknown,
    }


def as_text(told: dict[str, Any]) -> str:
    """Return what is due, why and what it will take, and what came of it."""
    if not told["due"]:
        lines = ["Nothing is stale." if told["what"] == STALE else "Nothing has failed."]
    else:
        rows = [
            [
                one["asset"],
                one["partition"] or "–",
                one["why"],
                "–" if one["cost_s"] is None else duration(one["cost_s"]),
            ]
            for one in told["due"]
        ]
        unknown = told["without_known_cost"]
        more = f", and {unknown} step{'s' * (unknown != 1)} that the history has no time for" if unknown else ""
        lines = [
            table(["asset", "source", "why", "took last"], rows),
            f"By the last runs this takes {duration(told['cost_s'])} at most{more}.",
        ]
    if told["left_out"]:
        hint = " ".join(f"--group {name}" for name in told["left_out"])
        lines.append(f"Left out, since it was not asked for: {', '.join(told['left_out'])} (add {hint}).")
    if "made" in told:
        lines.append(f"{told['made']} run{'s' * (told['made'] != 1)} done, {len(told['failed'])} failed.")
        lines += [f"  {name}: {why}" for name, why in told["failed"].items()]
    return "\n".join(lines)
