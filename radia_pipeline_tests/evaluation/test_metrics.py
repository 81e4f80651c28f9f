"""Metrics against scikit-learn, against brute force, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from radia_pipeline.evaluation import metrics
from radia_pipeline_tests.evaluation.worlds import figures


def sample(seed: int, n: int = 200, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(int)
    label[:2] = 0, 1
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + label)))
    return (np.round(score * levels) / levels if levels else score), label


@pytest.mark.parametrize("levels", [None, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_ranking_metrics_equal_scikit_learn_with_and_without_ties(seed, levels):
    score, label = sample(seed, levels=levels)
    assert metrics.auc(score, label) == pytest.approx(reference.roc_auc_score(label, score), abs=1e-12)
    assert figures(score, label)["ap"] == pytest.approx(reference.average_precision_score(label, score))


@pytest.mark.parametrize("levels", [None, 5])
def test_integer_weights_equal_repeated_studies(levels):
    score, label = sample(4, levels=levels)
    weight = np.random.default_rng(1).integers(0, 4, len(score))
    again = np.repeat(np.arange(len(score)), weight)
    ranked = metrics.Ranked.of(score, label)
    weighted = metrics.weighted_metrics(ranked, ranked.weights(weight), 0.4)
    plain = figures(score[again], label[again], 0.4)
    assert {k: float(v[0]) for k, v in weighted.items()} == pytest.approx(plain, abs=1e-12)


def test_threshold_metrics_equal_scikit_learn():
    score, label = sample(7)
    called = score >= 0.55
    ours = figures(score, label, 0.55)
    assert ours["f1"] == pytest.approx(reference.f1_score(label, called))
    assert ours["sensitivity"] == pytest.approx(reference.recall_score(label, called))
    assert ours["specificity"] == pytest.approx(reference.recall_score(1 - label, ~called))
    assert ours["ppv"] == pytest.approx(reference.precision_score(label, called))
    assert ours["npv"] == pytest.approx(reference.precision_score(1 - label, ~called))
    four = [ours[k] for k in ("sensitivity", "specificity", "ppv", "npv")]
    assert ours["p4"] == pytest.approx(4 / sum(1 / v for v in four))


def test_probability_metrics_equal_their_formulas():
    p, label = sample(9)
    ours = figures(p, label)
    assert ours["brier"] == pytest.approx(reference.brier_score_loss(label, p))
    assert ours["cf1"] == pytest.approx(2 * (p * label).sum() / (p.sum() + label.sum()))
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = [abs((p - label)[bins == b].sum()) for b in range(10)]
    assert ours["ece"] == pytest.approx(sum(gaps) / len(p))


def test_the_two_probabilistic_f1_differ():
    values = figures(*sample(3))
    assert abs(values["cf1"] - values["p4"]) > 0.01


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0, 1, -1, -9])), min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_auc_is_the_share_of_ordered_pairs_and_masks_other_labels(rows):
    score, label = (np.array(column) for column in zip(*rows, strict=True))
    positive, negative = score[label == 1], score[label == 0]
    value = metrics.auc(score / 6, label)
    if not len(positive) or not len(negative):
        assert np.isnan(value)
        return
    pairs = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    assert value == pytest.approx(pairs, abs=1e-12)
    assert metrics.auc(-score / 6, label) == pytest.approx(1 - value, abs=1e-12)


@given(st.integers(0, 10_000), st.floats(0.1, 5), st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_ranking_does_not_change_under_increasing_maps(seed, slope, shift):
    score, label = sample(seed, n=50, levels=10)
    moved = slope * score + shift
    assert metrics.auc(moved, label) == pytest.approx(metrics.auc(score, label), abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from([None, 2, 6]))
@settings(max_examples=60, deadline=None)
def test_no_threshold_beats_the_best_f1(seed, levels):
    score, label = sample(seed, n=40, levels=levels)
    threshold, best = metrics.best_f1_threshold(score, label)
    assert figures(score, label, threshold)["f1"] == pytest.approx(best)
    for other in np.r_[score, score + 1e-9, 0.0]:
        assert figures(score, label, other)["f1"] <= best + 1e-12


def test_without_positives_nothing_is_called_and_figures_do_not_exist():
    score, label = np.array([0.2, 0.9]), np.array([0, 0])
    threshold, f1 = metrics.best_f1_threshold(score, label)
    assert threshold > 0.9
    assert np.isnan(f1)
    assert np.isnan(metrics.auc(score, label))


def test_an_empty_class_gives_nan_everywhere():
    values = figures(np.array([0.3, 0.4]), np.array([-1, -9]))
    assert all(np.isnan(v) for v in values.values())


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        metrics.auc(np.array([np.nan, 0.1]), np.array([1, 0]))
    assert np.isnan(metrics.auc(np.array([np.nan, 0.1]), np.array([-1, 0])))


def test_the_list_of_metrics_is_what_is_computed():
    assert list(figures(*sample(1))) == list(metrics.METRICS)
