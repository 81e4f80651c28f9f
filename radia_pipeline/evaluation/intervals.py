"""Closed forms of intervals that hold the truth with few positives, for counts that may be effective ones.

A share, an F1, an AUC from an estimate and the number of observations that it is worth. Not here: how many that is
(``effective``, design effects of clusters or weights belong to who knows the design), resampling (``bootstrap``).
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.evaluation.bootstrap import Z_95, score_interval_of_auc


def effective(weight: np.ndarray) -> float:
    """Return how many equally weighted observations weights (n,) are worth: (Σw)² / Σw² (Kish 1965); 0 of none."""
    squares = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def wilson(share: float, count: float, z: float = Z_95) -> tuple[float, float]:
    """Return (low, high) of a share of ``count`` observations (Wilson 1927); NaN without any."""
    if not np.isfinite(share) or count <= 0:
        return float("nan"), float("nan")
    middle = share + z * z / (2 * count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, float((middle - half) / scale)), min(1.0, float((middle + half) / scale))


def f1_interval(f1: float, count: float) -> tuple[float, float]:
    """Return (low, high) of an F1: those of J = TP / (TP + FP + FN), a share of ``count``, then 2J / (1 + J)."""
    low, high = wilson(f1 / (2 - f1), count)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def auc_interval(auc: float, positives: float, negatives: float, variance: float | None = None) -> tuple[float, float]:
    """Return (low, high) of an AUC by Newcombe's method 5 (2006), for counts that may be effective ones.

    ``variance``: the estimate's own, of a design with weights or clusters; both counts are then divided by how much it
    exceeds Hanley and McNeil's (1982), where it does.
    """
    if not np.isfinite(auc) or positives < 1 or negatives < 1:
        return float("nan"), float("nan")
    if variance is not None:
        effect = max(1.0, variance / hanley_mcneil(auc, positives, negatives))
        positives, negatives = max(1.0, positives / effect), max(1.0, negatives / effect)
    return score_interval_of_auc(auc, positives, negatives)


def hanley_mcneil(auc: float, positives: float, negatives: float) -> float:
    """Return the variance of an AUC under exponential scores (Hanley & McNeil 1982), kept off 0 at the ends."""
    auc = min(max(auc, 1e-3), 1 - 1e-3)
    of_positives = 2 * auc * auc / (1 + auc) - auc * auc
    of_negatives = auc / (2 - auc) - auc * auc
    rest = auc * (1 - auc)
    terms = rest + (positives - 1) * of_negatives + (negatives - 1) * of_positives
    return terms / (positives * negatives)
