"""Intervals: they cover, they resample groups, they do not depend on order or chunks."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation import bootstrap, metrics


def study_pool(seed: int, patients: int = 120, per_patient: int = 1, shift: float = 1.0):
    rng = np.random.default_rng(seed)
    label = np.repeat((rng.random(patients) < 0.4).astype(int), per_patient)
    score = np.repeat(rng.normal(size=patients), per_patient) + shift * label
    group = np.repeat(np.arange(patients), per_patient).astype(str)
    return 1 / (1 + np.exp(-score))[:, None], label[:, None], group


def test_point_estimate_is_the_metric_itself():
    p, y, g = study_pool(0)
    (result,) = bootstrap.bootstrap_classes(p, y, g, replicates=50)
    assert result.point["auc"] == metrics.auc(p[:, 0], y[:, 0])
    interval = result.interval("auc")
    assert interval.low < interval.value < interval.high
    assert (interval.positives, interval.studies) == (int(y.sum()), len(y))


def test_copies_of_a_patient_do_not_narrow_the_interval():
    p, y, g = study_pool(1)
    (one,) = bootstrap.bootstrap_classes(p, y, g, replicates=400)
    four = [np.repeat(x, 4, axis=0) for x in (p, y, g)]
    (copied,) = bootstrap.bootstrap_classes(*four, replicates=400)
    assert copied.interval("auc").low == pytest.approx(one.interval("auc").low)
    assert copied.interval("f1").high == pytest.approx(one.interval("f1").high)


def test_order_of_rows_and_size_of_chunks_do_not_matter(monkeypatch):
    p, y, g = study_pool(2)
    (first,) = bootstrap.bootstrap_classes(p, y, g, replicates=60)
    shuffled = np.random.default_rng(0).permutation(len(y))
    monkeypatch.setattr(bootstrap, "CHUNK_CELLS", 700)
    (second,) = bootstrap.bootstrap_classes(p[shuffled], y[shuffled], g[shuffled], replicates=60)
    assert np.allclose(first.replicates["auc"], second.replicates["auc"])


def test_ninety_five_percent_intervals_cover_the_true_auc_about_that_often():
    from scipy.stats import norm

    truth, hits, trials = norm.cdf(1 / np.sqrt(2)), 0, 120
    for seed in range(trials):
        p, y, g = study_pool(seed, patients=150)
        interval = bootstrap.bootstrap_classes(p, y, g, replicates=200, seed=seed)[0].interval("auc")
        hits += interval.low <= truth <= interval.high
    assert 0.88 <= hits / trials <= 0.99


def test_perfect_separation_of_few_positives_is_not_called_certain():
    p, y = np.array([[0.9], [0.8], *[[0.1]] * 20]), np.array([[1], [1], *[[0]] * 20])
    interval = bootstrap.bootstrap_classes(p, y, np.arange(22).astype(str), replicates=50)[0].interval("auc")
    assert interval.value == interval.high == 1.0
    assert 0.3 < interval.low < 0.95


def test_score_interval_narrows_with_more_studies_and_holds_its_estimate():
    wide, narrow = (bootstrap.score_interval_of_auc(0.9, n, 4 * n) for n in (5, 500))
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]


def test_the_mean_over_classes_is_narrower_than_its_classes():
    parts = [study_pool(seed, shift=1.0) for seed in range(6)]
    p, y, g = np.hstack([a[0] for a in parts]), np.hstack([a[1] for a in parts]), parts[0][2]
    classes = bootstrap.bootstrap_classes(p, y, g, replicates=300)
    mean = bootstrap.mean_interval(classes, "auc")
    widths = [c.interval("auc").high - c.interval("auc").low for c in classes]
    assert mean.value == pytest.approx(np.mean([c.point["auc"] for c in classes]))
    assert mean.high - mean.low < min(widths)
    assert mean.positives == int(y.sum())


def test_paired_difference_of_a_model_with_itself_is_exactly_zero():
    p, y, g = study_pool(3)
    same = bootstrap.paired_difference(p, p, y, g, replicates=40)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    worse = bootstrap.paired_difference(p, 1 - p, y, g, replicates=200)
    assert worse.low > 0
