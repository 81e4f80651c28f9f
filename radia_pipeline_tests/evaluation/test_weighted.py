"""Weighted figures on enriched sets are those of the pool, with intervals that hold them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from radia_pipeline.evaluation.intervals import auc_interval, effective, f1_interval, hanley_mcneil, wilson
from radia_pipeline.evaluation.weighted import Sample, _ap_influence, figures


def enriched(generator: np.random.Generator) -> tuple[Sample, float, float]:
    """Return a sample of 600 from a pool of 20,000 with half of the positives enriched; the pool's AUC, prevalence."""
    truth = generator.random(20_000) < 0.03
    score = 1 / (1 + np.exp(-(generator.normal(size=20_000) + 1.6 * truth - 3)))
    stratum = np.where(truth & (generator.random(20_000) < 0.5), "Mass", "rest")
    places = [(name, np.flatnonzero(stratum == name)) for name in ("Mass", "rest")]
    chosen = [(name, generator.choice(inside, 300 if name == "rest" else 200, replace=False), len(inside))
              for name, inside in places if len(inside)]  # fmt: skip
    members = np.concatenate([members for _, members, _ in chosen])
    weight = np.concatenate([np.full(len(members), count / len(members)) for _, members, count in chosen])
    return (
        Sample(score[members], truth[members].astype(int), weight, stratum[members]),
        roc_auc_score(truth, score), float(truth.mean()),
    )  # fmt: skip


def test_figures_are_the_pools_on_average_and_unweighted_ones_are_not():
    generator, found = np.random.default_rng(2), []
    for _ in range(60):
        sample, auc, prevalence = enriched(generator)
        mine = figures(sample, 0.2)
        plain = figures(Sample(sample.score, sample.truth, np.ones(len(sample.truth)), sample.stratum), 0.2)
        inside = [mine["auc"].low <= auc <= mine["auc"].high, mine["prevalence"].low <= prevalence]
        found.append([mine["auc"].value - auc, mine["prevalence"].value - prevalence,
                      plain["prevalence"].value - prevalence, *inside])  # fmt: skip
    means = np.mean(found, axis=0)
    assert abs(means[0]) < 0.01 and abs(means[1]) < 0.004 and means[2] > 0.2
    assert means[3] >= 0.9 and means[4] >= 0.9


def test_with_weight_one_they_are_scikit_learns():
    generator = np.random.default_rng(0)
    truth = (generator.random(300) < 0.2).astype(int)
    score = np.round(np.clip(generator.normal(0.4, 0.2, 300) + 0.2 * truth, 0, 1), 2)
    found = figures(Sample(score, truth, np.full(300, 4.0), np.full(300, "rest")), 0.5)
    assert found["auc"].value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert found["ap"].value == pytest.approx(average_precision_score(truth, score), abs=1e-12)
    assert all(one.low < one.value < one.high for one in found.values())


def test_influence_of_average_precision_is_its_derivative():
    generator = np.random.default_rng(3)
    truth = (generator.random(60) < 0.3).astype(int)
    score, weight = np.round(generator.random(60) + 0.3 * truth, 1), generator.uniform(1, 9, 60)
    sample = Sample(score, truth, weight, np.full(60, "rest"))
    ap = average_precision_score(truth, score, sample_weight=weight)
    influence, _ = _ap_influence(sample, ap)
    for place in range(0, 60, 7):
        more = weight.copy()
        more[place] += 1e-6
        slope = (average_precision_score(truth, score, sample_weight=more) - ap) / 1e-6
        assert influence[place] == pytest.approx(slope, abs=1e-5)


def test_a_class_without_positives_has_no_figures():
    sample = Sample(np.linspace(0, 1, 20), np.array([1] + [0] * 19), np.ones(20), np.full(20, "rest"))
    assert figures(sample, 0.5) == {}


def test_wilson_of_a_published_example():
    """Newcombe (1998), table I: 81 of 263 has .2553 to .3662, 0 of 20 has 0 to .1611."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_intervals_grow_with_the_design_and_keep_their_place():
    plain, designed = auc_interval(0.85, 60, 60), auc_interval(0.85, 60, 60, 3 * hanley_mcneil(0.85, 60, 60))
    assert designed[0] < plain[0] < 0.85 < plain[1] < designed[1]
    low, high = f1_interval(0.6, 50)
    assert low < 0.6 < high
    assert effective(np.array([1.0, 1.0])) == 2 and effective(np.array([9.0, 1.0])) < 1.3
