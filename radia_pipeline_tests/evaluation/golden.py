"""The figures that fixed pools come to; ``golden.json`` has them on record.

``python -m radia_pipeline_tests.evaluation.golden`` brings the record up to date (see ``records``). Other tests say
that these forms are right, on average and within their width; the record says that they stay the same: a scorecard of
last year and one of today, and the gate's verdicts on them, must not differ by a change that nobody meant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.evaluation import calibration, combinations, curves, intervals, metrics
from radia_pipeline.evaluation.calibration_error import calibration_error
from radia_pipeline.evaluation.calibration_slope import calibration_slope
from radia_pipeline.evaluation.class_figures import FORMS, Cuts, OneClass, mean_figure
from radia_pipeline.evaluation.differences import mean_auc, paired_difference
from radia_pipeline.evaluation.ensemble import choose_calibration, cross_fitted
from radia_pipeline.evaluation.familiarity import fit_gaussian, fit_threshold, quantile_of
from radia_pipeline.evaluation.reader_gap import place_reader
from radia_pipeline.evaluation.redraws import Redraws
from radia_pipeline.evaluation.reliability import Reliability
from radia_pipeline.evaluation.settling import settled
from radia_pipeline.evaluation.sides import fit_sides
from radia_pipeline.evaluation.subgroups import subgroup_rows
from radia_pipeline.evaluation.weighted import Sample, figures
from radia_pipeline_tests.evaluation.worlds import make_panel
from radia_pipeline_tests.records import Record

FORMS_VERSION = 1
"""Raised where a form of a figure was changed on purpose."""
RELATIVE = 1e-6
"""Of closed forms and of fits that end below it."""
LOOSE = 1e-4
"""Of what scikit-learn fits until its own tolerance."""

Pool = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Score, label, group (n,) each."""


def plain(value: Any) -> Any:
    """Return a tree of numbers as JSON holds it; NaN becomes None, arrays lists."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(part) for part in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def marks(values: np.ndarray | None) -> list[float] | None:
    """Return few numbers that tell an array (n,) from others: its sums, plain, squared, and by place."""
    if values is None:
        return None
    flat = np.nan_to_num(np.asarray(values, dtype=float).ravel(), nan=-7.0, posinf=7e6, neginf=-7e6)
    return [float(flat.sum()), float(np.square(flat).sum()), float(flat @ np.cos(np.arange(len(flat))))]


def pool(seed: int, studies: int, share: float, skill: float, decimals: int = 2, per_patient: int = 3) -> Pool:
    """Draw a pool whose patients have up to so many studies; scores have ties, a few labels do not count."""
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, max(studies * 2 // (per_patient + 1), 2), studies))
    label = (rng.random(studies) < share).astype(int)
    score = calibration.sigmoid(skill * label + rng.normal(size=studies) - 1)
    label[rng.random(studies) < 0.05] = -9
    return np.round(score, decimals), label, group


def pools() -> dict[str, Pool]:
    """Return pools of each kind that a form treats by itself."""
    apart = np.arange(40)
    few = np.arange(14)
    return {
        "patients": pool(1, 240, 0.3, 1.4),
        "fine": pool(2, 160, 0.5, 0.8, decimals=9, per_patient=1),
        "rare": pool(3, 400, 0.04, 1.2),
        "apart": (apart / 40, (apart >= 28).astype(int), apart // 2),
        "reversed": (1 - apart / 40, (apart >= 28).astype(int), apart),
        "few": (np.round(few / 14, 1), np.isin(few, [3, 9, 12]).astype(int), few),
        "one patient's": (few / 14, np.isin(few, [8, 9]).astype(int), np.where(few > 7, 8, few)),
        "one kind": (few / 14, np.zeros(14, dtype=int), few),
        "alike": (np.full(60, 0.5), (np.arange(60) % 4 == 0).astype(int), np.arange(60) // 2),
    }


def one_class(name: str) -> OneClass:
    """Return a pool as a class with cuts: one number for best F1, one for each study for the prior shift."""
    score, label, group = pools()[name]
    return OneClass.of(score, label, group, Cuts(0.4, np.where(np.arange(len(score)) % 2, 0.3, 0.55)))


def class_figures(name: str) -> Any:
    """Return every figure of a pool with its limits, its anchor and how its groups move it."""
    one, found = one_class(name), {}
    for figure in FORMS:
        made = one.figure(figure)
        found[figure] = made and [made.value, made.low, made.high, made.centre, *(marks(made.influence) or [])]
    return {**found, "counts": [one.positive_patients, one.negative_patients, one.patients, one.has_both]}


def weighted_metrics(name: str) -> Any:
    """Return every metric under weights of one, and under others, at a usual cut and at none; areas of the curve."""
    score, label, _ = pools()[name]
    ranked = metrics.Ranked.of(score, label)
    other = np.stack([np.ones(len(score)), 1 + np.arange(len(score)) % 3, np.zeros(len(score))])
    return {
        "plain": metrics.weighted_metrics(ranked, ranked.weights(None)),
        "weighted": metrics.weighted_metrics(ranked, ranked.weights(other), 0.3),
        "areas": [metrics.partial_area(ranked, end) for end in (0.05, 0.1, 0.5, 1.0)],
        "standardised": [metrics.standardised_area(area, 0.1) for area in (0.0, 0.005, 0.05, 0.1)],
        "at": [metrics.sensitivity_at(ranked, wanted) for wanted in (0.5, 0.9, 0.95, 1.0)] if ranked.positives else [],
        "best": metrics.best_f1_threshold(score, label),
    }


def calibrated(name: str) -> Any:
    """Return fits of every kind, and what they make of a few logits."""
    score, label, group = pools()[name]
    logits = calibration.logit(score)
    fits = {
        "platt": calibration.fit_platt(logits, label),
        "shift": calibration.fit_shift(logits, label),
        "expected": calibration.fit_expected(logits, np.where(label == 1, 0.8, 0.1)),
        "chosen": choose_calibration(logits, label, group),
    }
    one, at = one_class(name), np.linspace(-5, 5, 7)
    error, slopes = calibration_error(one), [calibration_slope(one, count) for count in (1, 5)]
    return {
        **{name: [fit.a, fit.b, fit.method, marks(fit(at))] for name, fit in fits.items()},
        "error": error and asdict(error),
        "slopes": [slope and asdict(slope) for slope in slopes],
    }


def drawn_curves(name: str) -> Any:
    """Return the points of every curve."""
    score, label, group = pools()[name]
    false, true = curves.roc_points(score, label)
    recall, precision = curves.precision_recall_points(score, label)
    return {
        "roc": [len(false), marks(false), marks(true)],
        "precision": [len(recall), marks(recall), marks(precision)],
        "stepped": [marks(part) for part in curves.stepped(recall, precision)],
        "thinned": [[len(part), marks(part)] for part in curves.thinned(false, true, 20)],
        "reliability": curves.reliability_points(score, label, 8),
        "limits": curves.reliability_interval(score, label, group, 8),
    }


def isotonic() -> Any:
    """Return steps of a pool that has just enough of each kind, and of one study less."""
    score, label, _ = pool(5, 240, 0.5, 1.5, decimals=3)
    logits, kinds = calibration.logit(score), [np.flatnonzero(label == kind)[:100] for kind in (0, 1)]
    found, at = {}, np.linspace(-6, 6, 13)
    for less in ((0, 0), (0, 1), (1, 0)):
        kept = np.concatenate([kind[count:] for kind, count in zip(kinds, less)])
        fit = calibration.fit_isotonic(logits[kept], label[kept])
        moved = fit.then(1.3, -0.2)
        made = [len(fit.knots), *(marks(np.array(part)) for part in (fit.knots, fit.shares, fit(at), moved(at)))]
        found[f"without {less[0]} negatives, {less[1]} positives"] = [fit.method, fit.a, fit.b, *made]
    return found


def means() -> Any:
    """Return means over classes of the same patients, and differences of two models."""
    rng, group = np.random.default_rng(7), np.repeat(np.arange(60), 2)
    common = rng.normal(size=(120, 1))
    label = (rng.random((120, 4)) < [0.5, 0.3, 0.2, 0.0]).astype(int)
    first = calibration.sigmoid(1.5 * label + 0.7 * common + rng.normal(size=label.shape) - 1)
    second = calibration.sigmoid(0.9 * label + 0.7 * common + rng.normal(size=label.shape) - 1)
    classes = [OneClass.of(first[:, k], label[:, k], group, Cuts(0.4, 0.3)) for k in range(4)]
    ids = np.array([f"g{number}" for number in group], dtype=object)
    found = {figure: list(asdict(mean_figure(classes, figure)).values()) for figure in FORMS}
    return {
        **found,
        "one": list(asdict(mean_figure(classes[:1], "ap")).values()),
        "none": list(asdict(mean_figure(classes[3:], "auc")).values()),
        "mean_auc": list(asdict(mean_auc(first, label, ids)).values()),
        "difference": list(asdict(paired_difference(first, second, label, ids)).values()),
        "same": list(asdict(paired_difference(first, first, label, ids)).values()),
        "none apart": list(asdict(paired_difference(first[:, 3:], second[:, 3:], label[:, 3:], ids)).values()),
    }


def closed_forms() -> Any:
    """Return intervals of plain numbers, at their ends too."""
    related = np.array([[1.0, 2.0, -1.0, 0.0], [2.0, 1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]])
    return {
        "wilson": [intervals.wilson(p, n) for p, n in ((0, 5), (0.3, 7.5), (1, 20), (0.5, 0), (np.nan, 9), (1.2, 9))],
        "f1": [intervals.f1_interval(f1, n) for f1, n in ((0.0, 9), (0.6, 12.5), (1.0, 30))],
        "auc": [
            intervals.auc_interval(auc, positives, negatives, variance)
            for auc in (0.0, 0.5, 0.83, 1.0)
            for positives, negatives in ((1, 1), (4, 60), (30, 12.5))
            for variance in (None, 1e-5, 0.02)
        ],
        "none": [intervals.auc_interval(np.nan, 4, 4), intervals.auc_interval(0.7, 0.5, 9)],
        "hanley": [intervals.hanley_mcneil(auc, 7, 19) for auc in (0.0, 0.4, 0.9, 1.0)],
        "logit": [intervals.logit_interval(v, 0.2, p, w) for v, p, w in ((0.05, 1, 3), (0.5, 9, 40), (1.0, 30, 99))],
        "drawn": [intervals.drawn_to_chance(0.8, 0.1, 6), intervals.drawn_to_half(0.8, 6)],
        "effective": [intervals.effective(np.array(one)) for one in ([1.0, 2.0, 4.0], [], [0.0])],
        "related": intervals.correlations(related),
        "unseen": intervals.correlations(np.zeros((2, 3))),
    }


def combined() -> Any:
    """Return what every rule makes of three models, fitted on the whole pool and on other patients."""
    whole = [make_panel(skill, studies=160, noise_seed=seed) for seed, skill in enumerate((1.2, 0.8, 0.3), 1)]
    columns = [0, 5, 13]
    panels = [
        replace(one, label=one.label[:, columns], probability=one.probability[:, columns], logit=one.logit[:, columns])
        for one in whole
    ]
    probability, label = np.stack([one.probability for one in panels]), panels[0].label
    found: dict[str, Any] = {"enough": combinations.enough(label).tolist()}
    for name, rule in combinations.RULES.items():
        parameters = rule.fitted(probability, label)
        crossed = cross_fitted(name, ("a", "b", "c"), panels)
        found[name] = [
            list(parameters.shape),
            marks(parameters),
            marks(rule.combine(probability, parameters)),
            marks(crossed),
            rule.uses(3, parameters),
        ]
    return found


def settled_curves() -> Any:
    """Return the curves of five rounds and more through the way to coherence."""
    panel = make_panel(1.2, studies=120)
    alone = (calibration.Calibration(),) * panel.label.shape[1]
    return {way: [[fit.a, fit.b] for fit in settled(alone, way, panel.logit, panel.label)] for way in ("met", "capped")}


def sampled() -> Any:
    """Return weighted figures with their limits, a reader's place, and the redraws behind both."""
    rng = np.random.default_rng(11)
    truth = (rng.random(90) < 0.3).astype(int)
    score = np.round(calibration.sigmoid(1.3 * truth + rng.normal(size=90) - 1), 2)
    stratum = np.where(np.arange(90) < 30, "Mass", np.where(np.arange(90) < 31, "alone", "rest"))
    weight = np.where(stratum == "Mass", 1.5, np.where(stratum == "alone", 4.0, 6.0))
    called = score + 0.3 * rng.normal(size=90) >= 0.5
    sample = Sample(score, truth, weight, stratum)
    redraws = Redraws.of(weight, stratum, 40, seed=3)
    placed = place_reader(sample, called, 60)
    never = place_reader(sample, np.zeros(90, dtype=bool), 60)
    return {
        "figures": {name: list(asdict(one).values()) for name, one in figures(sample, called, 60).items()},
        "effective": sample.effective_positives,
        "read whole": Sample(score, truth, np.ones(90), stratum).effective_positives,
        "redraws": [marks(redraws.weight), marks(redraws.mass), marks(redraws.where), redraws.speaks_for.tolist()],
        "more": [marks(part) for like in (None, called, called & False) for part in redraws.one_more(like)],
        "reader": placed and [placed.sensitivity, placed.specificity, *asdict(placed.gap).values()],
        "never": never and [never.sensitivity, never.specificity, *asdict(never.gap).values()],
    }


def reliable() -> Any:
    """Return what probabilities have meant among studies that lie unevenly."""
    rng = np.random.default_rng(13)
    known = np.sort(np.concatenate([np.square(rng.random(260)), [0.5, 0.5, 0.5, 0.999]]))
    label = (rng.random(264) < known).astype(np.int8)
    one = Reliability(((known, label, np.arange(264) // 2),))
    found = [one.of(0, at) for at in (0.0, 0.02, 0.11, 0.2, 0.35, 0.5, 0.75, 0.93, 1.0, 1.05)]
    return [one and asdict(one) for one in found]


def familiar() -> Any:
    """Return distances of films from what was learned, thresholds, and sides."""
    rng = np.random.default_rng(17)
    scale = np.linspace(0.2, 3, 12)
    films = rng.normal(size=(90, 5)) @ rng.normal(size=(5, 12)) * scale + 0.2 * rng.normal(size=(90, 12)) + 4
    others = films[::7] + 0.8 * scale * rng.normal(size=(13, 12))
    kinds = [np.arange(90) < 50, np.arange(90) >= 40, np.arange(90) < 24]
    both, one = fit_gaussian(films, kinds), fit_gaussian(films, kinds[2:])
    distances = {"a": both.distance(others), "b": one.distance(others)}
    threshold = fit_threshold(distances, [f"g{number // 2}" for number in range(13)])
    features = 0.4 + rng.normal(size=(120, 6))
    return {
        "distances": {name: values.tolist() for name, values in distances.items()},
        "centres": [len(both.means), len(one.means), both.axes.shape[1]],
        "threshold": [threshold.log_threshold, threshold.films, threshold.false_alarms, threshold.low, threshold.high],
        "score": threshold.score({"a": 3.0, "b": 5.0}),
        "quantiles": [quantile_of(np.square(rng.normal(size=count))) for count in (1, 2, 40, 998, 999, 1000, 1500)],
        "sides": list(asdict(fit_sides(features, [f"p{number // 2}" for number in range(120)])).values()),
        "too few": list(asdict(fit_sides(features[:99], [f"p{number}" for number in range(99)])).values()),
        "of few": list(asdict(fit_sides(features, [f"p{number % 4}" for number in range(120)])).values()),
    }


def subgroups() -> Any:
    """Return subgroups of a pool beside the rest, a finding's among them."""
    panel = make_panel(1.2, studies=80)
    keys = enumerate(zip(panel.source.tolist(), panel.study_id.tolist()))
    rows = subgroup_rows({}, panel, {"sex": {key: (str(number % 2),) for number, key in keys if number % 5}})
    names = ("positives", "studies", "patients", "value", "low", "high", "rest")
    names += ("difference_low", "difference_high", "p_value")
    kept = [row for row in rows if row["attribute"] != "co-finding" or row["class"] == "mean"]
    return {f"{r['attribute']} {r['stratum']} {r['class']}": [r.get(name) for name in names] for r in kept}


BY_POOL: dict[str, Callable[[str], Any]] = {
    "class_figures": class_figures,
    "metrics": weighted_metrics,
    "calibrated": calibrated,
    "curves": drawn_curves,
}
ALONE: dict[str, Callable[[], Any]] = {
    "isotonic": isotonic,
    "means": means,
    "closed_forms": closed_forms,
    "combined": combined,
    "settled": settled_curves,
    "sampled": sampled,
    "reliable": reliable,
    "familiar": familiar,
    "subgroups": subgroups,
}


def measure() -> dict[str, Any]:
    """Return what the record should say."""
    found: dict[str, Any] = {part: {name: plain(make(name)) for name in pools()} for part, make in BY_POOL.items()}
    return {"version": FORMS_VERSION, **found, "alone": {name: plain(make()) for name, make in ALONE.items()}}


RECORD = Record(
    file=Path(__file__).with_name("golden.json"),
    version="FORMS_VERSION",
    declared_in="radia_pipeline_tests/evaluation/golden.py",
    door="python -m radia_pipeline_tests.evaluation.golden",
    exact={**dict.fromkeys(BY_POOL, RELATIVE), "alone": LOOSE},
)

if __name__ == "__main__":
    sys.exit(RECORD.update(measure()))
