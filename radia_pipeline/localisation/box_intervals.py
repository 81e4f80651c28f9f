"""How sure an average precision of boxes is: influence values by patient, closed forms, no resampling.

Few boxes make average precision too high, for each hit counts in its own precision and the envelope takes the best of
what follows. So each interval reaches over two estimates: the figure as it is defined, and one in which a hit's
precision is that among the other boxes. Held in simulation (``benchmarks/intervals.py``). Not here: matching
(``matching``).

Shape legend: n predicted boxes of a class, best first; G groups of patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.groups import MIN_PATIENTS
from radia_pipeline.evaluation.intervals import correlations, mover, wilson
from radia_pipeline.localisation.matching import Matched


@dataclass(frozen=True)
class BoxFigure:
    """An average precision. ``others``: with each hit's precision among the other boxes; ``influence`` (G,)."""

    value: float
    others: float
    low: float
    high: float
    influence: np.ndarray


def box_figure(matched: Matched, value: float, group: np.ndarray, groups: int) -> BoxFigure | None:
    """Return the figure with its interval; None where fewer than two patients have a reference box.

    ``value``: the average precision; ``group``: whose each image is, as a number below ``groups``.
    """
    patients = len(np.unique(group[matched.reference > 0]))
    if patients < MIN_PATIENTS:
        return None
    influence = _influence(matched, value, group, groups)
    variance = float(np.square(influence).sum()) * (patients + 1) / (patients - 1)
    is_seen = variance > 0 and 0 < value < 1
    worth = max(value * (1 - value) / variance, patients / 2) if is_seen else float(patients)
    others = _precision_of_others(matched)
    limits = wilson(value, worth), wilson(others, worth)
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    return BoxFigure(value, others, low, high, influence)


def mean_limits(figures: Sequence[BoxFigure]) -> tuple[float, float]:
    """Return the limits of a mean over classes on the same images."""
    related = correlations(np.stack([one.influence for one in figures]))
    centres, lows, highs = ([getattr(one, name) for one in figures] for name in ("others", "low", "high"))
    low, high = mover(centres, lows, highs, related)
    apart = float(np.mean([one.value - one.others for one in figures]))
    return max(0.0, min(low, low + apart)), min(1.0, max(high, high + apart))


def _so_far(matched: Matched) -> tuple[np.ndarray, np.ndarray]:
    """Return hits and boxes (n,) as far as each box's score reaches; equal scores enter together."""
    ends = matched.ends[np.searchsorted(matched.ends, np.arange(len(matched.is_hit)))]
    return np.cumsum(matched.is_hit)[ends].astype(float), ends + 1.0


def _precision_of_others(matched: Matched) -> float:
    """Average precision whose precisions leave the hit itself out, and have the mean of all of them in its place."""
    hits = matched.is_hit
    if not hits.any():
        return 0.0
    found, called = (part[hits] for part in _so_far(matched))
    left = hits.sum() - (1 / called).sum()
    precision = ((found - 1) / called).sum() / left if left > 1e-9 else 1.0
    return float(min(precision, 1.0) * hits.sum() / matched.boxes)


def _influence(matched: Matched, value: float, group: np.ndarray, groups: int) -> np.ndarray:
    """Return how each group moves average precision: by its reference boxes, its hits and its false boxes."""
    moved = np.bincount(group, weights=-value * matched.reference / matched.boxes, minlength=groups)
    if not len(matched.image):
        return moved
    found, called = _so_far(matched)
    precision = found / called
    reached = _best_from_here(precision)
    hits_at = np.bincount(reached, weights=matched.is_hit.astype(float), minlength=len(precision))
    lifts, weighs = (np.cumsum((hits_at * part / called)[::-1])[::-1] for part in (1 - precision, precision))
    each = np.where(matched.is_hit, precision[reached] + lifts, -weighs) / matched.boxes
    return moved + np.bincount(group[matched.image], weights=each, minlength=groups)


def _best_from_here(precision: np.ndarray) -> np.ndarray:
    """Return for each place where the highest precision at it or after it stands, the nearest of equal ones."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at_best = np.where(precision == envelope, np.arange(len(precision)), len(precision))
    return np.minimum.accumulate(at_best[::-1])[::-1]
