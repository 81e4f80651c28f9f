"""Every model on every pool, source and class, each figure with its interval and what it rests on.

Thresholds come from the validation pool, so decisions on test are honest. The view ``pool`` is a whole pool at natural
prevalence; the view ``set`` is the original's quota set inside it, where figures that depend on prevalence are left
out; the view ``readings`` is judged by radiologists, where a complete reading set of the pool
is there. What does not belong here: the formulas (``metrics``) and how they look (``pages``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.pools import HELD_OUT, TEST, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import bootstrap, metrics
from radia_pipeline.evaluation.bootstrap import ClassReplicates, Interval
from radia_pipeline.evaluation.ensemble import (
    DEFAULT_THRESHOLD,
    MIN_POSITIVES,
    candidate_rules,
    combine,
    load_ensemble,
)
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, predicted_recipes, read_panel
from radia_pipeline.evaluation.validated import judged, validated_sets
from radia_pipeline.lake.lake import Lake

ALL_SOURCES = "all"
SET_METRICS = ("auc", "f1", "sensitivity", "specificity")
CANDIDATE_METRICS = ("auc", "ap", "f1")
CANDIDATE = "rule:"
MEAN, MEAN_PATHOLOGIES, MEAN_GROUPS = "mean", "mean_pathologies", "mean_groups"


@dataclass(frozen=True)
class ScorecardResult:
    """What was judged, and the headline: mean test AUC and F1 of each model."""

    models: tuple[str, ...]
    rows: int
    version: str
    headline: tuple[Headline, ...]


@dataclass(frozen=True)
class Headline:
    """One model in one line: mean AUC and F1 over the classes with enough positives, on one pool."""

    model: str
    source: str
    pool: str
    auc: Interval
    f1: Interval
    classes: int


def validation_thresholds(panel: Panel) -> np.ndarray:
    """Return the best-F1 threshold (K,) of each class on the panel's validation studies; 0.5 without positives."""
    pool = panel.only(pool=VALIDATION)
    out = np.full(panel.label.shape[1], DEFAULT_THRESHOLD)
    for k in range(panel.label.shape[1]):
        if (pool.label[:, k] == 1).any():
            out[k] = metrics.best_f1_threshold(pool.probability[:, k], pool.label[:, k])[0]
    return out


def means_of(classes: list[ClassReplicates], minimum: int = MIN_POSITIVES) -> dict[str, list[ClassReplicates]]:
    """Return which classes enter each mean: all, the pathologies, the groups; only those with enough of both kinds."""
    names, words = vocabulary().classes, vocabulary()
    groups = set(words.finding_groups) | set(words.unions)
    kept = {
        name: one for name, one in zip(names, classes) if min(one.positives, one.studies - one.positives) >= minimum
    }
    return {
        MEAN: list(kept.values()),
        MEAN_PATHOLOGIES: [one for name, one in kept.items() if name in words.pathologies],
        MEAN_GROUPS: [one for name, one in kept.items() if name in groups],
    }


def _row(place: dict, name: str, metric: str, found: Interval) -> dict:
    figures = {key: getattr(found, key) for key in ("value", "low", "high")}
    figures = {key: (value if np.isfinite(value) else None) for key, value in figures.items()}
    return {**place, "class": name, "metric": metric, **figures, "positives": found.positives, "studies": found.studies}


def _judge(
    place: dict, panel: Panel, thresholds: np.ndarray, wanted: tuple[str, ...], replicates: int, seed: int
) -> Iterator[dict]:
    """Yield the rows of one model at one place (source, pool, view)."""
    probability = np.where(np.isfinite(panel.probability), panel.probability, 0.0)
    classes = bootstrap.bootstrap_classes(
        probability, panel.label, panel.group_id, thresholds, replicates=replicates, seed=seed
    )
    for name, one in zip(vocabulary().classes, classes):
        for metric in wanted:
            yield _row(place, name, metric, one.interval(metric))
    for name, members in means_of(classes).items():
        for metric in wanted:
            yield _row(place, name, metric, bootstrap.mean_interval(members, metric))
        count = Interval(float(len(members)), np.nan, np.nan, sum(one.positives for one in members), len(panel))
        yield _row(place, name, "classes", count)


def _places(panel: Panel, sets: dict[str, np.ndarray]) -> Iterator[tuple[dict, Panel]]:
    sources = [ALL_SOURCES, *sorted(set(panel.source))]
    for pool in HELD_OUT:
        for source in sources:
            part = panel.only(pool=pool, source=None if source == ALL_SOURCES else source)
            for view in ("pool", "set"):
                if view == "set":
                    part = part.only(study_ids=sets.get(pool, np.zeros(0, dtype=object)))
                if len(part):
                    yield {"source": source, "pool": pool, "view": view}, part


def _quota_sets(lake: Lake) -> dict[str, np.ndarray]:
    """Return the distinct studies of each evaluation set; empty where the sets have not been made."""
    if not lake.exists("evaluation_sets"):
        return {}
    table = lake.read("evaluation_sets", columns=["set_name", "study_id"])
    names, studies = (table.column(i).to_numpy(zero_copy_only=False) for i in range(2))
    return {name: np.unique(studies[names == name].astype(str)) for name in HELD_OUT}


def _candidates(lake: Lake, recipes: tuple[str, ...]) -> Iterator[tuple[str, Panel]]:
    """Yield every rule that could have been chosen, uncalibrated, so that the choice can be judged on test."""
    from dataclasses import replace

    members = tuple(name for name in load_ensemble(lake).members if name in recipes)
    panels = aligned([read_panel(lake, name) for name in members])
    stacked = np.stack([panel.probability for panel in panels])
    for rule in candidate_rules(members):
        if not rule.startswith("single:"):
            yield CANDIDATE + rule, replace(panels[0], probability=combine(rule, members, stacked))


def build_scorecard(lake: Lake, *, replicates: int = bootstrap.REPLICATES, seed: int = 0) -> ScorecardResult:
    """Judge every recipe with predictions, the ensemble and every candidate rule; publish ``scorecard``.

    Raises MissingTable where no recipe has predictions.
    """
    recipes = predicted_recipes(lake)
    has_ensemble = lake.exists("predictions", ENSEMBLE) and lake.exists("ensemble")
    sets, read, rows = _quota_sets(lake), validated_sets(lake), []
    for model in (*recipes, *([ENSEMBLE] if has_ensemble else [])):
        panel = read_panel(lake, model)
        thresholds = validation_thresholds(panel)
        if model == ENSEMBLE:
            chosen = load_ensemble(lake).thresholds
            thresholds = np.where(np.isfinite(chosen), chosen, DEFAULT_THRESHOLD)
        for place, part in _places(panel, sets):
            wanted = SET_METRICS if place["view"] == "set" else metrics.METRICS
            rows += _judge({"model": model, **place}, part, thresholds, wanted, replicates, seed)
        for pool, one in read.items():
            place = {"model": model, "source": ALL_SOURCES, "pool": pool, "view": "readings"}
            rows += [_row(place, *found) for found in judged(one, panel, thresholds)]
    for model, panel in _candidates(lake, recipes) if has_ensemble else ():
        for pool in HELD_OUT:
            place = {"model": model, "source": ALL_SOURCES, "pool": pool, "view": "pool"}
            if len(part := panel.only(pool=pool)):
                rows += _judge(place, part, validation_thresholds(panel), CANDIDATE_METRICS, replicates, seed)
    written = lake.write("scorecard", rows)
    models = tuple(dict.fromkeys(row["model"] for row in rows))
    return ScorecardResult(models, written.rows, written.version, tuple(_headlines(rows, TEST, ALL_SOURCES)))


def headlines(lake: Lake, *, pool: str = TEST, source: str = ALL_SOURCES) -> list[Headline]:
    """Return each model's mean AUC and F1 on a pool from the published scorecard, the ensemble last."""
    return list(_headlines(lake.read("scorecard").to_pylist(), pool, source))


def _headlines(rows: list[dict], pool: str, source: str) -> Iterator[Headline]:
    place = {"source": source, "pool": pool, "view": "pool", "class": MEAN}
    found = [row for row in rows if all(row[key] == value for key, value in place.items())]
    by_model = {}
    for row in found:
        by_model.setdefault(row["model"], {})[row["metric"]] = row
    for model in sorted(by_model, key=lambda name: (name == ENSEMBLE, name.startswith(CANDIDATE), name)):
        figures = by_model[model]
        yield Headline(
            model, source, pool, _interval(figures["auc"]), _interval(figures["f1"]), int(figures["classes"]["value"])
        )


def _interval(row: dict) -> Interval:
    figures = (np.nan if row[key] is None else row[key] for key in ("value", "low", "high"))
    return Interval(*figures, row["positives"], row["studies"])
