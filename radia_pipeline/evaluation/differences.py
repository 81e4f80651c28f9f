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
    return difference_of_means(*(_classes(score, label, group_ids) for score in (first, second)), "auc")


def difference_of_means(first: Sequence[OneClass], second: Sequence[OneClass], metric: str) -> Interval:
    """Return the mean of a figure over ``first`` minus that over ``second``: the same classes of the same studies.

    NaN where no class has the figure on both sides; a class that lacks it on one side is left out.
    """
    pairs = [pair for pair in zip(first, second, strict=True) if all(one.figure(metric) is not None for one in pair)]
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    means = [mean_figure(classes, metric) for classes in sides]
    value = means[0].value - means[1].value
    if not np.isfinite(value):
        return Interval(np.nan, np.nan, np.nan, means[0].positives, means[0].studies)
    moved = [np.mean([one.figure(metric).influence for one in classes], axis=0) for classes in sides]
    low, high = mover_difference(*means, _correlation(*moved))
    return Interval(value, low, high, means[0].positives, means[0].studies)


def _classes(score: np.ndarray, label: np.ndarray, group_ids: np.ndarray) -> list[OneClass]:
    group, names = numbered(group_ids)
    classes = [OneClass.of(score[:, k], label[:, k], group, groups=len(names)) for k in range(label.shape[1])]
    return [one for one in classes if one.has_both]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(a @ b) / size if size > 0 else 0.0
