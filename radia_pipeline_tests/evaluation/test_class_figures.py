"""Figures of a class: equal to scikit-learn's, never certain, too few where they are, held by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from radia_pipeline.evaluation.calibration_error import calibration_error
from radia_pipeline.evaluation.class_figures import FORMS, Cuts, OneClass, mean_figure
from radia_pipeline.evaluation.differences import paired_difference
from radia_pipeline_tests.evaluation.patients import World, draw, draw_together
from radia_pipeline_tests.evaluation.worlds import study_pool

CUT = 0.4
ORACLES = {
    "auc": oracle.roc_auc_score,
    "ap": oracle.average_precision_score,
    "partial_auc": lambda y, p: oracle.roc_auc_score(y, p, max_fpr=0.1),
    "f1": lambda y, p: oracle.f1_score(y, p >= CUT, zero_division=0),
    "f1_at_half": lambda y, p: oracle.f1_score(y, p >= 0.5, zero_division=0),
    "f1_prior_corrected": lambda y, p: oracle.f1_score(y, p >= 0.3, zero_division=0),
    "sensitivity": lambda y, p: oracle.recall_score(y, p >= CUT),
    "specificity": lambda y, p: oracle.recall_score(y, p >= CUT, pos_label=0),
    "ppv": lambda y, p: oracle.precision_score(y, p >= CUT),
    "npv": lambda y, p: oracle.precision_score(y, p >= CUT, pos_label=0),
    "brier": oracle.brier_score_loss,
    "mean_probability": lambda y, p: p.mean(),
    "prevalence": lambda y, p: y.mean(),
    "sensitivity_at_specificity_95": lambda y, p: _at_95(*oracle.roc_curve(y, p, drop_intermediate=False)[:2]),
    "p4": lambda y, p: _p4(*oracle.confusion_matrix(y, p >= CUT).ravel()),
    "cf1": lambda y, p: 2 * (p * y).sum() / (p.sum() + y.sum()),
}


def _at_95(false, found):
    return found[false <= 0.05 + 1e-12].max()


def _p4(tn, fp, fn, tp):
    return 4 * tp * tn / (4 * tp * tn + (tp + tn) * (fp + fn))


def test_every_figure_has_an_oracle():
    assert set(ORACLES) == set(FORMS)


@given(st.integers(0, 10_000), st.sampled_from([10, 80, 150, 400]), st.floats(0.02, 0.98), st.sampled_from([1, 2, 9]))
@settings(max_examples=60, deadline=None)
def test_figures_equal_scikit_learn_and_are_never_certain(seed, studies, prevalence, digits):
    """Scores are rounded, so that ties, separation and constant scores come."""
    rng = np.random.default_rng(seed)
    y = (rng.random(studies) < prevalence).astype(int)
    p = np.round(np.clip(rng.normal(0.3 + 0.4 * y * (seed % 3), 0.25), 0, 1), digits)
    one = OneClass.of(p, y, rng.integers(0, max(2, studies // 2), studies), Cuts(CUT, 0.3))
    for name, expected in ORACLES.items():
        found = one.figure(name)
        if found is not None:
            assert found.value == pytest.approx(expected(y, p), abs=1e-9), name
            assert 0 <= found.low <= found.value <= found.high <= 1, name
            assert found.high > found.low, name


def test_a_figure_that_rests_on_one_patient_is_not_shown():
    """Three films of one patient are one patient."""
    p, y = np.linspace(0, 1, 43), np.r_[np.zeros(40), np.ones(3)].astype(int)
    alone = OneClass.of(p, y, np.r_[np.arange(40), 99, 99, 99])
    assert alone.figure("auc") is None and alone.figure("sensitivity") is None
    assert alone.figure("specificity") is not None
    assert np.isnan(alone.interval("auc").value)
    two = OneClass.of(p, y, np.r_[np.arange(40), 99, 99, 100])
    assert two.interval("auc").value == two.interval("auc").high == 1.0
    assert two.interval("auc").low < 0.7


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_an_f1_lies_within_its_limits_to_the_last_digit(hits, false, missed):
    """2J / (1 + J) and its inverse do not come back to the same number."""
    y = np.r_[np.ones(hits + missed), np.zeros(false + 3)].astype(int)
    p = np.r_[np.ones(hits), np.zeros(missed), np.ones(false), np.zeros(3)]
    for metric in ("f1", "cf1", "p4"):
        found = OneClass.of(p, y, np.arange(len(y))).figure(metric)
        assert found is None or (found.low <= found.value <= found.high and found.low < found.high)


def test_a_threshold_that_calls_everything_leaves_f1_uncertain():
    """At the pool's own prevalence nothing varies then; the interval had no width."""
    y = np.r_[np.ones(75), np.zeros(25)].astype(int)
    found = OneClass.of(np.full(100, 0.9), y, np.arange(100)).figure("f1")
    assert found.value == pytest.approx(2 * 75 / 175) and found.high - found.low > 0.01


@pytest.mark.parametrize("value", [0.1, 0.3, 0.07, 0.001])
@pytest.mark.parametrize("studies", [30, 200, 1000])
def test_a_model_that_always_says_the_same_has_no_certain_mean(value, studies):
    """The deviations from such a mean are what rounding leaves, and no sign of certainty."""
    found = OneClass.of(np.full(studies, value), np.arange(studies) % 2, np.arange(studies)).figure("mean_probability")
    assert found.low < found.value < found.high


def test_copies_of_every_study_do_not_narrow_an_interval():
    p, y, g = study_pool(1, patients=200)
    one, four = (OneClass.of(*(np.repeat(x, n) for x in (p, y, g))) for n in (1, 4))
    for metric in ("auc", "f1", "sensitivity", "specificity", "brier", "ap"):
        widths = [c.interval(metric).high - c.interval(metric).low for c in (one, four)]
        assert widths[1] > 0.93 * widths[0], metric


def test_the_mean_over_classes_is_narrower_than_its_classes():
    parts = [study_pool(seed) for seed in range(6)]
    classes = [OneClass.of(p, y, g) for p, y, g in parts]
    mean = mean_figure(classes, "auc")
    found = [one.interval("auc") for one in classes]
    assert mean.value == pytest.approx(np.mean([one.value for one in found]))
    assert mean.high - mean.low < min(one.high - one.low for one in found)
    assert mean.positives == sum(one.positives for one in found)


def test_classes_that_are_the_same_have_the_mean_of_one():
    p, y, g = study_pool(3)
    one = OneClass.of(p, y, g)
    mean, alone = mean_figure([one] * 5, "auc"), one.interval("auc")
    assert (mean.low, mean.high) == pytest.approx((alone.low, alone.high))


def test_the_mean_of_figures_that_are_all_at_their_end_is_no_surer_than_one():
    """Three classes whose positives are all found say nothing of how they move together."""
    y, p = np.r_[np.ones(4), np.zeros(60)].astype(int), np.r_[np.full(4, 0.9), np.full(60, 0.1)]
    one = OneClass.of(p, y, np.arange(64))
    mean, alone = mean_figure([one] * 3, "sensitivity"), one.interval("sensitivity")
    assert mean.low == pytest.approx(alone.low)


def test_figures_at_their_end_by_the_same_patients_make_no_sure_mean():
    """Two patients whose five findings are all found say less than ten patients with one found finding each."""
    score, group = np.r_[np.full(10, 0.9), np.full(60, 0.1)], np.arange(70)
    same, apart = np.repeat(group[None] < 2, 5, axis=0), np.array([(group // 2) == k for k in range(5)])
    widths = []
    for positive in (same, apart):
        classes = [OneClass.of(np.where(y, score, 0.1), y.astype(int), group) for y in positive]
        mean = mean_figure(classes, "sensitivity")
        assert mean.value == 1.0
        widths.append(mean.high - mean.low)
    assert widths[0] > 1.5 * widths[1] > 0


@pytest.mark.parametrize(
    ("world", "correlation", "metrics"), [((50, 0.02), 0.7, ("sensitivity", "f1")), ((50, 0.5), 0.0, ("ap", "f1"))]
)
def test_means_over_classes_hold_the_truth(world, correlation, metrics):
    """The small version of the part ``means`` of ``benchmarks/intervals.py``, where it once was worst."""
    worlds = [World(*world, auc) for auc in (0.7, 0.87, 0.97)] * 4
    rng, misses = np.random.default_rng(4), dict.fromkeys(metrics, 0)
    for _ in range(60):
        group, drawn = draw_together(rng, worlds, correlation)
        classes = [OneClass.of(*one, group, Cuts(w.cut, w.cut), len(group)) for w, one in zip(worlds, drawn)]
        for metric in metrics:
            true = {
                "sensitivity": lambda w, own: w.found(w.cut),
                "f1": lambda w, own: w.f1_at(w.cut, own),
                "ap": lambda w, own: w.ap(own),
            }[metric]
            truth = np.mean([true(w, label.mean()) for w, (_, label) in zip(worlds, drawn)])
            mean = mean_figure(classes, metric)
            misses[metric] += not mean.low - 1e-9 <= truth <= mean.high + 1e-9
    assert all(count <= 7 for count in misses.values()), misses


def test_a_difference_leaves_out_classes_without_a_figure_and_is_none_where_none_is_left():
    """The mean used to count replicates without a figure as 0."""
    p, y, g = study_pool(3)
    p, y = np.column_stack([p, p]), np.column_stack([y, np.zeros_like(y)])
    same = paired_difference(p, p, y, g)
    assert same.value == 0.0 and same.low < 0 < same.high and same.high - same.low < 0.06
    assert paired_difference(p, 1 - p, y, g).low > 0
    assert np.isnan(paired_difference(p[:, 1:], p[:, 1:], y[:, 1:], g).value)
    perfect = paired_difference(y.astype(float), p, y, g)  # no patient moves the figure of what is never wrong
    assert 0 < perfect.low < perfect.value < perfect.high


def test_a_calibrated_model_lies_in_its_band_and_a_distorted_one_outside():
    rng, inside, outside = np.random.default_rng(0), 0, 0
    for _ in range(150):
        p = rng.beta(1, 4, 200)
        y, group = (rng.random(200) < p).astype(int), np.arange(200)
        found = calibration_error(OneClass.of(p, y, group))
        worse = calibration_error(OneClass.of(np.sqrt(p), y, group))
        inside += found.value <= found.high
        outside += worse.value > worse.high
    assert inside >= 0.93 * 150
    assert outside >= 0.9 * 150


@pytest.mark.parametrize("world", [World(50, 0.2, 0.87), World(200, 0.02, 0.97), World(200, 0.5, 0.7)])
def test_intervals_hold_the_truth(world):
    """The small version of ``benchmarks/intervals.py``: 250 worlds a cell, three standard errors below 95 %."""
    rng, cut, misses = np.random.default_rng(1), world.cut, dict.fromkeys(("auc", "ap", "f1", "sensitivity"), 0)
    for _ in range(250):
        score, label, group = draw(rng, world)
        one, own = OneClass.of(score, label, group, Cuts(cut, cut)), label.mean()
        truth = {"auc": world.auc, "ap": world.ap(own), "f1": world.f1_at(cut, own), "sensitivity": world.found(cut)}
        for metric in misses:
            found = one.figure(metric)
            misses[metric] += not found.low - 1e-9 <= truth[metric] <= found.high + 1e-9
    assert all(count <= 23 for count in misses.values()), misses
