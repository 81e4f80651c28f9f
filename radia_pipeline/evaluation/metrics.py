"""Figures of merit of one class: scores and labels in, numbers out, each also under resampling weights.

Every metric is written once, for a matrix of weights: the point estimate is the metric under weight one, a bootstrap
replicate is the same line under multinomial weights. Scores are sorted once per class and never again. What does not
belong here: which figures a scorecard has (``class_figures.FORMS``), where the scores come from, how groups are
resampled (``bootstrap``), how thresholds and calibrations are chosen over a pool (``ensemble``, ``calibration``).

Shape legend: n studies that count, R rows of weights, B blocks of equal scores.
Labels are 1 (positive) and 0 (negative); everything else (-1 uncertain, -9 missing, NaN) is masked and does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ECE_BINS = 10
EPSILON = 1e-12  # keeps 0/0 apart from a real quotient; far below one study's weight

RANKING_METRICS = ("auc", "ap")
THRESHOLD_METRICS = ("f1", "sensitivity", "specificity", "ppv", "npv", "p4")
PROBABILITY_METRICS = ("brier", "ece", "cf1", "mean_probability", "prevalence")
METRICS = RANKING_METRICS + THRESHOLD_METRICS + PROBABILITY_METRICS


def counted(label: np.ndarray) -> np.ndarray:
    """Return the mask (n,) of labels that count: exactly 0 or 1."""
    label = np.asarray(label)
    return (label == 0) | (label == 1)


@dataclass(frozen=True)
class Ranked:
    """Scores of one class, masked and sorted from high to low.

    ``score`` (n,) descending, ``positive`` (n,) bool in the same order, ``order`` (n,) positions in the input arrays,
    ``starts`` (B,) where each block of equal scores begins.
    """

    score: np.ndarray
    positive: np.ndarray
    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, label: np.ndarray) -> Ranked:
        """Mask and sort. ``score`` (n,) finite wherever the label counts; ``label`` (n,) any numeric type."""
        score, label = np.asarray(score, dtype=np.float64), np.asarray(label)
        if score.shape != label.shape or score.ndim != 1:
            raise ValueError(f"scores {score.shape} and labels {label.shape} must be two vectors of one length")
        kept = np.flatnonzero(counted(label))
        if not np.isfinite(score[kept]).all():
            raise ValueError("scores that count must be finite")
        order = kept[np.argsort(-score[kept], kind="stable")]
        ordered = score[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, dtype=int)
        return cls(ordered, label[order] == 1, order, starts)

    @property
    def studies(self) -> int:
        """How many studies count."""
        return len(self.score)

    @property
    def positives(self) -> int:
        """How many of them are positive."""
        return int(self.positive.sum())

    @property
    def negatives(self) -> int:
        """How many of them are negative."""
        return self.studies - self.positives

    def weights(self, weight: np.ndarray | None) -> np.ndarray:
        """Bring weights of the input order, (n_input,) or (R, n_input), into this order: (R, n) float64."""
        if weight is None:
            return np.ones((1, self.studies))
        return np.atleast_2d(np.asarray(weight, dtype=np.float64))[:, self.order]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; where the denominator is zero the figure does not exist: NaN."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=np.abs(denominator) > EPSILON)
    return out


def blocks(ranked: Ranked, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum positive and negative weight in each block of equal scores: two (R, B)."""
    positive = weight * ranked.positive
    negative = weight - positive
    if len(ranked.starts) == ranked.studies:
        return positive, negative
    return np.add.reduceat(positive, ranked.starts, axis=1), np.add.reduceat(negative, ranked.starts, axis=1)


def weighted_auc(ranked: Ranked, weight: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for weights (R, n): P(score of a positive > of a negative) + half the ties; NaN without
    both kinds (Hanley & McNeil 1982)."""
    if not ranked.studies:
        return np.full(len(weight), np.nan)
    return auc_of_blocks(*blocks(ranked, weight))


def auc_of_blocks(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (R,) from the positive and negative weight (R, B) of blocks, highest score first."""
    above = np.cumsum(negative, axis=1)
    total, positives = above[:, -1].copy(), positive.sum(axis=1)
    # A positive is above every negative that comes later, and above half of those that share its score.
    above -= 0.5 * negative
    pairs = positives * total - np.einsum("rb,rb->r", positive, above)
    return _ratio(pairs, positives * total)


def weighted_average_precision(ranked: Ranked, weight: np.ndarray) -> np.ndarray:
    """Average precision for weights (R, n): sum over thresholds of (recall step) x precision, without interpolation."""
    if not ranked.studies:
        return np.full(len(weight), np.nan)
    return average_precision_of_blocks(*blocks(ranked, weight))


def average_precision_of_blocks(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Average precision (R,) from the positive and negative weight (R, B) of blocks, highest score first."""
    found = np.cumsum(positive, axis=1)
    called = found + np.cumsum(negative, axis=1)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > EPSILON)
    return _ratio(np.einsum("rb,rb->r", positive, precision), found[:, -1])


def bin_of(probability: np.ndarray, bins: int) -> np.ndarray:
    """Return the number of the equal-width bin of each probability (n,)."""
    return np.minimum((probability * bins).astype(int), bins - 1)


def weighted_probability_metrics(ranked: Ranked, weight: np.ndarray, bins: int = ECE_BINS) -> dict[str, np.ndarray]:
    """Figures that read the score as a probability, for weights (R, n); each (R,).

    brier: mean squared error. ece: expected calibration error over equal-width bins (Naeini 2015). cf1: the confidence
    F1 of Yacouby & Axman (2020), 2 sum(p y) / (sum(p) + sum(y)).
    """
    p, y = ranked.score, ranked.positive.astype(float)
    member = np.zeros((ranked.studies, bins))
    member[np.arange(ranked.studies), bin_of(np.clip(p, 0.0, 1.0), bins)] = 1.0
    sums = weight @ np.column_stack([np.ones_like(p), (p - y) ** 2, p * y, p, y, member * (p - y)[:, None]])
    (total, squared, both, mass, positives), gaps = sums[:, :5].T, sums[:, 5:]
    return {
        "brier": _ratio(squared, total),
        "ece": _ratio(np.abs(gaps).sum(axis=1), total),
        "cf1": _ratio(2 * both, mass + positives),
        "mean_probability": _ratio(mass, total),
        "prevalence": _ratio(positives, total),
    }


def weighted_threshold_metrics(ranked: Ranked, weight: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Figures of the decision "score >= threshold", for weights (R, n); each (R,)."""
    return weighted_decision_metrics(ranked, weight, ranked.score >= threshold)


def weighted_decision_metrics(ranked: Ranked, weight: np.ndarray, called: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of decisions (n,) in the order of ``ranked``, for weights (R, n); each (R,).

    f1 is NaN only where nothing is positive and nothing is called; p4 is Sitarz's (2022) harmonic mean of the four
    conditional probabilities, 4 TP TN / (4 TP TN + (TP + TN)(FP + FN)).
    """
    y = ranked.positive
    kinds = np.column_stack([called & y, called & ~y, ~called & y, ~called & ~y]).astype(float)
    tp, fp, fn, tn = (weight @ kinds).T
    return {
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "p4": _ratio(4 * tp * tn, 4 * tp * tn + (tp + tn) * (fp + fn)),
    }


def weighted_metrics(ranked: Ranked, weight: np.ndarray, threshold: float = 0.5) -> dict[str, np.ndarray]:
    """All of ``METRICS`` for weights (R, n) in the order of ``ranked``; each (R,)."""
    return {
        "auc": weighted_auc(ranked, weight),
        "ap": weighted_average_precision(ranked, weight),
        **weighted_threshold_metrics(ranked, weight, threshold),
        **weighted_probability_metrics(ranked, weight),
    }


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve of scores (n,) against labels (n,); NaN without both kinds."""
    ranked = Ranked.of(score, label)
    return float(weighted_auc(ranked, ranked.weights(None))[0])


def partial_area(ranked: Ranked, end: float) -> float:
    """Area under the ROC curve from a false positive rate of 0 to ``end``; NaN without both kinds."""
    if not ranked.positives or not ranked.negatives:
        return float("nan")
    positive, negative = (side[0] for side in blocks(ranked, np.ones((1, ranked.studies))))
    false_rate = np.r_[0.0, np.cumsum(negative) / ranked.negatives]
    true_rate = np.r_[0.0, np.cumsum(positive) / ranked.positives]
    stop = int(np.searchsorted(false_rate, end, side="right"))
    at_end = true_rate[-1]
    if stop < len(false_rate):
        at_end = float(np.interp(end, false_rate[stop - 1 : stop + 1], true_rate[stop - 1 : stop + 1]))
    x, y = np.r_[false_rate[:stop], end], np.r_[true_rate[:stop], at_end]
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def standardised_area(area: float, end: float) -> float:
    """Bring a partial area to .5 for chance and 1 for perfect order (McClish 1989)."""
    least = 0.5 * end * end
    return 0.5 * (1 + (area - least) / (end - least))


def sensitivity_at(ranked: Ranked, specificity: float) -> tuple[float, float]:
    """Return (highest sensitivity among cuts of at least this specificity, its cut); scores from the cut are called."""
    positive, negative = (side[0] for side in blocks(ranked, np.ones((1, ranked.studies))))
    found, false = np.cumsum(positive), np.cumsum(negative)
    allowed = np.flatnonzero(false <= (1 - specificity) * ranked.negatives + EPSILON * ranked.studies)
    if not len(allowed):
        return 0.0, float(np.nextafter(ranked.score[0], np.inf))
    return float(found[allowed[-1]] / ranked.positives), float(ranked.score[ranked.starts[allowed[-1]]])


def best_f1_threshold(score: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Return (threshold, F1) that maximise F1 on these studies, deciding by "score >= threshold".

    The threshold lies midway between two neighbouring scores, so that a rounding of either does not flip a study; with
    no positive study it lies above every score (nothing is called) and F1 is NaN.
    """
    ranked = Ranked.of(score, label)
    if ranked.positives == 0:
        return (float(np.nextafter(ranked.score[0], np.inf)) if ranked.studies else 0.5), float("nan")
    positive, negative = (side[0] for side in blocks(ranked, np.ones((1, ranked.studies))))
    found, false = np.cumsum(positive), np.cumsum(negative)
    f1 = 2 * found / (found + false + ranked.positives)
    best = int(np.argmax(f1))
    levels = ranked.score[ranked.starts]
    below = levels[best + 1] if best + 1 < len(levels) else levels[best]
    middle = 0.5 * (levels[best] + below)
    return float(middle if below < middle <= levels[best] else levels[best]), float(f1[best])
