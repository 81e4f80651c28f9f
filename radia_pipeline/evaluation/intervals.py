"""Closed forms of intervals that hold the truth with few positives, for counts that may be effective ones.

A share, an F1, an AUC, an average precision, a mean of figures, a difference of two: each from estimates and from how
much they are worth. Not here: how much that is (``clustered`` for patients, ``weighted`` for designs), resampling
(``bootstrap``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Z_95 = 1.959963984540054
LEVEL = 0.95
BISECTIONS = 60
CLOSE = 1e-12  # an estimate at the end of its range
CENTRE_POSITIVES = 0.5
"""By how many positives of chance precision the centre of an average precision is drawn; held in simulation."""


@dataclass(frozen=True)
class Interval:
    """A figure with its interval and what it rests on. NaN where it does not exist."""

    value: float
    low: float
    high: float
    positives: int
    studies: int


def effective(weight: np.ndarray) -> float:
    """Return how many equally weighted observations weights (n,) are worth: (Σw)² / Σw² (Kish 1965); 0 of none."""
    squares = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def wilson(share: float, count: float, z: float = Z_95) -> tuple[float, float]:
    """Return (low, high) of a share of ``count`` observations (Wilson 1927); NaN without any."""
    if not np.isfinite(share) or count <= 0:
        return float("nan"), float("nan")
    share = min(max(share, 0.0), 1.0)
    middle = share + z * z / (2 * count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low, high = float((middle - half) / scale), float((middle + half) / scale)
    return max(0.0, min(share, low)), min(1.0, max(share, high))


def f1_interval(f1: float, count: float) -> tuple[float, float]:
    """Return (low, high) of an F1: those of J = TP / (TP + FP + FN), a share of ``count``, then 2J / (1 + J)."""
    low, high = wilson(f1 / (2 - f1), count)
    return min(f1, 2 * low / (1 + low)), min(1.0, max(f1, 2 * high / (1 + high)))


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


def score_interval_of_auc(auc: float, positives: float, negatives: float, z: float = Z_95) -> tuple[float, float]:
    """Return (low, high) of an AUC, a score interval over the Hanley-McNeil variance (Newcombe 2006, part 2, method 5).

    It does not collapse at 0 or 1.
    """
    half = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - auc) ** 2 - z * z * theta * (1 - theta) * spread / (positives * negatives)

    return _crossing(excess, 0.0, auc), _crossing(excess, 1.0, auc)


def _crossing(excess: Callable[[float], float], outside: float, inside: float) -> float:
    """Bisect between a bound outside the interval (excess >= 0) and the estimate inside it."""
    if abs(outside - inside) < CLOSE:
        return inside
    for _ in range(BISECTIONS):
        middle = 0.5 * (outside + inside)
        outside, inside = (middle, inside) if excess(middle) > 0 else (outside, middle)
    return 0.5 * (outside + inside)


def logit_interval(value: float, chance: float, patients: float, worth: float) -> tuple[float, float]:
    """Return (low, high) of an average precision on the logit scale, its estimate inside.

    ``chance``: the precision of random scores; the centre is drawn to it as by half a positive. ``patients``: those
    with positives, whose number less one are the degrees of freedom. ``worth``: how many observations of a share the
    estimate is worth.
    """
    from scipy.special import stdtrit

    centre = drawn_to_chance(value, chance, patients)
    spread = stdtrit(max(1.0, patients - 1), (1 + LEVEL) / 2) / np.sqrt(worth * centre * (1 - centre))
    middle = np.log(centre) - np.log1p(-centre)
    low, high = 1 / (1 + np.exp(-(middle - spread))), 1 / (1 + np.exp(-(middle + spread)))
    return min(float(low), value), max(float(high), value)


def drawn_to_chance(value: float, chance: float, patients: float) -> float:
    """Return a share drawn towards its value under chance by half a positive, inside 0 and 1."""
    return (patients * value + CENTRE_POSITIVES * chance) / (patients + CENTRE_POSITIVES)


def drawn_to_half(share: float, patients: float) -> float:
    """Return a share drawn inside 0 and 1 as by two patients found and two missed (Agresti & Coull 1998)."""
    return (patients * share + 2) / (patients + 4)


def mover(
    centres: Sequence[float], lows: Sequence[float], highs: Sequence[float], correlation: np.ndarray
) -> tuple[float, float]:
    """Return (low, high) of the mean of K figures from their own limits (Donner & Zou 2012).

    ``correlation`` (K, K) of the estimates. The distances to the lower limits make the lower limit, those to the upper
    the upper.
    """
    middles, count = np.asarray(centres, dtype=float), len(centres)
    below, above = middles - np.asarray(lows, dtype=float), np.asarray(highs, dtype=float) - middles
    middle = float(middles.mean())
    reach = [float(np.sqrt(max(side @ correlation @ side, 0.0))) / count for side in (below, above)]
    return middle - reach[0], middle + reach[1]


def mover_difference(first: Interval, second: Interval, correlation: float) -> tuple[float, float]:
    """Return (low, high) of ``first`` − ``second`` from their own limits and the correlation of the two estimates."""

    def reach(a: float, b: float) -> float:
        return float(np.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0)))

    value = first.value - second.value
    low = reach(first.value - first.low, second.high - second.value)
    high = reach(first.high - first.value, second.value - second.low)
    return value - low, value + high


def correlations(influence: np.ndarray) -> np.ndarray:
    """Return the correlations (K, K) of K estimates from their influence values by patient (K, G).

    None is below the mean of those that can be seen, nor below 0: single ones are noise, and too low ones would make a
    mean look surer than it is. The correlations of an estimate without influence values cannot be seen; where none can,
    the estimates are taken to move together.
    """
    size = np.sqrt(np.square(influence).sum(axis=1))
    is_seen = size > 0
    unit = np.divide(influence, size[:, None], out=np.zeros_like(influence, dtype=float), where=is_seen[:, None])
    found = unit @ unit.T
    pairs = ~np.eye(len(found), dtype=bool) & is_seen[:, None] & is_seen[None, :]
    least = max(0.0, float(found[pairs].mean())) if pairs.any() else 1.0
    found = np.maximum(found, least)
    np.fill_diagonal(found, 1.0)
    return found
