"""Curves of one class: equal to the reference, every study counted once, intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from radia_pipeline.evaluation import curves
from radia_pipeline_tests.evaluation.worlds import make_panel


@pytest.fixture
def one_class():
    panel = make_panel(1.0)
    return panel.probability[:, 0], panel.label[:, 0], panel.group_id


@pytest.mark.parametrize("levels", [None, 4])
def test_roc_and_precision_recall_equal_scikit_learn(one_class, levels):
    p, y, _ = one_class
    p = np.round(p * levels) / levels if levels else p
    kept = y >= 0
    x, tpr = curves.roc_points(p, y)
    fpr, expected, _ = reference.roc_curve(y[kept], p[kept], drop_intermediate=False)
    assert np.allclose(x, fpr)
    assert np.allclose(tpr, expected)
    recall, precision = curves.precision_recall_points(p, y)
    other_precision, other_recall, _ = reference.precision_recall_curve(y[kept], p[kept])
    assert np.allclose(precision, other_precision[:-1][::-1])
    assert np.allclose(recall, other_recall[:-1][::-1])


@pytest.mark.parametrize("levels", [None, 4])
def test_the_area_under_the_steps_is_average_precision(one_class, levels):
    p, y, _ = one_class
    p = np.round(p * levels) / levels if levels else p
    recall, precision = curves.stepped(*curves.precision_recall_points(p, y))
    area = float((np.diff(recall) * precision[1:]).sum())
    assert (recall[0], recall[-1]) == (0, 1)
    assert area == pytest.approx(reference.average_precision_score(y[y >= 0], p[y >= 0]))


def test_without_positives_there_is_no_curve():
    label = np.zeros(5)
    assert [len(part) for part in curves.roc_points(np.arange(5.0), label)] == [0, 0]
    points = curves.precision_recall_points(np.arange(5.0), label)
    assert [len(part) for part in points] == [0, 0]


def test_reliability_counts_every_study_once(one_class):
    p, y, _ = one_class
    mean, share, count = curves.reliability_points(p, y)
    assert count.sum() == (y >= 0).sum()
    assert (share * count).sum() == pytest.approx((y == 1).sum())
    assert (mean * count).sum() == pytest.approx(p[y >= 0].sum())


def test_reliability_intervals_stand_around_their_points_and_have_width(one_class):
    p, y, group = one_class
    _, share, _ = curves.reliability_points(p, y)
    low, high = curves.reliability_interval(p, y, group)
    known = np.isfinite(low)
    assert known.sum() >= 5
    assert (low[known] <= share[known]).all()
    assert (share[known] <= high[known]).all()
    assert (high[known] - low[known] > 0).all()


def test_wilsons_interval_is_that_of_the_book():
    """Newcombe 1998, table I: 81 of 263 has 0.2553 to 0.3662, 0 of 20 has 0 to 0.1611."""
    for positives, studies, expected in ((81, 263, (0.2553, 0.3662)), (0, 20, (0.0, 0.1611))):
        label = np.r_[np.ones(positives), np.zeros(studies - positives)]
        low, high = curves.reliability_interval(np.full(studies, 0.55), label, np.arange(studies))
        assert (low[0], high[0]) == pytest.approx(expected, abs=5e-5)


def test_studies_of_one_patient_count_once_and_one_patient_has_no_interval():
    label, p = np.r_[np.ones(10), np.zeros(10)], np.full(20, 0.55)
    apart, together, alone = (
        curves.reliability_interval(p, label, group) for group in (np.arange(20), np.arange(20) // 4, np.zeros(20))
    )
    assert together[1] - together[0] > apart[1] - apart[0]
    assert np.isnan(alone).all()


def test_thinning_keeps_the_corners_of_a_step_curve():
    x, y = np.r_[np.zeros(500), np.linspace(0, 1, 500)], np.r_[np.linspace(0, 1, 500), np.ones(500)]
    assert [part.tolist() for part in curves.thinned(x, y)] == [[0, 0, 1], [0, 1, 1]]


def test_thinning_keeps_the_ends_of_a_curve_of_too_many_corners_and_leaves_short_curves_alone():
    x = np.linspace(0, 1, 5000)
    thin, squares = curves.thinned(x, x**2)
    assert len(thin) == 160
    assert (thin[0], thin[-1], squares[-1]) == (0, 1, 1)
    assert len(curves.thinned(x[:9], x[:9])[0]) == 9
    assert [part.tolist() for part in curves.thinned(np.ones(500), np.ones(500))] == [[1], [1]]
