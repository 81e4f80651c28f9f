"""Figures of many classes of many simulated pools at once: what ``class_figures`` computes one by one, as arrays.

For ``intervals.py`` alone, which holds each part of a run against the package's own figures. Scores have no ties. Not
here: the forms and why they are so (``radia_pipeline.evaluation``).

Shape legend: W pools, K classes, n studies, G = n groups at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtrit

from radia_pipeline.evaluation.class_figures import MOST_EFFECT
from radia_pipeline.evaluation.clustered import MOST_WORTH
from radia_pipeline.evaluation.intervals import BISECTIONS, CENTRE_POSITIVES, LEVEL, Z_95, hanley_mcneil


@dataclass(frozen=True)
class Found:
    """One figure, (W, K) each; ``influence`` (W, K, G)."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    influence: np.ndarray
    centre: np.ndarray

    def mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the limits (W,) of the mean over classes."""
        low, high = np.minimum(self.low, self.value), np.maximum(self.high, self.value)
        related, count = _correlations(self.influence), self.value.shape[1]
        middle, value = self.centre.mean(axis=1), self.value.mean(axis=1)
        reach = [
            np.sqrt(np.maximum(np.einsum("wi,wij,wj->w", side, related, side), 0)) / count
            for side in (self.centre - low, high - self.centre)
        ]
        return np.maximum(0, np.minimum(middle - reach[0], value)), np.minimum(1, np.maximum(middle + reach[1], value))


def _correlations(influence: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.square(influence).sum(axis=2))
    seen = size > 0
    unit = influence / np.where(seen, size, 1)[:, :, None]
    found = unit @ unit.transpose(0, 2, 1)
    pairs = ~np.eye(found.shape[1], dtype=bool) & seen[:, :, None] & seen[:, None, :]
    count = pairs.sum(axis=(1, 2))
    least = np.where(count > 0, np.maximum(0, (found * pairs).sum(axis=(1, 2)) / np.maximum(count, 1)), 1.0)
    found = np.maximum(found, least[:, None, None])
    found[:, np.arange(found.shape[1]), np.arange(found.shape[1])] = 1.0
    return found


class Pools:
    """``score``, ``label`` (W, K, n), ``group`` (W, n) as numbers, ``cut`` (K,): decisions of each class."""

    def __init__(self, score: np.ndarray, label: np.ndarray, group: np.ndarray, cut: np.ndarray) -> None:
        order = np.argsort(-score, axis=2)
        self.positive = np.take_along_axis(label, order, axis=2) == 1
        self.called = np.take_along_axis(score, order, axis=2) >= cut[None, :, None]
        self.shape = score.shape
        worlds, classes, studies = score.shape
        whose = np.take_along_axis(np.broadcast_to(group[:, None], score.shape), order, axis=2)
        self._place = (np.arange(worlds * classes)[:, None] * studies + whose.reshape(-1, studies)).reshape(-1)
        self.positives = self.positive.sum(axis=2)
        self.negatives = studies - self.positives

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """Sum (W, K, n) by group: (W, K, G)."""
        flat = np.broadcast_to(values, self.shape).reshape(-1)
        return np.bincount(self._place, weights=flat, minlength=len(self._place)).reshape(self.shape)

    def patients(self, among: np.ndarray) -> np.ndarray:
        """Count the groups (W, K) of some studies."""
        return (self.by_group(among) > 0).sum(axis=2)

    @cached_property
    def _of_positives(self) -> np.ndarray:
        return self.patients(self.positive)

    def _at_own(self, influence: np.ndarray) -> np.ndarray:
        sides = ((self.positive, self.positives), (~self.positive, self.negatives))
        means = [(influence * kind).sum(axis=2) / count for kind, count in sides]
        return influence - np.where(self.positive, means[0][..., None], means[1][..., None])

    def _worth_at_own(self, share: np.ndarray, influence: np.ndarray, among: np.ndarray) -> np.ndarray:
        m = self._of_positives
        variance = (m + 1) / (m - 1) * np.square(self.by_group(influence)).sum(axis=2)
        return _worth(share, variance, self.patients(among), 0.5, MOST_WORTH * among.sum(axis=2))

    def _moves(self, hit: np.ndarray, among: np.ndarray, share: np.ndarray) -> np.ndarray:
        patients = self.patients(among)
        drawn = (patients * share + 2) / (patients + 4)
        return self.by_group(among * (hit - drawn[..., None]) / among.sum(axis=2)[..., None])

    def sensitivity(self) -> Found:
        """At the cut."""
        count, patients = self.positives, self._of_positives
        value = (self.called & self.positive).sum(axis=2) / count
        influence = self.positive * (self.called - value[..., None]) / count[..., None]
        variance = patients / (patients - 1) * np.square(self.by_group(influence)).sum(axis=2)
        low, high = _wilson(value, _worth(value, variance, patients, 0.5, count))
        return Found(value, low, high, self._moves(self.called, self.positive, value), value)

    def f1(self) -> Found:
        """At the cut."""
        hit, among = self.positive & self.called, self.positive | self.called
        count = among.sum(axis=2)
        share = hit.sum(axis=2) / count
        influence = self._at_own(among * (hit - share[..., None]) / count[..., None])
        value = 2 * share / (1 + share)
        low, high = (2 * end / (1 + end) for end in _wilson(share, self._worth_at_own(share, influence, among)))
        moved = self._moves(hit, among, share) * (2 / (1 + share) ** 2)[..., None]
        return Found(value, low, high, moved, value)

    def auc(self) -> Found:
        """Of the ranking."""
        y, p, n = self.positive, self.positives[..., None], self.negatives[..., None]
        placed = np.where(y, 1 - np.cumsum(~y, axis=2) / n, np.cumsum(y, axis=2) / p)
        value = (placed * y).sum(axis=2) / p[..., 0]
        influence = (placed - value[..., None]) / np.where(y, p, n)
        sides = self.by_group(influence * y), self.by_group(influence * ~y)
        patients = self._of_positives, self.patients(~y), self.patients(np.ones_like(y))
        spread = [count / (count - 1) for count in patients]
        variance = sum(s * np.square(side).sum(axis=2) for s, side in zip(spread, sides))
        variance = variance + 2 * spread[2] * (sides[0] * sides[1]).sum(axis=2)
        repeated = self.shape[2] / patients[2]
        expected = np.vectorize(hanley_mcneil)(value, p[..., 0], n[..., 0])
        effect = np.where((value == 0) | (value == 1), repeated, variance / expected)
        effect = np.clip(effect, 1, MOST_EFFECT * repeated)
        low, high = _score_interval(value, p[..., 0] / effect, n[..., 0] / effect)
        return Found(value, low, high, sides[0] + sides[1], value)

    def ap(self) -> Found:
        """Average precision."""
        y, p = self.positive, self.positives[..., None]
        called, found = np.arange(1.0, self.shape[2] + 1), np.cumsum(y, axis=2).astype(float)
        precision = found / called
        value = (precision * y).sum(axis=2) / p[..., 0]

        def from_here(values: np.ndarray) -> np.ndarray:
            return np.cumsum(values[..., ::-1], axis=2)[..., ::-1]

        lifts, weighs = from_here(y * (1 - precision) / called), from_here(y * precision / called)
        influence = self._at_own(np.where(y, precision - value[..., None] + lifts, -weighs) / p)
        worth, m, chance = self._worth_at_own(value, influence, y), self._of_positives, p[..., 0] / self.shape[2]
        middle = (m * value + CENTRE_POSITIVES * chance) / (m + CENTRE_POSITIVES)
        reach = stdtrit(np.maximum(1, m - 1), (1 + LEVEL) / 2) / np.sqrt(worth * middle * (1 - middle))
        at = np.log(middle) - np.log1p(-middle)
        low, high = (1 / (1 + np.exp(-(at + side * reach))) for side in (-1, 1))
        low, high = np.minimum(low, value), np.maximum(high, value)
        others = np.where(called > 1, (found - 1) / np.maximum(called - 1, 1), chance[..., None])
        centre = (value + (others * y).sum(axis=2) / p[..., 0]) / 2
        return Found(value, low, high, self.by_group(influence), np.clip(centre, low, high))


def _worth(share: np.ndarray, variance: np.ndarray, patients: np.ndarray, least: float, most: np.ndarray) -> np.ndarray:
    is_seen = (variance > 0) & (share > 0) & (share < 1)
    worth = np.clip(share * (1 - share) / np.where(is_seen, variance, 1), least * patients, most)
    return np.where(is_seen, worth, patients)


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle, scale = share + Z_95**2 / (2 * count), 1 + Z_95**2 / count
    half = Z_95 * np.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count * count))
    return np.maximum(0, (middle - half) / scale), np.minimum(1, (middle + half) / scale)


def _score_interval(auc: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half, limits = (positives + negatives) / 2 - 1, []
    for bound in (0.0, 1.0):
        outside, inside = np.full_like(auc, bound), auc.copy()
        for _ in range(BISECTIONS):
            t = 0.5 * (outside + inside)
            spread = 1 + half * ((1 - t) / (2 - t) + t / (1 + t))
            is_out = (t - auc) ** 2 - Z_95**2 * t * (1 - t) * spread / (positives * negatives) > 0
            outside, inside = np.where(is_out, t, outside), np.where(is_out, inside, t)
        limits.append(np.where(np.abs(bound - auc) < 1e-12, auc, 0.5 * (outside + inside)))
    return limits[0], limits[1]
