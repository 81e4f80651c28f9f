"""The difference of two models on the same studies: the mean of a figure over classes, with the interval of the pair.

The two means' own limits and the correlation of their influence values make it (MOVER): it held in simulation where
resampling groups did not, with few positives and near perfect order (``benchmarks/intervals.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radia_pipeline.evaluation.class_figures import OneClass, mean_figure
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import Interval, mover_difference


def mean_auc(score: np.ndarray, label: np.ndarray, group_ids: np.ndarray) -> Interval:
    """Return the mean AUC of scores (n, K) over the classes that have one."""
    return mean_figure(_classes(score, label, group_ids), "auc")


def paired_difference(first: np.ndarray, second: np.ndarray, label: np.ndarray, group_ids: np.ndarray) -> Interval:
    """Return the mean AUC of ``first`` minus that of ``second`` over classes, both (n, K); NaN where none has one."""
    one, other = (_classes(score, label, group_ids) for score in (first, second))
    return difference_of_means(one, other, "auc")


def difference_of_means(first: Sequence[OneClass], second: Sequence[OneClass], metric: str) -> Interval:
    """Return the mean of a figure over ``first`` minus that over ``second``: the same classes of the same studies.

    NaN where no class has the figure on both sides; a class that lacks it on one side is left out.
    """
    told = [
        (one, other, ours.influence, theirs.influence)
        for one, other in zip(first, second, strict=True)
        if (ours := one.figure(metric)) is not None and (theirs := other.figure(metric)) is not None
    ]
    here = mean_figure([one for one, _, _, _ in told], metric)
    there = mean_figure([other for _, other, _, _ in told], metric)
    value = here.value - there.value
    if not np.isfinite(value):
        return Interval(np.nan, np.nan, np.nan, here.positives, here.studies)
    moved = np.mean([ours for _, _, ours, _ in told], axis=0)
    beside = np.mean([theirs for _, _, _, theirs in told], axis=0)
    low, high = mover_difference(here, there, _correlation(moved, beside))
    return Interval(value, low, high, here.positives, here.studies)


def _classes(score: np.ndarray, label: np.ndarray, group_ids: np.ndarray) -> list[OneClass]:
    group, names = numbered(group_ids)
    classes = [OneClass.of(score[:, k], label[:, k], group, groups=len(names)) for k in range(label.shape[1])]
    return [one for one in classes if one.has_both]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(a @ b) / size if size > 0 else 0.0
