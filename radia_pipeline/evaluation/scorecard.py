"""Every model on every pool, source and class, each figure with its interval and what it rests on.

Recipes, the ensemble and every rule that could have been chosen are judged on validation, by decisions fitted on other
patients; on test only a released ensemble and its members. The view ``pool`` is a whole pool at natural prevalence;
``set`` is the original's quota set inside it, where figures that depend on prevalence are left out; ``expert`` the
studies of the pool that radiologists read; ``held`` a publisher's split that they read and that is in no pool's
figures; ``readings`` is judged by a complete reading set of the pool. What does not belong here:
the figures (``class_figures``), subgroups (``subgroups``), how they look (``pages``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from radia_pipeline.contracts.pools import HELD_OUT, TEST, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable, NotTrained
from radia_pipeline.evaluation import class_figures
from radia_pipeline.evaluation.calibration import logit
from radia_pipeline.evaluation.calibration_error import calibration_error
from radia_pipeline.evaluation.class_figures import OneClass
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.ensemble import SINGLE, candidates, load_ensemble
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import ABNORMAL, Judged
from radia_pipeline.evaluation.judged_models import judged_held, judged_model
from radia_pipeline.evaluation.panel import ENSEMBLE, aligned, predicted_recipes, read_panel
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.evaluation.release import Release, release, released_panels
from radia_pipeline.evaluation.study_facts import EXPERT, study_facts
from radia_pipeline.evaluation.subgroups import TOO_FEW, corrected, subgroup_rows
from radia_pipeline.evaluation.validated import judged as judged_by_readings
from radia_pipeline.evaluation.validated import validated_sets
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import latest_model, learned_sources

ALL_SOURCES = "all"
METRICS = tuple(class_figures.FORMS)
SET_METRICS = ("auc", "sensitivity", "specificity")
"""Figures that do not depend on prevalence, which a quota set does not have."""
CANDIDATE_METRICS = ("auc", "ap", "f1")
ERRORS = ("ece", "ece_if_calibrated")
CANDIDATE = "rule:"
MEAN, MEAN_PATHOLOGIES, MEAN_GROUPS = "mean", "mean_pathologies", "mean_groups"
POOL, SET, HELD, READINGS = "pool", "set", "held", "readings"


@dataclass(frozen=True)
class ScorecardResult:
    """What was judged, and the headline: mean AUC and F1 of each model. ``test_releases``: how often figures of the
    test pool were shown so far; ``test_uses``: all uses of its scores."""

    models: tuple[str, ...]
    rows: int
    version: str
    headline: tuple[Headline, ...]
    test_releases: int
    test_uses: int


@dataclass(frozen=True)
class Headline:
    """One model in one line: mean AUC and F1 over the classes with enough positives, on one pool."""

    model: str
    source: str
    pool: str
    auc: Interval
    f1: Interval
    classes: int


@dataclass(frozen=True)
class _Model:
    """A model on one pool, what it was trained on, and which figures it gets."""

    name: str
    trained_on: str | None
    pool: str
    judged: Judged
    metrics: tuple[str, ...] = METRICS


def means_of(classes: Mapping[str, OneClass], minimum: int = MIN_POSITIVES) -> dict[str, list[OneClass]]:
    """Return which classes enter each mean: all, the pathologies, the groups; only those with enough of both kinds."""
    words = vocabulary()
    groups = set(words.finding_groups) | set(words.unions)
    kept = {name: one for name, one in classes.items() if name != ABNORMAL and has_enough(one, minimum)}
    return {
        MEAN: list(kept.values()),
        MEAN_PATHOLOGIES: [one for name, one in kept.items() if name in words.pathologies],
        MEAN_GROUPS: [one for name, one in kept.items() if name in groups],
    }


def has_enough(one: OneClass, minimum: int = MIN_POSITIVES) -> bool:
    """Tell whether a class has enough positive and negative studies to enter a mean."""
    ranked = one.studies.ranked
    return one.has_both and min(ranked.positives, ranked.negatives) >= minimum


def _row(place: Mapping, name: str, metric: str, found: Interval, patients: int) -> dict:
    figures = {key: getattr(found, key) for key in ("value", "low", "high")}
    figures = {key: (float(value) if np.isfinite(value) else None) for key, value in figures.items()}
    return {
        **place,
        "class": name,
        "metric": metric,
        **figures,
        "positives": found.positives,
        "studies": found.studies,
        "patients": patients,
        "remark": TOO_FEW if figures["value"] is None else None,
    }


def _judge(place: Mapping, judged: Judged, wanted: Sequence[str]) -> Iterator[dict]:
    """Yield the rows of one model at one place (source, pool, view)."""
    classes = judged.classes()
    for name, one in classes.items():
        for metric in wanted:
            yield _row(place, name, metric, one.interval(metric), one.patients)
        if len(wanted) == len(METRICS):
            yield from _errors(place, name, one)
    patients = judged.groups[1]
    for name, members in means_of(classes).items():
        for metric in wanted:
            yield _row(place, name, metric, class_figures.mean_figure(members, metric), patients)
        positives = sum(one.studies.ranked.positives for one in members)
        count = Interval(float(len(members)), np.nan, np.nan, positives, len(judged.panel))
        yield _row(place, name, "classes", count, patients)


def _errors(place: Mapping, name: str, one: OneClass) -> Iterator[dict]:
    """Calibration error without an interval, for none holds; and the band in which a calibrated model's would lie."""
    found, counts = calibration_error(one), (one.studies.ranked.positives, one.studies.ranked.studies)
    numbers = ((np.nan,) * 3, (np.nan,) * 3)
    if found:
        numbers = (found.value, np.nan, np.nan), (found.expected, found.low, found.high)
    for metric, values in zip(ERRORS, numbers):
        yield _row(place, name, metric, Interval(*values, *counts), one.patients)


def _places(one: _Model, sets: Mapping[str, np.ndarray], experts: set) -> Iterator[tuple[dict, Judged]]:
    panel = one.judged.panel
    read = np.array([key in experts for key in zip(panel.source.tolist(), panel.study_id.tolist())], dtype=bool)
    in_set = np.isin(panel.study_id, sets.get(one.pool, np.zeros(0, dtype=object)))
    for source in (ALL_SOURCES, *sorted(set(panel.source))):
        inside = np.ones(len(panel), dtype=bool) if source == ALL_SOURCES else panel.source == source
        for view, kept in ((POOL, inside), (SET, inside & in_set), (EXPERT, inside & read)):
            if kept.any():
                yield {"source": source, "view": view}, one.judged.take(kept)


def _quota_sets(lake: Lake) -> dict[str, np.ndarray]:
    """Return the distinct studies of each evaluation set; empty where the sets have not been made."""
    if not lake.exists("evaluation_sets"):
        return {}
    table = lake.read("evaluation_sets", columns=["set_name", "study_id"])
    names, studies = (table.column(i).to_numpy(zero_copy_only=False) for i in range(2))
    return {name: np.unique(studies[names == name].astype(str)) for name in HELD_OUT}


def trained_on(lake: Lake, recipes: Sequence[str]) -> str | None:
    """Return the sources that recipes' newest models learned from, with what those started from, apart by commas; None
    where a model is unknown."""
    found: set[str] = set()
    for recipe in recipes:
        try:
            found |= learned_sources(lake, latest_model(lake, recipe))
        except NotTrained:
            return None
    return ", ".join(sorted(found)) or None


def _on_validation(lake: Lake, recipes: Sequence[str]) -> Iterator[_Model]:
    """Yield the recipes, the ensemble and every rule that could have been chosen."""
    for name in recipes:
        yield _Model(name, trained_on(lake, [name]), VALIDATION, judged_model(lake, name, VALIDATION))
    if not lake.exists(ENSEMBLE):
        return
    chosen = load_ensemble(lake)
    if not set(chosen.members) <= set(recipes):
        return
    judged = judged_model(lake, ENSEMBLE, VALIDATION)
    yield _Model(ENSEMBLE, trained_on(lake, chosen.used_members), VALIDATION, judged)
    members = aligned([read_panel(lake, name) for name in chosen.members])
    for rule, score in candidates(chosen.members, members).items():
        if not rule.startswith(SINGLE):
            panel = replace(members[0], probability=score, logit=logit(score))
            on = trained_on(lake, chosen.members)
            yield _Model(CANDIDATE + rule, on, VALIDATION, Judged.cross_fitted(panel), CANDIDATE_METRICS)


def _on_test(lake: Lake) -> Iterator[_Model]:
    """Yield the released ensemble's members and the ensemble."""
    for name in released_panels(lake):
        members = load_ensemble(lake).used_members if name == ENSEMBLE else [name]
        yield _Model(name, trained_on(lake, members), TEST, judged_model(lake, name, TEST))


def build_scorecard(lake: Lake, given: Release | None = None) -> ScorecardResult:
    """Judge every model and publish ``scorecard`` and ``scorecard_subgroups``.

    ``given``: who releases the ensemble and why: it and its members are then scored on the test pool, once, which the
    ledger records. Raises MissingTable where no recipe has predictions.
    """
    recipes = predicted_recipes(lake)
    if given is not None:
        if not lake.exists(ENSEMBLE):
            raise MissingTable("There is no ensemble to release", do="materialize ensemble first")
        release(lake, given)
    facts, sets, read = study_facts(lake), _quota_sets(lake), validated_sets(lake)
    experts = {study for study, origin in facts["origin"].items() if EXPERT in origin}
    rows: list[dict] = []
    parts = []
    for one in (*_on_validation(lake, recipes), *_on_test(lake)):
        fixed = {"model": one.name, "trained_on": one.trained_on, "pool": one.pool}
        for place, judged in _places(one, sets, experts):
            wanted = one.metrics if place["view"] != SET else SET_METRICS
            rows += _judge({**fixed, **place}, judged, wanted)
        if one.metrics == METRICS:
            rows += _by_held(lake, fixed, one)
        if one.pool in read and one.metrics == METRICS:
            rows += _by_readings(fixed, one, read[one.pool])
        if one.name == ENSEMBLE:
            parts += subgroup_rows({"model": one.name, "pool": one.pool}, one.judged.panel, facts)
    written = lake.write("scorecard", rows)
    lake.write("scorecard_subgroups", _with_q(parts))
    if not lake.exists("test_predictions"):
        lake.write("test_predictions", [])
    models = tuple(dict.fromkeys(row["model"] for row in rows))
    shown = uses(lake)
    return ScorecardResult(
        models,
        written.rows,
        written.version,
        tuple(_headlines(rows, shown_pool(rows), ALL_SOURCES)),
        sum(use.shows_figures for use in shown),
        len(shown),
    )


def _by_held(lake: Lake, fixed: Mapping, one: _Model) -> Iterator[dict]:
    """Judge a model on each source's held split: natural prevalence is none of theirs, and sources are not mixed."""
    judged = judged_held(lake, one.name, one.pool)
    if judged is None:
        return
    for source in sorted(set(judged.panel.source)):
        yield from _judge(
            {**fixed, "source": source, "view": HELD}, judged.take(judged.panel.source == source), METRICS
        )


def _by_readings(fixed: Mapping, one: _Model, validated: Any) -> Iterator[dict]:
    place = {**fixed, "source": ALL_SOURCES, "view": READINGS}
    for name, metric, found in judged_by_readings(validated, one.judged):
        yield _row(place, name, metric, found, found.studies)


def _with_q(parts: list[dict]) -> list[dict]:
    """Correct for how many subgroups are looked at, in each model and pool."""
    out = []
    for pool in HELD_OUT:
        table = [row for row in parts if row["pool"] == pool]
        q = corrected([row.get("p_value") for row in table])
        out += [{**row, "q_value": value} for row, value in zip(table, q)]
    return out


def shown_pool(rows: Sequence[Mapping]) -> str:
    """Return the pool of the headline: test where an ensemble was released, else validation."""
    return TEST if any(row["pool"] == TEST for row in rows) else VALIDATION


def headlines(lake: Lake, *, pool: str | None = None, source: str = ALL_SOURCES) -> list[Headline]:
    """Return each model's mean AUC and F1 on a pool from the published scorecard, the ensemble last."""
    rows = lake.read("scorecard").to_pylist()
    return list(_headlines(rows, pool or shown_pool(rows), source))


def _headlines(rows: Sequence[Mapping], pool: str, source: str) -> Iterator[Headline]:
    place = {"source": source, "pool": pool, "view": POOL, "class": MEAN}
    by_model: dict[str, dict] = {}
    for row in rows:
        if all(row[key] == value for key, value in place.items()):
            by_model.setdefault(row["model"], {})[row["metric"]] = row
    for model in sorted(by_model, key=lambda name: (name == ENSEMBLE, not name.startswith(CANDIDATE), name)):
        figures = by_model[model]
        yield Headline(
            model, source, pool, _interval(figures["auc"]), _interval(figures["f1"]), int(figures["classes"]["value"])
        )


def _interval(row: Mapping) -> Interval:
    value, low, high = (np.nan if row[key] is None else row[key] for key in ("value", "low", "high"))
    return Interval(value, low, high, row["positives"], row["studies"])
