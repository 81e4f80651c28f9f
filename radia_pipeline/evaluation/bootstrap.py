"""Intervals by resampling groups of patients, never studies: a patient's films are not independent of each other.

Scores are sorted once; a replicate is a row of multinomial weights over groups, so a thousand replicates are a few
matrix products. All classes share the same replicates, which makes the interval of a mean over classes right. What does
not belong here: the metrics themselves (``metrics``) and which classes enter a mean (``scorecard``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation import metrics

REPLICATES = 1000
LEVEL = 0.95
CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB, whatever the pool's size
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval and what it rests on. NaN where it does not exist."""

    value: float
    low: float
    high: float
    positives: int
    studies: int


@dataclass(frozen=True)
class Resampler:
    """Draws weights over n rows that belong to groups. ``index`` (n,) numbers each row's group from 0."""

    index: np.ndarray
    groups: int
    replicates: int = REPLICATES
    seed: int = 0

    @classmethod
    def of(cls, group_ids: np.ndarray, replicates: int = REPLICATES, seed: int = 0) -> Resampler:
        """Number the groups by sorted name, so that the draw does not depend on the order of rows."""
        names, index = np.unique(np.asarray(group_ids), return_inverse=True)
        return cls(index.reshape(-1), len(names), replicates, seed)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield weights (r, n) float64 in chunks whose rows sum up to ``replicates``; their size does not matter."""
        generator = np.random.default_rng(self.seed)
        rows = max(1, CHUNK_CELLS // max(len(self.index), 1))
        for start in range(0, self.replicates, rows):
            count = min(rows, self.replicates - start)
            drawn = np.stack([self._draw(generator) for _ in range(count)])
            yield drawn[:, self.index]

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        """One multinomial(G, 1/G) count per group, by counting G uniform draws: linear in G."""
        picks = generator.integers(0, self.groups, self.groups)
        return np.bincount(picks, minlength=self.groups).astype(np.float64)


def percentile_interval(replicates: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return (low, high) of replicates (R,), leaving out those in which the figure does not exist."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def score_interval_of_auc(auc: float, positives: int, negatives: int, z: float = Z_95) -> tuple[float, float]:
    """Interval of an AUC that does not collapse at 0 or 1 (Newcombe 2006, part 2, method 5: a score interval over the
    Hanley-McNeil variance). Used where resampling cannot move the figure: perfect separation of few positives."""
    if not np.isfinite(auc) or positives < 1 or negatives < 1:
        return float("nan"), float("nan")
    half = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - auc) ** 2 - z * z * theta * (1 - theta) * spread / (positives * negatives)

    return _crossing(excess, 0.0, auc), _crossing(excess, 1.0, auc)


def _crossing(excess, outside: float, inside: float) -> float:
    """Bisect between a bound outside the interval (excess >= 0) and the estimate inside it."""
    if abs(outside - inside) < metrics.EPSILON:
        return inside
    for _ in range(60):
        middle = 0.5 * (outside + inside)
        outside, inside = (middle, inside) if excess(middle) > 0 else (outside, middle)
    return 0.5 * (outside + inside)


@dataclass(frozen=True)
class ClassReplicates:
    """All metrics of one class: the point estimates and their replicates (R,) over shared draws of groups."""

    point: dict[str, float]
    replicates: dict[str, np.ndarray]
    positives: int
    studies: int

    def interval(self, metric: str, level: float = LEVEL) -> Interval:
        """The figure with its interval; an AUC that resampling cannot move gets the score interval instead."""
        value = self.point[metric]
        low, high = percentile_interval(self.replicates[metric], level) if np.isfinite(value) else (np.nan, np.nan)
        if metric == "auc" and np.isfinite(value) and high - low < metrics.EPSILON:
            low, high = score_interval_of_auc(value, self.positives, self.studies - self.positives)
        return Interval(value, low, high, self.positives, self.studies)


def bootstrap_classes(
    probability: np.ndarray, label: np.ndarray, group_ids: np.ndarray, thresholds: np.ndarray | float = 0.5,
    *, replicates: int = REPLICATES, seed: int = 0,
) -> list[ClassReplicates]:  # fmt: skip
    """Bootstrap every metric of every class with the same draws of groups.

    ``probability`` (n, K), ``label`` (n, K) of 1/0/other, ``group_ids`` (n,), ``thresholds`` (K,) or one for all.
    Returns K results in order.
    """
    probability, label = np.atleast_2d(probability), np.atleast_2d(label)
    thresholds = np.broadcast_to(np.asarray(thresholds, dtype=float), (probability.shape[1],))
    ranked = [metrics.Ranked.of(probability[:, k], label[:, k]) for k in range(probability.shape[1])]
    pieces: list[list[dict[str, np.ndarray]]] = [[] for _ in ranked]
    for weight in Resampler.of(group_ids, replicates, seed):
        for k, one in enumerate(ranked):
            pieces[k].append(metrics.weighted_metrics(one, weight[:, one.order], thresholds[k]))
    return [_gather(one, thresholds[k], pieces[k]) for k, one in enumerate(ranked)]


def _gather(ranked: metrics.Ranked, threshold: float, pieces: list[dict[str, np.ndarray]]) -> ClassReplicates:
    point = metrics.weighted_metrics(ranked, ranked.weights(None), threshold)
    replicates = {name: np.concatenate([piece[name] for piece in pieces]) for name in point} if pieces else {}
    return ClassReplicates({k: float(v[0]) for k, v in point.items()}, replicates, ranked.positives, ranked.studies)


def mean_interval(classes: list[ClassReplicates], metric: str, level: float = LEVEL) -> Interval:
    """Mean of one metric over classes, with the interval of that mean (same draws in every class).

    A replicate averages the classes whose figure exists in it. ``positives`` is the sum over classes, ``studies`` the
    largest class's count.
    """
    values = [c.point[metric] for c in classes if np.isfinite(c.point[metric])]
    if not values:
        return Interval(float("nan"), float("nan"), float("nan"), sum(c.positives for c in classes), 0)
    stack = np.stack([c.replicates[metric] for c in classes if np.isfinite(c.point[metric])])
    exists = np.isfinite(stack)
    number = exists.sum(axis=0)
    means = np.where(exists, stack, 0.0).sum(axis=0)[number > 0] / number[number > 0]
    low, high = percentile_interval(means, level)
    studies = max(c.studies for c in classes)
    return Interval(float(np.mean(values)), low, high, sum(c.positives for c in classes), studies)


def paired_difference(
    first: np.ndarray, second: np.ndarray, label: np.ndarray, group_ids: np.ndarray,
    *, replicates: int = REPLICATES, seed: int = 0,
) -> Interval:  # fmt: skip
    """Mean AUC of ``first`` minus that of ``second`` over classes, both (n, K) on the same studies and draws."""
    a, b = (bootstrap_classes(p, label, group_ids, replicates=replicates, seed=seed) for p in (first, second))
    kept = [k for k in range(len(a)) if np.isfinite(a[k].point["auc"])]
    if not kept:
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    with np.errstate(invalid="ignore"):
        moved = np.stack([a[k].replicates["auc"] - b[k].replicates["auc"] for k in kept])
    exists = np.isfinite(moved)
    means = np.where(exists, moved, 0.0).sum(axis=0) / np.maximum(exists.sum(axis=0), 1)
    value = float(np.mean([a[k].point["auc"] - b[k].point["auc"] for k in kept]))
    low, high = percentile_interval(means)
    return Interval(value, low, high, sum(a[k].positives for k in kept), max(a[k].studies for k in kept))
