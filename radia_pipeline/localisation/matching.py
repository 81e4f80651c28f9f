"""Predicted boxes of one class against reference boxes: who meets whom, and average precision under image weights.

Shape legend: n predicted boxes of a class, R rows of weights, G images, B blocks of equal scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.sources.overlap import iou


@dataclass(frozen=True)
class Matched:
    """Predicted boxes of one class, best first: ``is_hit`` and ``image`` (index) (n,), ``ends`` (B,) last of each block
    of equal scores; ``reference`` (G,) reference boxes on each image."""

    is_hit: np.ndarray
    image: np.ndarray
    ends: np.ndarray
    reference: np.ndarray

    @property
    def boxes(self) -> int:
        """Number of reference boxes."""
        return int(self.reference.sum())


def match(predicted: Boxes, reference: Boxes, image_ids: Sequence[str], threshold: float) -> Matched:
    """Match boxes of one class: best score first, each to the free reference box with the highest IoU >= threshold.

    Boxes on images outside ``image_ids`` are left out.
    """
    place = {image: index for index, image in enumerate(image_ids)}
    image = np.array([place.get(one, -1) for one in predicted.image_id], dtype=int)
    order = np.argsort(-predicted.score, kind="stable")
    order = order[image[order] >= 0]
    score, image = predicted.score[order], image[order]
    reference_image = np.array([place.get(one, -1) for one in reference.image_id], dtype=int)
    of_image = {index: np.flatnonzero(reference_image == index) for index in set(reference_image.tolist()) - {-1}}
    free = np.ones(len(reference), dtype=bool)
    is_hit = np.zeros(len(order), dtype=bool)
    for position, (box, index) in enumerate(zip(predicted.corners[order], image)):
        rows = of_image.get(index)
        if rows is None:
            continue
        overlap = np.where(free[rows], iou(box, reference.corners[rows])[0], -1.0)
        best = int(np.argmax(overlap))
        if overlap[best] >= threshold:
            is_hit[position], free[rows[best]] = True, False
    ends = np.flatnonzero(np.r_[score[1:] != score[:-1], True]) if len(score) else np.zeros(0, dtype=int)
    counts = np.bincount(reference_image[reference_image >= 0], minlength=len(image_ids))
    return Matched(is_hit, image, ends, counts)


def weighted_ap(matched: Matched, weight: np.ndarray) -> np.ndarray:
    """Average precision for image weights (R, G): area under the precision envelope over recall; NaN without reference.

    Boxes of equal score enter together, so that their order cannot matter.
    """
    total = weight @ matched.reference
    out = np.where(total > 0, 0.0, np.nan)
    if not len(matched.image):
        return out
    each = weight[:, matched.image]
    hits = np.cumsum(each * matched.is_hit, axis=1)[:, matched.ends]
    called = np.cumsum(each, axis=1)[:, matched.ends]
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    gained = np.diff(hits, axis=1, prepend=0.0)
    return np.divide((gained * envelope).sum(axis=1), total, out=out, where=total > 0)
