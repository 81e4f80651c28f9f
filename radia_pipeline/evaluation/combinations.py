"""Rules that combine members: probabilities of several models → one score, some with parameters fitted on validation.

Parameters are numbers that stand in the table ``ensemble``, one list for each class. What does not belong here: which
rule is chosen, calibration (``ensemble``).

Shape legend: M members, n studies, K classes, P parameters of a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.calibration import logit, sigmoid

QUANTILES = np.linspace(0.0, 1.0, 101)
GREEDY_STEPS = 20
"""Members that greedy selection takes, with replacement."""
MIN_POSITIVES = 5
"""Positives, and negatives, that a class needs to enter a mean over classes or to be stacked."""
STACKING_SPREAD = 1.0
"""Inverse strength of the penalty on members' deviations from their mean (scikit-learn's C)."""


@dataclass(frozen=True)
class Rule:
    """``combine``: probabilities (M, n, K), parameters (K, P) → (n, K). ``fit``: probabilities, labels (n, K) →
    parameters; without it there are none. ``offsets``: how many of the first parameters move all studies alike.
    ``is_share``: the parameters are each member's weight, and a member without any is not asked.
    """

    combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    offsets: int = 0
    is_share: bool = False

    def uses(self, members: int, parameters: np.ndarray) -> np.ndarray:
        """Return which of the members matter under parameters (K, P): bool (M,)."""
        return np.any(parameters > 0, axis=0) if self.is_share else np.ones(members, dtype=bool)

    def fitted(self, probability: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Return the parameters (K, P) on a pool; P is 0 where the rule has none."""
        return self.fit(probability, label) if self.fit else np.zeros((label.shape[1], 0))


def enough(label: np.ndarray, minimum: int = MIN_POSITIVES) -> np.ndarray:
    """Return which classes (K,) have at least ``minimum`` positives and as many negatives."""
    return ((label == 1).sum(axis=0) >= minimum) & ((label == 0).sum(axis=0) >= minimum)


def _mean_probability(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    return probability.mean(axis=0)


def _mean_logit(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    return sigmoid(logit(probability).mean(axis=0))


def _minimum(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    return probability.min(axis=0)


def _maximum(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    return probability.max(axis=0)


def _median(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.median(probability, axis=0)


def _geometric_mean(probability: np.ndarray, _: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.exp(np.log(probability).mean(axis=0))


def _rank_mean(probability: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Mean of each member's rank among validation's studies, as a share of them."""
    members, _, classes = probability.shape
    knots = parameters.reshape(classes, members, len(QUANTILES))
    ranks = [[np.interp(probability[m, :, k], knots[k, m], QUANTILES) for k in range(classes)] for m in range(members)]
    return np.mean(ranks, axis=0).T


def _fit_ranks(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    knots = np.nan_to_num(np.nanquantile(np.where(np.isfinite(probability), probability, 0.5), QUANTILES, axis=1))
    return np.moveaxis(knots, (2, 1), (0, 1)).reshape(label.shape[1], -1)


def _weighted_mean(probability: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.einsum("mnk,km->nk", probability, parameters)


def _fit_greedy(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Take the member that lifts the mean AUC most, again and again (Caruana 2004); each weighs as often as taken."""
    members, kept = len(probability), np.flatnonzero(enough(label))
    taken, total = np.zeros(members), np.zeros(probability.shape[1:])
    for step in range(1, GREEDY_STEPS + 1):
        scores = [mean_auc(((total + one) / step)[:, kept], label[:, kept]) for one in probability]
        best = int(np.argmax(np.nan_to_num(scores)))
        taken[best] += 1
        total = total + probability[best]
    return np.tile(taken / taken.sum(), (label.shape[1], 1))


def mean_auc(score: np.ndarray, label: np.ndarray) -> float:
    """Return the mean AUC of scores (n, K) over their classes; NaN without any class."""
    values = [metrics.auc(score[:, k], label[:, k]) for k in range(score.shape[1])]
    return float(np.mean(values)) if values else float("nan")


def _stacked(probability: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Logistic regression over the members' logits: an offset, then a weight for each member."""
    return sigmoid(np.einsum("mnk,km->nk", logit(probability), parameters[:, 1:]) + parameters[:, 0])


def _fit_stacked(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    kept, members = enough(label), len(probability)
    mean_of_all = np.r_[0.0, np.full(members, 1 / members)]
    logits = logit(probability)
    rows = [_stack_class(logits[:, :, k].T, label[:, k]) if kept[k] else mean_of_all for k in range(label.shape[1])]
    return np.stack(rows)


def _stack_class(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return offset and weights (1 + M) of one class from logits (n, M). The penalty draws members to their mean."""
    from sklearn.linear_model import LogisticRegression

    counts = metrics.counted(label)
    middle = logits.mean(axis=1, keepdims=True)
    features = np.hstack([middle, logits - middle])[counts]
    model = LogisticRegression(C=STACKING_SPREAD, max_iter=500).fit(features, label[counts])
    whole, apart = model.coef_[0, 0], model.coef_[0, 1:]
    return np.r_[model.intercept_, whole / len(apart) + apart - apart.mean()]


RULES = Table(
    "ensemble rule",
    {
        "mean_probability": Rule(_mean_probability),
        "mean_logit": Rule(_mean_logit),
        "geometric_mean": Rule(_geometric_mean),
        "median": Rule(_median),
        "minimum": Rule(_minimum),
        "maximum": Rule(_maximum),
        "rank_mean": Rule(_rank_mean, _fit_ranks),
        "greedy": Rule(_weighted_mean, _fit_greedy, is_share=True),
        "stacked_logistic": Rule(_stacked, _fit_stacked, offsets=1),
    },
)
"""How members are combined, in order of preference among rules that need as many of them."""
