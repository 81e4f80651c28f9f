"""Curves of one class as points: ROC and precision-recall by scikit-learn, reliability. Painting is in ``drawing``."""

from __future__ import annotations

import numpy as np

from radia_pipeline.evaluation.intervals import wilson
from radia_pipeline.evaluation.metrics import ECE_BINS, Ranked, bin_of, counted


def roc_points(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (false positive rate, true positive rate), from (0, 0) to (1, 1); equal scores are one step. Empty without
    both kinds."""
    from sklearn.metrics import roc_curve

    kept = counted(label)
    truth = np.asarray(label)[kept] == 1
    if truth.all() or not truth.any():
        return np.zeros(0), np.zeros(0)
    false_rate, true_rate, _ = roc_curve(truth, np.asarray(score)[kept], drop_intermediate=False)
    return false_rate, true_rate


def precision_recall_points(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (recall, precision), from high thresholds to low; empty without a positive."""
    from sklearn.metrics import precision_recall_curve

    kept = counted(label)
    truth = np.asarray(label)[kept] == 1
    if not truth.any():
        return np.zeros(0), np.zeros(0)
    precision, recall, _ = precision_recall_curve(truth, np.asarray(score)[kept])
    return recall[-2::-1], precision[-2::-1]  # the last point is the library's, and no threshold's


def reliability_points(
    probability: np.ndarray, label: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (mean probability, share of positives, studies) of each equal-width bin that holds a study."""
    ranked = Ranked.of(probability, label)
    count, held, place = _binned(ranked, bins)
    mean = np.bincount(place, weights=ranked.score, minlength=bins)[held] / count[held]
    share = np.bincount(place, weights=ranked.positive.astype(float), minlength=bins)[held] / count[held]
    return mean, share, count[held]


def reliability_interval(
    probability: np.ndarray, label: np.ndarray, group: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) of the share of positives in each bin of ``reliability_points``: Wilson's interval of 95 %.

    ``group`` (n,): whose the studies are; a bin counts for as many as it has groups, and with one group has NaN.
    """
    ranked = Ranked.of(probability, label)
    _, held, place = _binned(ranked, bins)
    _, share, _ = reliability_points(probability, label, bins)
    groups = np.asarray(group)[ranked.order]
    n = np.array([len(np.unique(groups[place == number])) for number in np.flatnonzero(held)], dtype=float)
    limits = [wilson(p, count) if count >= 2 else (np.nan, np.nan) for p, count in zip(share, n)]
    return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def _binned(ranked: Ranked, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return studies of each bin, which bins hold one, and each ranked study's bin."""
    place = bin_of(np.clip(ranked.score, 0, 1), bins)
    count = np.bincount(place, minlength=bins)
    return count, count > 0, place


def thinned(x: np.ndarray, y: np.ndarray, most: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Return at most about ``most`` points of a curve: what a picture of 200 px can show.

    Points that repeat or lie on a straight line between their neighbours go first; corners only where there are too
    many of them.
    """
    if len(x) <= most:
        return x, y
    moves = np.r_[True, (np.diff(x) != 0) | (np.diff(y) != 0)]
    x, y = x[moves], y[moves]
    dx, dy = np.diff(x), np.diff(y)
    corners = np.ones(len(x), dtype=bool)
    corners[1:-1] = dx[:-1] * dy[1:] != dx[1:] * dy[:-1]
    x, y = x[corners], y[corners]
    if len(x) <= most:
        return x, y
    keep = np.linspace(0, len(x) - 1, most).round().astype(int)
    return x[keep], y[keep]


def stepped(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve of precision over recall as steps from recall 0: each precision holds back to the recall before.

    That is the area that average precision sums; a straight line between its points would promise more. Points before
    the first positive, which have no recall, are left out.
    """
    x, y = x[x > 0], y[x > 0]
    return np.r_[0.0, np.repeat(x, 2)[:-1]], np.repeat(y, 2)
