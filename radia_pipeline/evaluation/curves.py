"""Curves of one class as points: ROC, precision-recall, reliability. How they are painted is in ``drawing``."""

from __future__ import annotations

import numpy as np

from radia_pipeline.evaluation.metrics import ECE_BINS, Ranked, blocks


def roc_points(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (false positive rate, true positive rate), from (0, 0) to (1, 1); equal scores are one step. Empty without
    both kinds."""
    ranked = Ranked.of(score, label)
    if not ranked.positives or not ranked.negatives:
        return np.zeros(0), np.zeros(0)
    positive, negative = (side[0] for side in blocks(ranked, ranked.weights(None)))
    return np.r_[0, np.cumsum(negative)] / ranked.negatives, np.r_[0, np.cumsum(positive)] / ranked.positives


def precision_recall_points(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (recall, precision), from high thresholds to low; empty without a positive."""
    ranked = Ranked.of(score, label)
    if not ranked.positives:
        return np.zeros(0), np.zeros(0)
    positive, negative = (np.cumsum(side[0]) for side in blocks(ranked, ranked.weights(None)))
    return positive / ranked.positives, positive / (positive + negative)


def reliability_points(
    probability: np.ndarray, label: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (mean probability, share of positives, studies) of each equal-width bin that holds a study."""
    ranked = Ranked.of(probability, label)
    place = np.minimum((np.clip(ranked.score, 0, 1) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    held = count > 0
    mean = np.bincount(place, weights=ranked.score, minlength=bins)[held] / count[held]
    share = np.bincount(place, weights=ranked.positive.astype(float), minlength=bins)[held] / count[held]
    return mean, share, count[held]


def thinned(x: np.ndarray, y: np.ndarray, most: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Return at most about ``most`` points of a step curve, its corners first: what a picture of 200 px can show."""
    if len(x) <= most:
        return x, y
    keep = np.unique(np.r_[0, np.linspace(0, len(x) - 1, most).round().astype(int), len(x) - 1])
    return x[keep], y[keep]
