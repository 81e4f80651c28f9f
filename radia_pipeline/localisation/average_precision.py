"""Detection average precision with intervals: per class, per parent group and class-agnostic.

What does not belong here: matching boxes (``matching``), how sure a figure is (``box_intervals``), which boxes are
compared with which reference (``benchmark``, ``truth``, ``detection``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.localisation.box_intervals import box_figure, mean_limits
from radia_pipeline.localisation.boxes import Boxes, suppressed
from radia_pipeline.localisation.matching import match, weighted_ap

IOU_THRESHOLDS = (0.1, 0.3, 0.5)
MIN_BOXES = 3  # a class with fewer reference boxes does not enter the mean over classes
MERGE_IOU = 0.5  # at group level, boxes of several classes over one place are one box
AGNOSTIC = "any"
MEAN = "mean"


def average_precision(predicted: Boxes, reference: Boxes, image_ids: Sequence[str], threshold: float) -> float:
    """Average precision of boxes of one class over these images at one IoU threshold; NaN without reference boxes."""
    matched = match(predicted, reference, image_ids, threshold)
    return float(weighted_ap(matched, np.ones((1, len(image_ids))))[0])


def mean_average_precision(predicted: Boxes, reference: Reference, level: str, threshold: float) -> float:
    """Return the mean over classes with a reference box, however few, without an interval: to compare epochs by, not to
    be believed. 0 without any."""
    drawn = at_level(reference.boxes.on(reference.image_ids), level)
    guessed = at_level(reference.counting(predicted), level)
    values = [
        average_precision(
            guessed.take(guessed.label == name), drawn.take(drawn.label == name), reference.image_ids, threshold
        )
        for name in sorted(set(drawn.label))
    ]
    return float(np.mean(values)) if values else 0.0


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
    kept: list[int] = []
    for index, place in enumerate(zip(boxes.image_id, boxes.label)):
        members.setdefault(place, []).append(index)
    for listed in members.values():
        rows = np.array(listed)
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
    predicted: Boxes,
    reference: Reference,
    *,
    levels: Iterable[str] = LEVELS,
    thresholds: Sequence[float] = IOU_THRESHOLDS,
    min_boxes: int = MIN_BOXES,
) -> list[dict]:
    """Judge boxes: rows of level, class (or ``mean``), metric (``ap@0.3``, mean ``map@0.3``), value, low, high, counts.

    Only classes with reference boxes have rows, without a figure where those are of one patient; the mean is over those
    with at least ``min_boxes``. Where there are no reference boxes at all the result is empty.
    """
    predicted = reference.counting(predicted)
    rows: list[dict] = []
    for level in levels:
        drawn, guessed = at_level(reference.boxes.on(reference.image_ids), level), at_level(predicted, level)
        for threshold in thresholds:
            rows += _level_rows(guessed, drawn, reference, level, threshold, min_boxes)
    return rows


def _level_rows(
    guessed: Boxes, drawn: Boxes, reference: Reference, level: str, threshold: float, min_boxes: int
) -> Iterator[dict]:
    place, metric = {"level": level, "images": len(reference.image_ids)}, f"ap@{threshold:g}"
    (group, names), figures, counts = numbered(reference.group_ids), [], []
    for name in sorted(set(drawn.label)):
        one = drawn.take(drawn.label == name)
        matched = match(guessed.take(guessed.label == name), one, reference.image_ids, threshold)
        value = float(weighted_ap(matched, np.ones((1, len(reference.image_ids))))[0])
        found = box_figure(matched, value, group, len(names))
        numbers: dict[str, float | None] = {"value": None, "low": None, "high": None}
        if found is not None:
            numbers = {"value": value, "low": found.low, "high": found.high}
        yield {**place, "class": name, "metric": metric, **numbers, "boxes": matched.boxes}
        if found is not None and matched.boxes >= min_boxes:
            figures.append(found)
            counts.append(matched.boxes)
    if figures:
        low, high = mean_limits(figures)
        numbers = {"value": float(np.mean([one.value for one in figures])), "low": low, "high": high}
        yield {**place, "class": MEAN, "metric": f"m{metric}", **numbers, "boxes": sum(counts)}


def finite(row: Mapping) -> dict:
    """Return a row with NaN replaced by null, as tables want it."""
    return {k: (None if isinstance(v, float) and not np.isfinite(v) else v) for k, v in row.items()}
