"""A reader on the ROC plane beside a model: the model's sensitivity at the reader's false alarms, minus the reader's.

Weighted to the pool of a reading set, with an interval by drawing the pool anew (``redraws``). Above 0 the reader lies
below the curve. Not here: what truth the reader is compared with, which is known by ``readings``.

Shape legend: n studies of the set whose truth is present or absent and which the reader answered so, R replicates, B
blocks of equal scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.curves import thinned
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.redraws import REPLICATES, Redraws, limits
from radia_pipeline.evaluation.weighted import MIN_POSITIVES, Sample


@dataclass(frozen=True)
class Placed:
    """One reader's point, and how far below the model's curve it lies."""

    sensitivity: float
    specificity: float
    gap: Interval


@dataclass(frozen=True)
class Below:
    """Readers below the curve. ``surely``: whose interval is above 0; ``possibly``: whose interval is not below it."""

    readers: int
    below: int
    surely: int
    possibly: int


def place_reader(sample: Sample, called: np.ndarray, replicates: int = REPLICATES) -> Placed | None:
    """Return a reader's place by the calls (n,) of bool; None with under MIN_POSITIVES of a kind."""
    positives = int((sample.truth == 1).sum())
    if min(positives, len(sample.truth) - positives) < MIN_POSITIVES:
        return None
    sample, (called,) = sample.in_order(called)
    ranked = metrics.Ranked.of(sample.score, sample.truth)
    points = _Weighed.of(ranked, called, ranked.weights(sample.weight)).points()
    gap, sensitivity, alarms = (float(one[0]) for one in points)
    redraws = Redraws.of(sample.weight, sample.stratum, replicates)
    drawn = _redrawn(_Weighed.of(ranked, called, redraws.weight[:, ranked.order]), called, redraws)
    return Placed(sensitivity, 1 - alarms, Interval(gap, *limits(gap, drawn), positives, len(sample.truth)))


def curve_of(sample: Sample) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the weighted ROC curve from (0, 0) to (1, 1), thinned for drawing: false alarm rates, sensitivities."""
    ranked = metrics.Ranked.of(sample.score, sample.truth)
    sides = metrics.blocks(ranked, ranked.weights(sample.weight))
    found, false = (np.r_[0.0, np.cumsum(side[0]) / side[0].sum()] for side in sides)
    x, y = thinned(false, found)
    return tuple(x.tolist()), tuple(y.tolist())


def count_below(gaps: list[Interval]) -> Below:
    """Count the readers below the curve."""
    counts = (sum(getattr(one, end) > 0 for one in gaps) for end in ("value", "low", "high"))
    return Below(len(gaps), *counts)


@dataclass(frozen=True)
class _Weighed:
    """Weights (R, n) in the order of ``ranked``; ``hits``, ``alarms`` (R,): weight of what the reader calls."""

    ranked: metrics.Ranked
    positive: np.ndarray
    negative: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray

    @classmethod
    def of(cls, ranked: metrics.Ranked, called: np.ndarray, weight: np.ndarray) -> _Weighed:
        mine, positive, negative = called[ranked.order], weight * ranked.positive, weight * ~ranked.positive
        return cls(ranked, positive, negative, positive[:, mine].sum(axis=1), negative[:, mine].sum(axis=1))

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return gap, the reader's sensitivity, the reader's false alarm rate (R,)."""
        sensitivity, rate = self.hits / self.positive.sum(axis=1), self.alarms / self.negative.sum(axis=1)
        found, false = (
            np.cumsum(np.add.reduceat(side, self.ranked.starts, axis=1), axis=1) / side.sum(axis=1, keepdims=True)
            for side in (self.positive, self.negative)
        )
        return _at(false, found, rate) - sensitivity, sensitivity, rate

    def added(self, side: np.ndarray, place: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """Return weights of one side with masses (R,) more, each at the place of a read study."""
        more = side.copy()
        more[np.arange(len(side)), np.argsort(self.ranked.order)[place]] += mass
        return more


def _redrawn(read: _Weighed, called: np.ndarray, redraws: Redraws) -> np.ndarray:
    """Return the gap (R,) with one unread study more: against the model's lead a positive that the reader finds, for it
    a positive that the reader misses or a false alarm of the reader's, whichever speaks louder.
    """
    place, mass = redraws.one_more(called)
    _, found = redraws.for_and_against(mass)
    missed_at, mass = redraws.one_more(~called)
    missed, _ = redraws.for_and_against(mass)
    positive = read.added(read.added(read.positive, place, found), missed_at, missed)
    by_positive, *_ = replace(read, positive=positive, hits=read.hits + found).points()
    place, mass = redraws.one_more()
    alarm, _ = redraws.for_and_against(mass)
    negative = read.added(read.negative, place, alarm)
    by_alarm, *_ = replace(read, negative=negative, alarms=read.alarms + alarm).points()
    return np.where(redraws.speaks_for, np.maximum(by_positive, by_alarm), by_positive)


def _at(x: np.ndarray, y: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return y (R,) of curves from (0, 0) through x, y (R, B) at ``where`` (R,): the highest where x stands still."""
    reached = (x <= where[:, None] + metrics.EPSILON).sum(axis=1)
    rows, after = np.arange(len(x)), np.minimum(reached, x.shape[1] - 1)
    x0, y0 = (np.where(reached > 0, side[rows, np.maximum(reached - 1, 0)], 0.0) for side in (x, y))
    step = x[rows, after] - x0
    part = np.divide(where - x0, step, out=np.zeros_like(step), where=step > metrics.EPSILON)
    return y0 + part * (y[rows, after] - y0)
