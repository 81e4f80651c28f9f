"""Two sets of boxes on the same images: by how much one's average precision is the better, with the pair's interval.

The two means' own limits and the correlation of their influence values make it, as for two models' figures
(``evaluation.differences``). Not here: single figures (``box_intervals``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import Interval, mover_difference
from radia_pipeline.localisation.average_precision import MIN_BOXES, Reference
from radia_pipeline.localisation.box_intervals import BoxFigure, box_figure, mean_limits
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.matching import match, weighted_ap


def difference(
    first: Boxes, second: Boxes, reference: Reference, threshold: float, classes: Sequence[str] | None = None
) -> Interval | None:
    """Return the mean average precision at an IoU of ``first`` minus that of ``second`` over classes.

    ``classes``: default those with enough reference boxes for a mean. None where none has boxes of two patients.
    """
    labels = reference.boxes.label
    names = classes or [name for name in sorted(set(labels)) if (labels == name).sum() >= MIN_BOXES]
    each = ((_figure(first, reference, name, threshold), _figure(second, reference, name, threshold)) for name in names)
    pairs = [(one, other) for one, other in each if one is not None and other is not None]
    if not pairs:
        return None
    sides = [one for one, _ in pairs], [other for _, other in pairs]
    boxes = int(np.isin(labels, names).sum())
    mine, theirs = (
        Interval(float(np.mean([one.value for one in side])), *mean_limits(side), boxes, len(reference.image_ids))
        for side in sides
    )
    moved, beside = (np.mean([one.influence for one in side], axis=0) for side in sides)
    low, high = mover_difference(mine, theirs, _correlation(moved, beside))
    return Interval(mine.value - theirs.value, low, high, boxes, len(reference.image_ids))


def is_surely_better(found: Interval | None, tries: int) -> bool:
    """Tell whether a difference is above nought also where it is the best of several tries (Bonferroni)."""
    if found is None:
        return False
    wider = float(ndtri(1 - 0.025 / max(tries, 1)) / ndtri(0.975))
    return found.value - wider * (found.value - found.low) > 0


def _figure(boxes: Boxes, reference: Reference, name: str, threshold: float) -> BoxFigure | None:
    group, names = numbered(reference.group_ids)
    drawn = reference.boxes.take(reference.boxes.label == name)
    boxes = reference.counting(boxes.take(boxes.label == name))
    matched = match(boxes, drawn, reference.image_ids, threshold)
    value = float(weighted_ap(matched, np.ones((1, len(reference.image_ids))))[0])
    return box_figure(matched, value, group, len(names)) if np.isfinite(value) else None


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(a @ b) / size if size > 0 else 0.0
