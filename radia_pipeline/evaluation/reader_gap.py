"""A reader on the ROC plane beside a model: the model's sensitivity at the reader's false alarms, minus the reader's.

Weighted to the pool of a reading set, with an interval by drawing the pool anew (``redraws``). Above 0 the reader lies
below the curve. Not here: what truth the reader is compared with, which is known by ``readings``.

Shape legend: n studies of the set whose truth is present or absent and which the reader answered so, R replicates, B
blocks of equal scores.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    gap, sensitivity, alarms = (float(one[0]) for one in _gaps(ranked, called, ranked.weights(sample.weight), None))
    redraws = Redraws.of(sample.weight, sample.stratum, replicates)
    drawn, *_ = _gaps(ranked, called, redraws.weight[:, ranked.order], redraws)
    return Placed(sensitivity, 1 - alarms, Interval(gap, *limits(gap, drawn), positives, len(sample.truth)))


def curve_of(sample: Sample) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the weighted ROC curve from (0, 0) to (1, 1), thinned for drawing: false alarm rates, sensitivities."""
    ranked = metrics.Ranked.of(sample.score, sample.truth)
    sides = metrics.blocks(ranked, ranked.weights(sample.weight))
    found, false = (np.r_[0.0, np.cumsum(side[0]) / side[0].sum()] for side in sides)
    return tuple(tuple(part.tolist()) for part in thinned(false, found))


def count_below(gaps: list[Interval]) -> Below:
    """Count the readers below the curve."""
    counts = (sum(getattr(one, end) > 0 for one in gaps) for end in ("value", "low", "high"))
    return Below(len(gaps), *counts)


def _gaps(
    ranked: metrics.Ranked, called: np.ndarray, weight: np.ndarray, redraws: Redraws | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gap, reader's sensitivity, false alarm rate (R,) for weights (R, n) in the order of ``ranked``.

    The unread study is a positive that the reader misses (for the model) or calls (against it).
    """
    mine = called[ranked.order]
    positive, negative = weight * ranked.positive, weight * ~ranked.positive
    hits, alarms = positive[:, mine].sum(axis=1), negative[:, mine].sum(axis=1) / negative.sum(axis=1)
    if redraws is not None:
        column, rows = np.argsort(ranked.order), np.arange(len(weight))
        for is_called, side in ((False, 0), (True, 1)):
            place, mass = redraws.one_more(called == is_called)
            more = redraws.for_and_against(mass)[side]
            positive[rows, column[place]] += more
            hits = hits + more * is_called
    sensitivity = hits / positive.sum(axis=1)
    found, false = (
        np.cumsum(np.add.reduceat(side, ranked.starts, axis=1), axis=1) / side.sum(axis=1, keepdims=True)
        for side in (positive, negative)
    )
    return _at(false, found, alarms) - sensitivity, sensitivity, alarms


def _at(x: np.ndarray, y: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return y (R,) of curves from (0, 0) through x, y (R, B) at ``where`` (R,): the highest where x stands still."""
    reached = (x <= where[:, None] + metrics.EPSILON).sum(axis=1)
    rows, after = np.arange(len(x)), np.minimum(reached, x.shape[1] - 1)
    x0, y0 = (np.where(reached > 0, side[rows, np.maximum(reached - 1, 0)], 0.0) for side in (x, y))
    step = x[rows, after] - x0
    part = np.divide(where - x0, step, out=np.zeros_like(step), where=step > metrics.EPSILON)
    return y0 + part * (y[rows, after] - y0)
