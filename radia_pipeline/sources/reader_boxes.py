"""One box for each finding from the boxes that several readers drew of it. Reading their table is the adapter's work.

Three readers draw three boxes around one nodule. Kept apart, they would stand for three findings: no detector could
find more than a third of them. Agreement is the rule of the labels too: at least half of the readers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from radia_pipeline.sources.overlap import iou

SAME_FINDING_IOU = 0.4
"""Overlap from which VinDr's publishers count a box as found (mAP at IoU > 0.4 in their challenge)."""


class ReaderBox(NamedTuple):
    """One reader's box; ``corners``: left, top, right, bottom in pixels of the delivered image."""

    image: str
    class_name: str
    reader: str
    corners: tuple[float, float, float, float]


def agreed_boxes(boxes: Iterable[ReaderBox], readers: Mapping[str, int], problems: Counter) -> list[ReaderBox]:
    """Return one box, the mean, for each finding that at least half of an image's readers drew.

    ``readers``: image → how many looked at it, also those who drew nothing. The reader of an agreed box is all of
    theirs, joined by "+". Boxes of a minority are counted. The result does not depend on the order of ``boxes``.
    """
    drawn: dict[tuple[str, str], list[ReaderBox]] = defaultdict(list)
    for box in boxes:
        drawn[box.image, box.class_name].append(box)
    agreed = []
    for (image, name), several in sorted(drawn.items()):
        for finding in _findings(sorted(several, key=lambda box: (box.reader, box.corners))):
            who = sorted({box.reader for box in finding})
            if 2 * len(who) < readers.get(image, 1):
                problems["boxes_of_a_minority_of_readers"] += len(finding)
                continue
            left, top, right, bottom = (float(value) for value in _mean(finding))
            agreed.append(ReaderBox(image, name, "+".join(who), (left, top, right, bottom)))
            problems["boxes_joined_into_one"] += len(finding) - 1
    return agreed


def _mean(finding: list[ReaderBox]) -> np.ndarray:
    return np.mean([box.corners for box in finding], axis=0)


def _findings(boxes: list[ReaderBox]) -> list[list[ReaderBox]]:
    """Group boxes of one image and class: the two groups whose means overlap most are joined, as long as they do."""
    groups = [[box] for box in boxes]
    while len(groups) > 1:
        means = np.stack([_mean(group) for group in groups])
        overlaps = np.triu(iou(means, means), 1)
        first, second = divmod(int(overlaps.argmax()), len(groups))
        if overlaps[first, second] < SAME_FINDING_IOU:
            break
        groups[first] += groups.pop(second)
    return groups
