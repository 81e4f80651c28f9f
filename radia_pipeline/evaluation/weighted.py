"""Figures on a reading set that hold for the pool it was drawn from: weighted, with intervals by the design.

A study counts as many times as it stands for studies of the pool. The variance of a figure is that of its influence
values under stratified sampling (Särndal, Swensson & Wretman 1992, 5.5–5.7); it enters the closed forms of
``evaluation.intervals`` as the number of equal observations that it is worth, which is never more than the weights
allow (Kish). Not here: which answers are truth and how a set was drawn, which is known by ``readings``.

Shape legend: n studies of the set whose truth is present or absent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.bootstrap import Interval
from radia_pipeline.evaluation.calibration import logit, sigmoid
from radia_pipeline.evaluation.intervals import auc_interval, effective, f1_interval, wilson

METRICS = ("auc", "ap", "f1", "sensitivity", "specificity", "prevalence", "mean_probability")
MIN_POSITIVES = 2
"""Positives under which no figure of a class is shown."""
UNSEEN = 0.5
"""Positives that each stratum may hide: half a one, as is added to empty cells of a table; held in simulation."""


@dataclass(frozen=True)
class Sample:
    """One class on a set, (n,) each: score, truth (1 or 0), weight (1 / inclusion probability), stratum."""

    score: np.ndarray
    truth: np.ndarray
    weight: np.ndarray
    stratum: np.ndarray

    @property
    def effective_positives(self) -> float:
        """How many equally weighted positives the positives are worth."""
        return effective(self.weight[self.truth == 1])

    def variance(self, influence: np.ndarray, as_positive: np.ndarray | None = None) -> float:
        """Return the variance of a figure from its influence values (n,), per unit of weight.

        ``as_positive`` (n,): what each study's influence would be if it were positive. A stratum in which few of many
        positives were met, or none, hides their variance: UNSEEN more of them, anywhere in it, are counted.
        """
        total = 0.0
        for name in np.unique(self.stratum):
            inside = self.stratum == name
            count = int(inside.sum())
            share = float(1.0 / self.weight[inside].min())
            if count < 2 or share >= 1:
                continue
            values = self.weight[inside] * influence[inside]
            spread = count / (count - 1) * float(np.square(values - values.mean()).sum())
            if as_positive is not None:
                spread += UNSEEN * float(np.square(self.weight[inside] * as_positive[inside]).mean())
            total += (1 - share) * spread
        return total


def figures(sample: Sample, threshold: float) -> dict[str, Interval]:
    """Return each of METRICS with its 95 % interval; of a class with under MIN_POSITIVES of a kind, none."""
    positive, weight = sample.truth == 1, sample.weight
    counts = int(positive.sum()), len(positive)
    if min(counts[0], counts[1] - counts[0]) < MIN_POSITIVES:
        return {}
    ranked = metrics.Ranked.of(sample.score, sample.truth)
    values = {
        name: float(found[0])
        for name, found in metrics.weighted_metrics(ranked, ranked.weights(weight), threshold).items()
    }
    called = sample.score >= threshold
    found = {
        "auc": _auc(sample, values["auc"]),
        "ap": _ap(sample, values["ap"], values["prevalence"]),
        "f1": _f1(sample, called, values["f1"]),
        "sensitivity": _share(sample, called, positive, values["sensitivity"], called - values["sensitivity"]),
        "specificity": _share(sample, ~called, ~positive, values["specificity"]),
        "prevalence": _share(
            sample,
            positive,
            np.ones(counts[1], dtype=bool),
            values["prevalence"],
            np.full(counts[1], 1 - values["prevalence"]),
        ),
        "mean_probability": _mean(sample, values["mean_probability"]),
    }
    return {name: Interval(values[name], *found[name], *counts) for name in METRICS}


def _share(
    sample: Sample, hit: np.ndarray, among: np.ndarray, share: float, unseen: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the interval of the weighted share of ``hit`` among ``among``, both bool (n,).

    ``unseen`` (n,): whether a study would be a hit if it were positive, minus the share.
    """
    return wilson(share, _worth(sample, hit, among, share, unseen))


def _worth(sample: Sample, hit: np.ndarray, among: np.ndarray, share: float, unseen: np.ndarray | None = None) -> float:
    total = sample.weight[among].sum()
    variance = sample.variance(among * (hit - share) / total, unseen / total if unseen is not None else None)
    if variance <= 0:
        return effective(sample.weight[among])
    return min(float(among.sum()), share * (1 - share) / variance)


def _f1(sample: Sample, called: np.ndarray, f1: float) -> tuple[float, float]:
    positive = sample.truth == 1
    share = f1 / (2 - f1)
    return f1_interval(f1, _worth(sample, positive & called, positive | called, share, called - share))


def _mean(sample: Sample, mean: float) -> tuple[float, float]:
    """Return the interval of the weighted mean score: beside the prevalence, calibration in the large."""
    weight = sample.weight
    spread = np.sqrt(sample.variance((sample.score - mean) / weight.sum()))
    half = stats.t.ppf(0.975, max(1.0, effective(weight) - 1)) * spread
    return float(mean - half), float(mean + half)


def _auc(sample: Sample, auc: float) -> tuple[float, float]:
    positive, weight = sample.truth == 1, sample.weight
    as_positive = (_below(sample, ~positive) - auc) / weight[positive].sum()
    as_negative = (1 - _below(sample, positive) - auc) / weight[~positive].sum()
    influence = np.where(positive, as_positive, as_negative)
    worth = effective(weight[positive]), effective(weight[~positive])
    return auc_interval(auc, *worth, variance=sample.variance(influence, as_positive))


def _below(sample: Sample, others: np.ndarray) -> np.ndarray:
    """Return for each study the weighted share of ``others`` below it, ties half: (n,)."""
    order = np.argsort(sample.score[others], kind="stable")
    scores, before = sample.score[others][order], np.r_[0.0, np.cumsum(sample.weight[others][order])]
    left, right = (np.searchsorted(scores, sample.score, side) for side in ("left", "right"))
    return (before[left] + before[right]) / 2 / before[-1]


def _ap(sample: Sample, ap: float, prevalence: float) -> tuple[float, float]:
    """Interval on the logit, its centre drawn towards chance as much as half a positive would, t for its spread."""
    worth = sample.effective_positives
    spread = np.sqrt(sample.variance(*_ap_influence(sample, ap)))
    centre = (worth * ap + 0.5 * prevalence) / (worth + 0.5)
    half = stats.t.ppf(0.975, max(1.0, worth - 1)) * spread / (centre * (1 - centre))
    low, high = sigmoid(logit(np.array(centre)) + half * np.array([-1.0, 1.0]))
    return min(float(low), ap), max(float(high), ap)


def _ap_influence(sample: Sample, ap: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how average precision changes with each study's weight, and how if it were positive: two (n,).

    Equal scores enter together.
    """
    order = np.argsort(-sample.score, kind="stable")
    score, positive, weight = sample.score[order], sample.truth[order] == 1, sample.weight[order]
    ends = np.searchsorted(-score, -score, side="right") - 1
    called, found = np.cumsum(weight)[ends], np.cumsum(weight * positive)[ends]
    precision = found / called
    starts = np.searchsorted(-score, -score, side="left")

    def from_here(values: np.ndarray) -> np.ndarray:
        return np.cumsum(values[::-1])[::-1][starts]

    lifts = from_here(weight * positive * (1 - precision) / called)
    weighs = from_here(weight * positive * precision / called)
    total = (weight * positive).sum()
    influence, as_positive = np.empty(len(score)), np.empty(len(score))
    as_positive[order] = (precision - ap + lifts) / total
    influence[order] = np.where(positive, as_positive[order], -weighs / total)
    return influence, as_positive
