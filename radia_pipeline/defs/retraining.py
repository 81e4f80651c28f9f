"""``radia retrain``: the champion's recipes on today's manifests, up to the gate's verdict; then it waits for a person.

Each step is a run of the lake's history, and one that stands already is not made again: killed, the same call goes on.
Not here: whether it may begin (``usecases.retraining``), what is stale (``stale``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from radia_pipeline.defs.backfill import alone
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.one_run import Run, instance_of
from radia_pipeline.defs.pipeline import Plan, execute
from radia_pipeline.defs.promotion import ask_gate
from radia_pipeline.defs.run import following
from radia_pipeline.defs.stale import last_cost_s
from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.usecases.champion_text import gate_found

SCORECARD = ("scorecard", "scorecard_subgroups", "test_predictions")


def retrain(lake: Lake, why: str, *, is_dry: bool = False) -> dict[str, Any]:
    """Retrain if nothing speaks against it; returns the plan and what came of it.

    Raises NotTrained before anything answers, AlreadyRunning where a backfill or retraining works on this lake, and
    what a step raised: the same call goes on from there.
    """
    from radia_pipeline.pages.retraining import RETRAINING, write_retraining_page
    from radia_pipeline.usecases.retraining import begin, end, plan_retraining

    definitions = build_defs(lake_root=lake.root)
    with instance_of(lake) as instance:
        recipes = plan_retraining(lake, time.time()).recipes
        costs = [last_cost_s(instance, dg.AssetKey(["classifiers", name]), None) for name in recipes]
        plan = plan_retraining(lake, time.time(), sum(filter(None, costs)) / 3600)
        told = {
            **vars(plan),
            "changes": [vars(one) for one in plan.changes],
            "costs_s": dict(zip(recipes, costs)),
            "is_begun": False,
        }
        if is_dry or plan.against:
            return told
        with alone(lake):
            identity = begin(lake, plan, why, time.time())
            hours = _train(definitions, instance, lake, recipes)
            gate = _judge(lake)
            end(lake, identity, hours)
    write_retraining_page(lake)
    return told | {"is_begun": True, "id": identity, "hours": hours, "gate": gate, "page": RETRAINING}


def _train(definitions: dg.Definitions, instance: dg.DagsterInstance, lake: Lake, recipes: tuple[str, ...]) -> float:
    """Run trainings, predictions, ensemble and scorecard; returns the hours that the trainings took."""
    hours, known = 0.0, read_settings(lake.root).recipes
    plan = Plan(tuple(_batches(recipes, known)))
    with following() as (_, listener):
        reports = execute(definitions, lake, plan, listener, instance=instance)
    for report in reports:
        if report.failure:
            raise report.failure
        hours += report.duration_s / 3600 if report.name.startswith("classifiers/") else 0.0
    return hours


def _batches(recipes: tuple[str, ...], known: tuple[str, ...]) -> Iterator[tuple[Run, ...]]:
    """Yield the trainings, then predictions of all recipes of the lake, since their pools have moved, and the rest."""
    everybody = sorted({*recipes, *known})
    yield tuple(Run(f"classifiers/{name}", (f"classifiers/{name}",)) for name in recipes)
    yield (Run("predictions", tuple(f"predictions/{name}" for name in everybody)),)
    yield (Run("ensemble", ("ensemble",)),)
    yield (Run("scorecard", SCORECARD),)


def _judge(lake: Lake) -> dict[str, Any]:
    """Ask the gate what it makes of the new ensemble; nothing is released or approved by it."""
    try:
        ask_gate(lake)
    except RunFailed as error:
        return {"refused": [], "why_not": str(error)}
    found = gate_found(lake)
    return {"challenger": found["challenger"], "champion": found["champion"], "refused": found["refused"]}


def as_text(told: dict[str, Any]) -> str:
    """Return the plan, and what came of it, in words."""
    from radia_pipeline.defs.training_lines import duration

    took = {name: "not known" if cost is None else duration(cost) for name, cost in told["costs_s"].items()}
    lines = [
        "Recipes that would be trained (what they took last)",
        *(f"  {name}: {cost}" for name, cost in took.items()),
        f"New since the {told['answers']} was trained",
        *(f"  {change_words(one)}" for one in told["changes"]),
        *(["  nothing"] if not told["changes"] else []),
        f"Budget: {told['spent_hours']:.1f} of {told['budget_hours']:g} hours of training in 30 days are used.",
    ]
    if told["continues"]:
        lines.append(f"Retraining {told['continues']} was begun and has not ended: it goes on.")
    if told["against"]:
        lines += ["Not now:", *(f"  {why}" for why in told["against"])]
    if told["is_begun"]:
        refused = told["gate"]["refused"]
        verdict = (
            f"the gate refuses: {', '.join(refused)}" if refused else told["gate"].get("why_not", "the gate passes")
        )
        lines += [
            f"Retrained in {told['hours'] * 60:.1f} minutes of training; {verdict}.",
            "Nothing that answers was changed. Look at retraining.html and scorecard.html, then decide.",
        ]
    return "\n".join(lines)


def change_words(one: dict[str, Any]) -> str:
    """Return in words what is new in a source."""
    return (
        f"{one['source']}: {one['images_then']} images then, {one['images_now']} now; {one['new']} new, "
        f"{one['gone']} gone, {one['relabelled']} with other labels"
    )
