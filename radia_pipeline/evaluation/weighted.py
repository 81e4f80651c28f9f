"""Figures on a reading set that hold for the pool it was drawn from: weighted, with intervals by the design.

A study counts as many times as it stands for studies of the pool; intervals come from drawing the pool anew
(``redraws``). A set holds few positives of large weight, so that a variance alone would promise too much where none was
met and too little where some were. Not here: which answers are truth and how a set was drawn, which is known by
``readings``.

Shape legend: n studies of the set whose truth is present or absent, R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.redraws import REPLICATES, Redraws, limits, unread_weight

FIGURES = ("auc", "ap", "f1", "sensitivity", "specificity", "prevalence", "mean_probability")
MIN_POSITIVES = 2
"""Positives under which no figure of a class is shown."""


@dataclass(frozen=True)
class Sample:
    """One class on a set, (n,) each: score, truth (1 or 0), weight (1 / inclusion probability), stratum."""

    score: np.ndarray
    truth: np.ndarray
    weight: np.ndarray
    stratum: np.ndarray

    def in_order(self, *beside: np.ndarray) -> tuple[Sample, tuple[np.ndarray, ...]]:
        """Return the studies in an order of their own, with arrays (n,) ``beside`` them: random numbers then fall upon
        the same studies whatever order they came in.
        """
        order = np.lexsort((*beside, self.weight, self.truth, self.score, self.stratum))
        parts = (part[order] for part in (self.score, self.truth, self.weight, self.stratum))
        return Sample(*parts), tuple(part[order] for part in beside)

    @property
    def effective_positives(self) -> float:
        """How many equally weighted positives the positives are worth, with half a one that was not met beside them."""
        weight = self.weight[self.truth == 1]
        squares = float(np.square(weight).sum()) + 0.5 * unread_weight(self.weight) ** 2
        return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def figures(sample: Sample, called: np.ndarray, replicates: int = REPLICATES) -> dict[str, Interval]:
    """Return each of FIGURES with its 95 % interval; of a class with under MIN_POSITIVES of a kind, none.

    ``called`` (n,) of bool: what the model decides.
    """
    counts = int((sample.truth == 1).sum()), len(sample.truth)
    if min(counts[0], counts[1] - counts[0]) < MIN_POSITIVES:
        return {}
    sample, (called,) = sample.in_order(called)
    ranked = metrics.Ranked.of(sample.score, sample.truth)
    weight = ranked.weights(sample.weight)
    found = {
        "auc": metrics.weighted_auc(ranked, weight),
        "ap": metrics.weighted_average_precision(ranked, weight),
        **metrics.weighted_decision_metrics(ranked, weight, called[ranked.order]),
        **metrics.weighted_probability_metrics(ranked, weight),
    }
    redraws = Redraws.of(sample.weight, sample.stratum, replicates)
    drawn = _of_decisions(sample, called, redraws) | _of_ranking(sample, ranked, redraws)
    drawn["mean_probability"] = redraws.weight @ sample.score / redraws.weight.sum(axis=1)
    values = {name: float(found[name][0]) for name in FIGURES}
    return {name: Interval(values[name], *limits(values[name], drawn[name]), *counts) for name in FIGURES}


def _of_decisions(sample: Sample, called: np.ndarray, redraws: Redraws) -> dict[str, np.ndarray]:
    """Return the replicates (R,) of figures that count decisions.

    The unread study is, for or against each: a positive that is called or is not, for sensitivity and F1; a negative,
    for specificity; either kind, for prevalence. One that is called stands where studies are called.
    """
    positive = sample.truth == 1
    kinds = np.column_stack([called & positive, called & ~positive, ~called & positive, ~called & ~positive])
    tp, fp, fn, tn = (redraws.weight @ kinds.astype(float)).T
    found, _ = redraws.for_and_against(redraws.one_more(called)[1])
    _, missed = redraws.for_and_against(redraws.one_more(~called)[1])
    better, worse = redraws.for_and_against(redraws.one_more()[1])
    return {
        "sensitivity": (tp + found) / (tp + found + fn + missed),
        "f1": 2 * (tp + found) / (2 * (tp + found) + fp + fn + missed),
        "specificity": (tn + better) / (tn + better + fp + worse),
        "prevalence": (tp + fn + better) / (redraws.weight.sum(axis=1) + better + worse),
    }


def _of_ranking(sample: Sample, ranked: metrics.Ranked, redraws: Redraws) -> dict[str, np.ndarray]:
    """Return the replicates (R,) of AUC and AP; the unread study is any of the pool, as often positive as negative."""
    place, mass = redraws.one_more()
    column = np.argsort(ranked.order)[place]
    rows = np.arange(len(mass))
    positive = redraws.weight[:, ranked.order]
    negative = positive * ~ranked.positive
    positive *= ranked.positive
    more, other = redraws.for_and_against(mass)
    positive[rows, column] += more
    negative[rows, column] += other
    if len(ranked.starts) < ranked.studies:
        positive, negative = (np.add.reduceat(side, ranked.starts, axis=1) for side in (positive, negative))
    return {
        "auc": metrics.auc_of_blocks(positive, negative),
        "ap": metrics.average_precision_of_blocks(positive, negative),
    }
