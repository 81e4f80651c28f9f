"""Detection average precision with intervals: per class, per parent group and class-agnostic.

Boxes are matched once per image; a bootstrap replicate only reweighs images, by groups of patients. What does not
belong here: which boxes are compared with which reference (``benchmark``, ``truth``, ``detection``).

Shape legend: n predicted boxes of a class, R rows of weights, G images, B blocks of equal scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.bootstrap import REPLICATES, Resampler, percentile_interval
from radia_pipeline.localisation.boxes import Boxes, suppressed
from radia_pipeline.sources.overlap import iou

IOU_THRESHOLDS = (0.1, 0.3, 0.5)
MIN_BOXES = 3  # a class with fewer reference boxes does not enter the mean over classes
MERGE_IOU = 0.5  # at group level, boxes of several classes over one place are one box
AGNOSTIC = "any"
MEAN = "mean"


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


def average_precision(predicted: Boxes, reference: Boxes, image_ids: Sequence[str], threshold: float) -> float:
    """Average precision of boxes of one class over these images at one IoU threshold; NaN without reference boxes."""
    matched = match(predicted, reference, image_ids, threshold)
    return float(weighted_ap(matched, np.ones((1, len(image_ids))))[0])


def at_level(boxes: Boxes, level: str) -> Boxes:
    """Bring boxes to one of ``LEVELS``; above ``class``, boxes over one place are merged (the best stays)."""
    return LEVELS[level](boxes)


def _by_class(boxes: Boxes) -> Boxes:
    """As they are."""
    return boxes


def _by_group(boxes: Boxes) -> Boxes:
    """Once for each group above (or equal to) their class."""
    words = vocabulary()
    groups = set(words.finding_groups) | set(words.unions)
    above = {name: [g for g in (name, *words.ancestors(name)) if g in groups] for name in set(boxes.label)}
    rows = [(index, group) for index, name in enumerate(boxes.label) for group in above[name]]
    index = np.array([row for row, _ in rows], dtype=int)
    return _merged(boxes.take(index).relabelled(np.array([group for _, group in rows], dtype=object)))


def _under_one_name(boxes: Boxes) -> Boxes:
    """Whatever their class."""
    return _merged(boxes.relabelled(np.full(len(boxes), AGNOSTIC, dtype=object)))


LEVELS = Table("level", {"class": _by_class, "group": _by_group, "agnostic": _under_one_name})


def _merged(boxes: Boxes) -> Boxes:
    members: dict[tuple[str, str], list[int]] = {}
    for index, place in enumerate(zip(boxes.image_id, boxes.label)):
        members.setdefault(place, []).append(index)
    kept = []
    for rows in members.values():
        rows = np.array(rows)
        kept.extend(rows[suppressed(boxes.corners[rows], boxes.score[rows], MERGE_IOU)])
    return boxes.take(np.sort(np.array(kept, dtype=int)))


@dataclass(frozen=True)
class Reference:
    """What boxes are judged against: the images that count, their patients' groups, their boxes, and the (image, class)
    pairs that say nothing (positive by label, but nobody drew where)."""

    image_ids: tuple[str, ...]
    group_ids: np.ndarray
    boxes: Boxes
    ignored: frozenset[tuple[str, str]] = frozenset()

    def counting(self, boxes: Boxes) -> Boxes:
        """Return the boxes that can be judged: on these images and not in an ignored pair."""
        wanted = set(self.image_ids)
        keep = [
            image in wanted and (image, name) not in self.ignored for image, name in zip(boxes.image_id, boxes.label)
        ]
        return boxes.take(np.array(keep, dtype=bool))


def score_boxes(
    predicted: Boxes, reference: Reference, *, levels: Iterable[str] = LEVELS,
    thresholds: Sequence[float] = IOU_THRESHOLDS, replicates: int = REPLICATES, seed: int = 0,
    min_boxes: int = MIN_BOXES,
) -> list[dict]:  # fmt: skip
    """Judge boxes: rows of level, class (or ``mean``), metric (``ap@0.3``, mean ``map@0.3``), value, low, high, counts.

    Only classes with reference boxes have rows; the mean is over those with at least ``min_boxes``. Where there are no
    reference boxes at all the result is empty.
    """
    predicted, rows = reference.counting(predicted), []
    draws = list(Resampler.of(reference.group_ids, replicates, seed)) if len(reference.image_ids) else []
    for level in levels:
        drawn, guessed = at_level(reference.boxes.on(reference.image_ids), level), at_level(predicted, level)
        for threshold in thresholds:
            rows += _level_rows(guessed, drawn, reference, level, threshold, draws, min_boxes)
    return rows


def _level_rows(guessed, drawn, reference, level, threshold, draws, min_boxes) -> Iterator[dict]:
    place, metric = {"level": level, "images": len(reference.image_ids)}, f"ap@{threshold:g}"
    values, replicates, counts = [], [], []
    for name in sorted(set(drawn.label)):
        one = drawn.take(drawn.label == name)
        matched = match(guessed.take(guessed.label == name), one, reference.image_ids, threshold)
        value = float(weighted_ap(matched, np.ones((1, len(reference.image_ids))))[0])
        again = np.concatenate([weighted_ap(matched, weight) for weight in draws])
        low, high = percentile_interval(again)
        figures = {"value": value, "low": low, "high": high, "boxes": matched.boxes}
        yield {**place, "class": name, "metric": metric, **figures}
        if matched.boxes >= min_boxes:
            values.append(value)
            replicates.append(again)
            counts.append(matched.boxes)
    if values:
        stack = np.stack(replicates)
        exists = np.isfinite(stack)
        means = np.where(exists, stack, 0.0).sum(axis=0) / np.maximum(exists.sum(axis=0), 1)
        low, high = percentile_interval(means)
        figures = {"value": float(np.mean(values)), "low": low, "high": high, "boxes": sum(counts)}
        yield {**place, "class": MEAN, "metric": f"m{metric}", **figures}


def finite(row: Mapping) -> dict:
    """Return a row with NaN replaced by null, as tables want it."""
    return {k: (None if isinstance(v, float) and not np.isfinite(v) else v) for k, v in row.items()}
